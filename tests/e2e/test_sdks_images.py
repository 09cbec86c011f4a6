"""A picture goes from each official SDK to providers of each dialect, in the provider's own form."""

import base64
from typing import Any

import anthropic
import openai
import pytest
from google.genai import types

from tests.support.sdk import PIXEL, Office, call
from tests.support.upstream import reply

pytestmark = pytest.mark.e2e

WORDS = "What is this?"
DATA_URL = f"data:image/png;base64,{PIXEL}"
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
ANSWERS: dict[str, dict[str, Any]] = {
    "openai_compatible": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "upstream-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "A pixel."}}],
        "usage": USAGE,
    },
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "upstream-1",
        "content": [{"type": "text", "text": "A pixel."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 3},
    },
    "gemini": {
        "responseId": "r-1",
        "modelVersion": "upstream-1",
        "candidates": [
            {"index": 0, "content": {"role": "model", "parts": [{"text": "A pixel."}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 3, "totalTokenCount": 15},
    },
}
"""By the kind of provider."""
KINDS = pytest.mark.parametrize("kind", ANSWERS)


@pytest.mark.parametrize("openai_client", [openai.OpenAI], indirect=True)
@KINDS
async def test_a_picture_in_a_chat(openai_client: Any, office: Office, kind: str) -> None:
    content = [{"type": "text", "text": WORDS}, {"type": "image_url", "image_url": {"url": DATA_URL}}]
    async with office.upstream_model("sees", kind, reply(ANSWERS[kind])) as upstream:
        completion = await call(
            openai_client.chat.completions.create, model="sees", messages=[{"role": "user", "content": content}]
        )
        check(kind, upstream.seen[0].json)
    assert completion.choices[0].message.content == "A pixel."


@pytest.mark.parametrize("openai_client", [openai.AsyncOpenAI], indirect=True)
@KINDS
async def test_a_picture_in_a_response(openai_client: Any, office: Office, kind: str) -> None:
    content = [{"type": "input_text", "text": WORDS}, {"type": "input_image", "image_url": DATA_URL, "detail": "auto"}]
    async with office.upstream_model("sees", kind, reply(ANSWERS[kind])) as upstream:
        response = await call(
            openai_client.responses.create, model="sees", input=[{"role": "user", "content": content}]
        )
        check(kind, upstream.seen[0].json)
    assert response.output_text == "A pixel."


@pytest.mark.parametrize("anthropic_client", [anthropic.Anthropic], indirect=True)
@KINDS
async def test_a_picture_in_a_message(anthropic_client: Any, office: Office, kind: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content = [{"type": "text", "text": WORDS}, {"type": "image", "source": source}]
    async with office.upstream_model("sees", kind, reply(ANSWERS[kind])) as upstream:
        message = await call(
            anthropic_client.messages.create,
            model="sees",
            max_tokens=50,
            messages=[{"role": "user", "content": content}],
        )
        check(kind, upstream.seen[0].json)
    assert message.content[0].text == "A pixel."


@pytest.mark.parametrize("google_client", ["async"], indirect=True)
@KINDS
async def test_a_picture_in_geminis_contents(google_models: Any, office: Office, kind: str) -> None:
    image = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    async with office.upstream_model("sees", kind, reply(ANSWERS[kind])) as upstream:
        answer = await call(google_models.generate_content, model="sees", contents=[WORDS, image])
        # Google's SDK writes the alphabet of addresses, which Google alone takes.
        check(kind, upstream.seen[0].json, PIXEL.replace("+", "-") if kind == "gemini" else PIXEL)
    assert answer.text == "A pixel."


def check(kind: str, seen: dict[str, Any], picture: str = PIXEL) -> None:
    """The words, then the picture, as such a provider takes them."""
    (turn,) = seen["contents" if kind == "gemini" else "messages"]
    words, image = turn["parts" if kind == "gemini" else "content"]
    if kind == "gemini":
        inline = image["inlineData"]  # Its SDK writes one name in Google's other spelling.
        assert (inline["data"], inline.get("mimeType", inline.get("mime_type"))) == (picture, "image/png")
    elif kind == "anthropic":
        source = {"type": "base64", "media_type": "image/png", "data": picture}
        assert image == {"type": "image", "source": source}
    else:
        assert (image["type"], image["image_url"]["url"]) == ("image_url", DATA_URL)
    assert words["text"] == WORDS
