"""The services, each a real server on a loopback port."""

import json
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.support.strict import (
    anthropic,
    anthropic_rules,
    chat_rules,
    gemini,
    gemini_rules,
    openai,
    openai_chat,
    openai_responses,
    responses_rules,
)
from tests.support.strict.streams import Event, cut, framed
from tests.support.strict.types import KEY, Failure, Refused, Reply
from tests.support.upstream import HangUp, Seen, Upstream, Wire, open_upstream

_GEMINI = re.compile(r"/v1beta/models/([^:]+):(\w+)(\?alt=sse)?")


@dataclass(frozen=True)
class Asked:
    """A request as far as its address and body say what is wanted."""

    operation: str
    model: str
    body: Any
    stream: bool


@dataclass(frozen=True)
class Operation:
    """One of a service's operations."""

    check: Callable[[Asked], None]
    whole: Callable[[Reply, Asked], dict[str, Any]]
    events: Callable[[Reply, Asked], list[Event]] | None = None
    failure_event: Callable[[dict[str, Any]], Event] = openai.failure_event


@dataclass(frozen=True)
class Vendor:
    """A service."""

    kind: str
    """The kind of provider by which it is reached."""
    base: str
    key_header: tuple[str, str]
    operations: dict[str, Operation]
    """By the end of the path."""
    refused: Callable[[Refused], tuple[int, dict[str, Any]]]
    failed: Callable[[Failure, str, str], tuple[int, dict[str, Any]]]


def _chat(check: Callable[[Any], None], **how: Any) -> Operation:
    return Operation(
        lambda asked: check(asked.body),
        lambda reply, asked: openai_chat.chat_reply(reply, asked.model, **how),
        lambda reply, asked: openai_chat.chat_events(reply, asked.model, asked.body, **how),
    )


_RESPONSES = Operation(
    lambda asked: responses_rules.check_responses(asked.body),
    lambda reply, asked: openai_responses.response_reply(reply, asked.model, asked.body),
    lambda reply, asked: openai_responses.response_events(reply, asked.model, asked.body),
    openai_responses.failure_event,
)
_EMBEDDINGS = Operation(
    lambda asked: openai.check_embeddings(asked.body), lambda _reply, asked: openai.embeddings_reply(asked.body)
)
_MESSAGES = Operation(
    lambda asked: anthropic_rules.check_messages(asked.body),
    lambda reply, asked: anthropic.message_reply(reply, asked.model),
    lambda reply, asked: anthropic.message_events(reply, asked.model),
    anthropic.failure_event,
)
_COUNT = Operation(
    lambda asked: anthropic_rules.check_count(asked.body), lambda _reply, _asked: {"input_tokens": anthropic.COUNTED}
)
_GENERATE = Operation(
    lambda asked: gemini_rules.check_generate(asked.body, asked.model),
    lambda reply, asked: gemini.content_reply(reply, asked.model),
    lambda reply, asked: gemini.content_events(reply, asked.model),
)
_EMBED = Operation(
    lambda asked: gemini_rules.check_embed(asked.body, asked.model),
    lambda _reply, asked: gemini.embed_reply(asked.body),
)
_GEMINI_COUNT = Operation(
    lambda asked: gemini_rules.check_count(asked.body, asked.model), lambda _reply, _asked: {"totalTokens": 23}
)
_BEARER = ("authorization", f"Bearer {KEY}")


def _openai(kind: str, base: str = "/v1", **operations: Operation) -> Vendor:
    named = {name.replace("__", "/"): operation for name, operation in operations.items()}
    return Vendor(kind, base, _BEARER, named, openai.refused, openai.failed)


VENDORS = {
    "chat": _openai("openai_compatible", chat__completions=_chat(chat_rules.check_chat), embeddings=_EMBEDDINGS),
    "openai": _openai(
        "openai", responses=_RESPONSES, embeddings=_EMBEDDINGS, chat__completions=_chat(chat_rules.check_chat)
    ),
    "mistral": _openai("mistral", chat__completions=_chat(openai.check_mistral, identify=openai.mistral_id)),
    "deepseek": _openai(
        "deepseek",
        "",
        chat__completions=_chat(openai.check_deepseek, thoughts="reasoning_content"),
        anthropic__v1__messages=_MESSAGES,
    ),
    "anthropic": Vendor(
        "anthropic",
        "",
        ("x-api-key", KEY),
        {"v1/messages": _MESSAGES, "v1/messages/count_tokens": _COUNT},
        anthropic.refused,
        anthropic.failed,
    ),
    "gemini": Vendor(
        "gemini",
        "/v1beta",
        ("x-goog-api-key", KEY),
        {
            "generateContent": _GENERATE,
            "streamGenerateContent": _GENERATE,
            "embedContent": _EMBED,
            "batchEmbedContents": _EMBED,
            "countTokens": _GEMINI_COUNT,
        },
        gemini.refused,
        gemini.failed,
    ),
}


