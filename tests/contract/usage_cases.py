"""What services report as usage, as they wrote it, wrapped as each dialect wraps it: in a reply, and in a stream."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enfilade.costs.prices.kinds import KINDS
from enfilade.dialects.members import (
    anthropic_messages,
    bedrock_converse,
    gemini_embed,
    gemini_generate,
    openai_chat,
    openai_embeddings,
    openai_responses,
)
from tests.support import event_frames

FOLDER = Path(__file__).parent / "usage"
MISSING = "missing"
DIALECTS: dict[str, Any] = {
    module.DIALECT.name: module.DIALECT
    for module in (
        anthropic_messages,
        bedrock_converse,
        gemini_embed,
        gemini_generate,
        openai_chat,
        openai_embeddings,
        openai_responses,
    )
}
STREAMED = frozenset({"openai_chat", "openai_responses", "anthropic_messages", "gemini_generate", "bedrock_converse"})
ASKED: dict[str, dict[str, Any]] = {
    "openai_chat": {"messages": [{"role": "user", "content": "Hi"}], "stream_options": {"include_usage": True}},
    "openai_responses": {"input": "Hi"},
    "anthropic_messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
    "gemini_generate": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
}
TARGET = "/v1beta/models/m:streamGenerateContent?alt=sse"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One report, and what it must come to."""

    name: str
    dialect: str
    model: str
    usage: Any
    expected: dict[str, int] | str = MISSING
    searches: tuple[str, ...] = ()
    """The actions of the search calls in a response's output."""
    queries: tuple[str, ...] = ()
    """Google's queries."""
    in_x_groq: bool = False
    begun: Any = None
    """What an Anthropic stream reports at first, if that is to be said."""


def recorded() -> list[Case]:
    """All files."""
    return [_read(path) for path in sorted(FOLDER.glob("*/*.json"))]


def _read(path: Path) -> Case:
    document = json.loads(path.read_text())
    assert document["service"] == path.parent.name, path
    assert document["source"], path
    assert document["recorded"], path
    expected = document["expected"]
    assert expected == MISSING or set(expected) <= set(KINDS), path
    return Case(
        name=f"{path.parent.name}/{path.stem}",
        dialect=document["dialect"],
        model=document["model"] or "model-1",
        usage=document["usage"],
        expected=expected,
        searches=tuple(document.get("searches", ())),
        queries=tuple(document.get("queries", ())),
        in_x_groq=document.get("x_groq", False),
    )


def reply_of(case: Case) -> bytes:
    """The report in the smallest reply that can hold it."""
    return json.dumps(_REPLIES[case.dialect](case)).encode()


def stream_of(case: Case) -> bytes:
    """The report in the smallest stream that can hold it."""
    return _STREAMS[case.dialect](case)


def request_of(dialect: str) -> Any:
    """What a caller asked who reads the stream."""
    body = json.dumps({"model": "m", "stream": True} | ASKED[dialect]).encode()
    return DIALECTS[dialect].parse(body, TARGET)


def _chat(case: Case) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}
    return {"id": "c", "created": 7, "model": case.model, "choices": [choice], "usage": case.usage}


def _response(case: Case) -> dict[str, Any]:
    calls = [
        {"type": "web_search_call", "id": f"ws_{number}", "status": "completed", "action": {"type": action}}
        for number, action in enumerate(case.searches)
    ]
    said = {"type": "output_text", "text": "Hi.", "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [said]}
    return {
        "id": "r",
        "created_at": 7,
        "model": case.model,
        "status": "completed",
        "output": [*calls, message],
        "usage": case.usage,
    }


def _message(case: Case) -> dict[str, Any]:
    content = [{"type": "text", "text": "Hi."}]
    told = {"stop_reason": "end_turn", "stop_sequence": None, "usage": case.usage}
    return {"id": "m", "type": "message", "role": "assistant", "model": case.model, "content": content} | told


def _content(case: Case) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": "Hi."}], "role": "model"}, "finishReason": "STOP"}
    if case.queries:
        candidate["groundingMetadata"] = {"webSearchQueries": list(case.queries)}
    return {"candidates": [candidate], "usageMetadata": case.usage, "modelVersion": case.model}


def _converse(case: Case) -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"text": "Hi."}]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": case.usage}


def _embeddings(case: Case) -> dict[str, Any]:
    return {"data": [{"index": 0, "embedding": [0.5]}], "model": case.model, "usage": case.usage}


_REPLIES: dict[str, Callable[[Case], dict[str, Any]]] = {
    "openai_chat": _chat,
    "openai_responses": _response,
    "anthropic_messages": _message,
    "gemini_generate": _content,
    "bedrock_converse": _converse,
    "openai_embeddings": _embeddings,
    "gemini_embed": lambda case: {"embedding": {"values": [0.5]}, "usageMetadata": case.usage},
}


def _events(*events: dict[str, Any], named: bool = False) -> bytes:
    written = []
    for event in events:
        name = f"event: {event['type']}\n" if named else ""
        written.append(f"{name}data: {json.dumps(event)}\n\n")
    return "".join(written).encode()


def _chat_stream(case: Case) -> bytes:
    def chunk(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    head = {"id": "c", "created": 7, "model": case.model}
    last = {"x_groq": {"usage": case.usage}} if case.in_x_groq else {"choices": [], "usage": case.usage}
    ended = chunk({}, "stop")
    chunks = (ended | last,) if case.in_x_groq else (ended, head | last)
    return _events(chunk({"role": "assistant", "content": "Hi."}, None), *chunks) + b"data: [DONE]\n\n"


def _response_stream(case: Case) -> bytes:
    begun = _response(case) | {"status": "in_progress", "output": [], "usage": None}
    return _events(
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {"type": "response.completed", "sequence_number": 1, "response": _response(case)},
        named=True,
    )


def _message_stream(case: Case) -> bytes:
    usage = case.usage if isinstance(case.usage, dict) else {}
    early = {name: usage[name] for name in ("input_tokens", "cache_read_input_tokens") if name in usage}
    begun = _message(case) | {"content": [], "stop_reason": None, "usage": case.begun or early | {"output_tokens": 1}}
    return _events(
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": case.usage},
        {"type": "message_stop"},
        named=True,
    )


def _content_stream(case: Case) -> bytes:
    begun = {"candidates": [{"content": {"parts": [{"text": "H"}], "role": "model"}}], "modelVersion": case.model}
    return _events(begun | {"usageMetadata": {"trafficType": "ON_DEMAND"}}, _content(case)).replace(b"\n", b"\r\n")


def converse_stream(report: bytes) -> bytes:
    """A stream of Converse whose report has these bytes: frames tell their length, so nothing can be put in later."""
    events: list[tuple[str, bytes]] = [
        ("messageStart", b'{"role":"assistant"}'),
        ("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hi."}}'),
        ("contentBlockStop", b'{"contentBlockIndex":0}'),
        ("messageStop", b'{"stopReason":"end_turn"}'),
        ("metadata", b'{"usage":%b}' % report),
    ]
    return b"".join(event_frames.event(name, payload) for name, payload in events)


_STREAMS: dict[str, Callable[[Case], bytes]] = {
    "openai_chat": _chat_stream,
    "openai_responses": _response_stream,
    "anthropic_messages": _message_stream,
    "gemini_generate": _content_stream,
    "bedrock_converse": lambda case: converse_stream(json.dumps(case.usage).encode()),
}
