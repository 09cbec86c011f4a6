"""Short words for chat requests, replies and streams."""

import json
from typing import Any

from enfilade.core.happenings import Happening
from enfilade.core.messages import Completion, Conversation
from enfilade.dialects.codec import StreamingCodec, Upstream
from enfilade.dialects.collecting import Collector
from enfilade.dialects.members.openai_chat import DIALECT
from enfilade.dialects.traits import NO_TRAITS, Traits
from enfilade.dialects.types import Request

USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 9,
    "total_tokens": 39,
    "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 5, "audio_tokens": None},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
CITED = [{"type": "url_citation", "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 1}}]
SIGNED = {"google": {"thought_signature": "c2ln"}}
OTHER = {"type": "reasoning.text", "format": "other-v1", "index": 0}
USER = {"role": "user", "content": "Hi"}


def codec() -> StreamingCodec:
    """The dialect's codec."""
    found: Any = DIALECT.codec
    assert found is not None
    return found  # type: ignore[no-any-return]


def request(*messages: dict[str, Any], **fields: Any) -> Request:
    """A caller's request as it is parsed."""
    return DIALECT.parse(json.dumps({"model": "chat", "messages": messages or (USER,)} | fields).encode())


def question(*messages: dict[str, Any], **fields: Any) -> Conversation:
    """A caller's request in the neutral form."""
    found = codec().question(request(*messages, **fields))
    assert isinstance(found, Conversation)
    return found


def upstream(traits: Traits = NO_TRAITS, *, stream: bool = False) -> Upstream:
    """A provider."""
    return Upstream("up-1", stream, traits, "01ABC")


def body(asked: Conversation, traits: Traits = NO_TRAITS, *, stream: bool = False) -> dict[str, Any]:
    """A question as the provider gets it."""
    found = json.loads(codec().write(asked, upstream(traits, stream=stream)))
    assert isinstance(found, dict)
    return found


def reply(message: dict[str, Any], finish: Any = "stop", choice: dict[str, Any] | None = None, **more: Any) -> bytes:
    """A provider's whole reply."""
    entry = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": finish} | (choice or {})
    whole = {"id": "c1", "object": "chat.completion", "created": 7, "model": "m-1", "choices": [entry]}
    return json.dumps(whole | more).encode()


def chunk(delta: dict[str, Any] | None, finish: Any = None, choice: dict[str, Any] | None = None, **more: Any) -> bytes:
    """An event; without a delta it has no choices."""
    entry = {"index": 0, "delta": delta, "finish_reason": finish} | (choice or {})
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m-1"}
    return b"data: " + json.dumps(head | {"choices": [] if delta is None else [entry]} | more).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
ROLE = chunk({"role": "assistant", "content": ""})


def happenings(*pieces: bytes) -> list[Happening]:
    """What happens when the pieces come one after the other, and then nothing more."""
    decoder = codec().decoder(upstream(stream=True))
    found: list[Happening] = []
    for piece in pieces:
        found += decoder.feed(piece)
    return found + decoder.close()


def collected(*pieces: bytes) -> Completion:
    """What a stream comes to."""
    collector = Collector()
    collector.take(happenings(*pieces))
    return collector.completion()


def read(wire: bytes) -> Completion:
    """A whole reply in the neutral form."""
    found = codec().read(wire, upstream())
    assert isinstance(found, Completion)
    return found


def events(wire: bytes) -> list[dict[str, Any]]:
    """The data of a stream for a caller, which must end with `[DONE]`."""
    assert wire.endswith(DONE)
    return [json.loads(event.removeprefix(b"data: ")) for event in wire.removesuffix(DONE).split(b"\n\n") if event]


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def assistant(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None} | fields


def call(call_id: str | None, name: str = "f", arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}} | more


FRAGMENTS: list[dict[str, Any]] = [
    {"content": "Wait."},
    {"tool_calls": [{"index": 0} | call("c1", "f", "")]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
    {"tool_calls": [{"index": 1} | call("c2", "g", "")]},
]
"""A text and two calls, one of them in pieces."""