@dataclass
class Service:
    """What was asked of a service, and what it will answer."""

    vendor: Vendor
    replies: list[Reply | Failure] = field(default_factory=lambda: [Reply()])
    asked: list[Asked] = field(default_factory=list)
    """What was accepted."""
    refusals: list[str] = field(default_factory=list)
    """Why something was not."""
    url: str = ""
    chance: random.Random = field(default_factory=lambda: random.Random(11))
    upstream: Upstream | None = None

    def will(self, *replies: Reply | Failure) -> None:
        """Answer the next requests so; the last one serves for all further ones."""
        self.replies = list(replies)

    async def serve(self, seen: Seen, wire: Wire) -> None:
        """See `Step`."""
        name, value = self.vendor.key_header
        if seen.header(name) != value:
            await self._fail(wire, Failure(kind="key"))
            return
        try:
            asked = self._read(seen)
            operation = self.vendor.operations[asked.operation]
            operation.check(asked)
        except Refused as error:
            self.refusals.append(f"{error.message} [{error.param}] {seen.body[:2000].decode(errors='replace')}")
            status, body = self.vendor.refused(error)
            await _whole(wire, body, status)
            return
        self.asked.append(asked)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Failure):
            await self._fail(wire, reply)
        elif asked.stream:
            await self._stream(wire, reply, operation, asked)
        else:
            await _whole(wire, operation.whole(reply, asked))

    def _read(self, seen: Seen) -> Asked:
        try:
            body = json.loads(seen.body)
        except ValueError:
            raise Refused("We could not parse the JSON body of your request.") from None
        if self.vendor.base == "/v1beta":
            found = _GEMINI.fullmatch(seen.path)
            if found is None or found[2] not in self.vendor.operations:
                raise Refused("Not found", status=404)
            is_stream = found[2] == "streamGenerateContent"
            if is_stream and found[3] is None:
                raise Refused("A stream without alt=sse is one array: the gateway has no use for that.")
            return Asked(found[2], found[1], body, is_stream)
        path = seen.path.removeprefix(self.vendor.base).removeprefix("/")
        if path not in self.vendor.operations or seen.method != "POST":
            raise Refused(f"Invalid URL ({seen.method} {seen.path})", status=404)
        if self.vendor.kind == "anthropic" and seen.header("anthropic-version") is None:
            raise Refused("anthropic-version: header is required")
        return Asked(path, str(body.get("model")), body, body.get("stream") is True)

    async def _fail(self, wire: Wire, failure: Failure) -> None:
        status, body = self.vendor.failed(failure, KEY, self.url)
        headers = f"retry-after: {failure.retry_after}\r\n" if failure.retry_after is not None else ""
        await _whole(wire, body, status, headers)

    async def _stream(self, wire: Wire, reply: Reply, operation: Operation, asked: Asked) -> None:
        assert operation.events is not None, "embeddings are not streamed"
        events = operation.events(reply, asked)
        if reply.cut_after is not None:
            events = events[: reply.cut_after]
        if reply.failure is not None:
            _, body = self.vendor.failed(reply.failure, KEY, self.url)
            events = [*events[: reply.fails_after], operation.failure_event(body)]
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
        await wire.send(head.encode())
        for piece in cut(framed(events, reply.style), self.chance):
            await wire.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if reply.cut_after is not None:
            raise HangUp
        await wire.send(b"0\r\n\r\n")


async def _whole(wire: Wire, body: dict[str, Any], status: int = 200, headers: str = "") -> None:
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(content)}\r\n\r\n"
    )
    await wire.send(head.encode() + content)


@asynccontextmanager
async def open_service(name: str) -> AsyncIterator[Service]:
    """A strict service of that vendor."""
    service = Service(VENDORS[name])
    async with open_upstream(partial(Service.serve, service)) as upstream:
        service.upstream = upstream
        service.url = f"http://127.0.0.1:{upstream.port}{service.vendor.base}"
        yield service
