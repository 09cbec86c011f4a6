"""Requests and replies for these tests."""

import json
from typing import Any

from enfilade.core.happenings import Happening
from enfilade.core.messages import Completion, Conversation
from enfilade.dialects.codec import Upstream
from enfilade.dialects.collecting import Collector
from enfilade.dialects.members.gemini_generate import DIALECT
from enfilade.dialects.members.gemini_generate.codec import CODEC
from enfilade.dialects.types import Request

UPSTREAM = Upstream("gemini-3-pro", call_id="0199aaaa-bbbb")
STREAMED = "/v1beta/models/chat:streamGenerateContent?alt=sse"


def asked(target: str = STREAMED, **fields: Any) -> Request:
    """A caller's request."""
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]} | fields
    return DIALECT.parse(json.dumps(body).encode(), target)


def question(**fields: Any) -> Conversation:
    """The same in the neutral form."""
    return CODEC.question(asked(**fields))


def written(conversation: Conversation, model: str = UPSTREAM.model) -> dict[str, Any]:
    """What a provider gets."""
    body: dict[str, Any] = json.loads(CODEC.write(conversation, Upstream(model, call_id=UPSTREAM.call_id)))
    return body


def reply(*parts: dict[str, Any], finish: str | int | None = "STOP", **more: Any) -> dict[str, Any]:
    """A provider's whole reply, or a chunk of one."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    candidate |= more.pop("candidate", {})
    return {"candidates": [candidate], "modelVersion": "g-1", "responseId": "r1"} | more


def completion(body: dict[str, Any]) -> Completion:
    """A whole reply, read."""
    return CODEC.read(json.dumps(body).encode(), UPSTREAM)


def events(*chunks: dict[str, Any]) -> bytes:
    """A provider's stream."""
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)


def happenings(wire: bytes, cuts: list[int] | None = None) -> list[Happening]:
    """What a stream tells, fed in pieces."""
    decoder = CODEC.decoder(UPSTREAM)
    places = sorted({cut % (len(wire) + 1) for cut in cuts or []})
    found: list[Happening] = []
    for start, end in zip([0, *places], [*places, len(wire)], strict=True):
        found += decoder.feed(wire[start:end])
    return found + decoder.close()


def collected(wire: bytes, cuts: list[int] | None = None) -> Completion:
    """What a stream adds up to."""
    collector = Collector()
    collector.take(happenings(wire, cuts))
    return collector.completion()
