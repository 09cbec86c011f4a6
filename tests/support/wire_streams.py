"""What providers of each dialect send, to be put behind a scripted provider; and a house between any two dialects."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx2

from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    CHAT_USAGE,
    MESSAGES,
    MODEL,
    UP_ENVIRONMENT,
    UP_KEY,
    chat_stream,
    message_stream,
    model,
    sse,
    whole_reply,
)
from tests.support.house import House, HouseOptions, open_house
from tests.support.speaking import Asked
from tests.support.speaking import question as spoken_question
from tests.support.upstream import HangUp, Seen, Step, Upstream, Wire
from tests.support.world import world

WORDS = ("One", " two", " six")
"""Short enough that three tokens are also the estimate by their length."""
KINDS = {
    "openai_chat": "openai_compatible",
    "anthropic_messages": "anthropic",
    "gemini_generate": "gemini",
    "openai_responses": "openai",
}
"""The kind of provider that speaks each dialect."""
PAIRS = [
    ("openai_responses", "openai_responses"),
    ("gemini_generate", "gemini_generate"),
    ("anthropic_messages", "openai_chat"),
    ("openai_chat", "anthropic_messages"),
    ("openai_responses", "gemini_generate"),
    ("gemini_generate", "openai_chat"),
]
"""Callers and upstreams: the dialects that the older tests do not try, and each dialect translated, both ways."""
MAX_OUTPUT = 100
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def begun(dialect: str, *, usage: bool = True) -> list[bytes]:
    """A provider's stream up to its last word, one event for each entry; a word is the last of each of the last ones."""
    if dialect == "openai_chat":
        return chat_stream(*WORDS, usage=None)[: 1 + len(WORDS)]
    if dialect == "anthropic_messages":
        return message_stream(*WORDS, with_usage=usage)[: 2 + len(WORDS)]
    if dialect == "gemini_generate":
        return sse(*(_chunk(word) for word in WORDS))
    head = {"id": "r1", "object": "response", "created_at": 1, "model": "m", "status": "in_progress", "output": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    place = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    part = {"type": "output_text", "text": "", "annotations": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": head},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": word, "logprobs": []} for word in WORDS),
    ]
    return sse(*({**event, "sequence_number": at} for at, event in enumerate(events)), named=True)


def ending(dialect: str, *, usage: bool = True) -> list[bytes]:
    """What comes after `begun` when all goes well: 12 tokens in, 3 out."""
    if dialect == "openai_chat":
        return chat_stream(*WORDS, usage=CHAT_USAGE if usage else None)[1 + len(WORDS) :]
    if dialect == "anthropic_messages":
        return message_stream(*WORDS, with_usage=usage)[2 + len(WORDS) :]
    if dialect == "gemini_generate":
        counted = {"usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 3}} if usage else {}
        return sse(_chunk("", "STOP") | counted)
    done = whole(dialect) if usage else {k: v for k, v in whole(dialect).items() if k != "usage"}
    return sse({"type": "response.completed", "response": done, "sequence_number": 20}, named=True)


def failing(dialect: str, said: str) -> list[bytes]:
    """An event with which a provider says that it is overloaded, in words that nobody else should see."""
    if dialect == "openai_chat":
        return sse({"error": {"message": said, "type": "overloaded_error", "code": None}})
    if dialect == "anthropic_messages":
        return sse({"type": "error", "error": {"type": "overloaded_error", "message": said}}, named=True)
    if dialect == "gemini_generate":
        return sse({"error": {"code": 503, "message": said, "status": "UNAVAILABLE"}})
    return sse({"type": "error", "code": "overloaded_error", "message": said, "param": None}, named=True)


def until_left(chunks: Iterable[bytes]) -> Step:
    """Begin a stream, and wait in its middle until the gateway leaves."""

    async def step(_seen: Seen, wire: Wire) -> None:
        await wire.send(HEAD + b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks))
        await wire.until_left()
        raise HangUp

    return step


def whole(dialect: str) -> dict[str, Any]:
    """A provider's whole reply: 12 tokens in, 3 out."""
    text = "".join(WORDS)
    if dialect == "gemini_generate":
        return _chunk(text, "STOP") | {"usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 3}}
    if dialect == "openai_responses":
        content = [{"type": "output_text", "text": text, "annotations": []}]
        item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
        usage = {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}
        head = {"id": "r1", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
        return head | {"output": [item], "usage": usage}
    return whole_reply(MESSAGES if dialect == "anthropic_messages" else CHAT)


def declared(upstream: Upstream, dialect: str, name: str = "up", **more: Any) -> dict[str, Any]:
    """The declaration of a provider that speaks `dialect`, at `upstream`."""
    kind = KINDS[dialect]
    address = upstream.url.removesuffix("/v1") if kind == "anthropic" else upstream.url
    return {
        "name": name,
        "kind": kind,
        "base_url": address,
        "api_key": {"env": "UP_API_KEY"},
        "allow_private_network": True,
    } | more


@asynccontextmanager
async def house_between(
    database: Address, upstream: Upstream, dialect: str, options: HouseOptions | None = None, **tenant: Any
) -> AsyncIterator[House]:
    """A house in which `up-model` is served by `upstream` in `dialect`; `tenant` changes the first one."""
    options = options or HouseOptions()
    document = world()
    document["providers"].append(declared(upstream, dialect))
    document["models"].append(model(MODEL, "up/m"))
    document["tenants"][0]["budgets"] = [{"scope": "tenant", "window": "total", "limit_usd": 1000}]
    document["tenants"][0] |= tenant
    options.document, options.environment = document, UP_ENVIRONMENT
    async with open_house(database, options) as house:
        yield house


def asked(caller: str, text: str = "Good morning", *, stream: bool = True, array: bool = False) -> Asked:
    """A question for `up-model` with a bound of 100 tokens, in the caller's dialect."""
    found = spoken_question(caller, MODEL, text, stream=stream)
    body = found.body
    if caller == "gemini_generate":
        body["generationConfig"] = {"maxOutputTokens": MAX_OUTPUT}
    else:
        body["max_output_tokens" if caller == "openai_responses" else "max_tokens"] = MAX_OUTPUT
    return Asked(found.path.removesuffix("?alt=sse") if array else found.path, body)


def told(caller: str, content: bytes) -> tuple[str, str]:
    """Our code and the words of the error with which a reply, or a stream of events, ends in the caller's dialect."""
    text = content.decode().replace("\r\n", "\n").rstrip("\n")
    assert UP_KEY not in text
    assert "127.0.0.1" not in text
    last = text.split("\n\n")[-1]
    data = json.loads(last[last.index("{") :])
    error: Mapping[str, Any] = data["error"]
    if caller == "gemini_generate":
        return str(error["details"][0]["reason"]), str(error["message"])
    assert caller != "anthropic_messages" or data["type"] == "error"
    return str(error["code"]), str(error["message"])


def charged(reply_record: Mapping[str, Any]) -> Decimal:
    """What a record says that its call cost."""
    return Decimal(reply_record["cost_usd"])


async def post(house: House, question: Asked, **options: Any) -> httpx2.Response:
    """The reply to a question."""
    return await house.client(**options).post(question.path, json=question.body)


def _chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "m", "responseId": "g1"}
