"""Anthropic's messages as a service: https://docs.anthropic.com/en/api/messages-streaming."""

import json
from typing import Any

from tests.support.strict.signing import sealed, signature
from tests.support.strict.streams import Event, pieces
from tests.support.strict.types import Call, Decline, Failure, Hide, Part, Refused, Reply, Spent, Think

COUNTED = 23
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
FAILURES = {
    "rate": (429, "This request would exceed the rate limit for your organization (org-0f00)."),
    "quota": (402, "Your credit balance is too low to access the Anthropic API."),
    "overloaded": (529, "Overloaded"),
    "key": (401, "invalid x-api-key: {key}"),
    "context": (400, "prompt is too long: 210000 tokens > 200000 maximum"),
    "filter": (400, "Output blocked by content filtering policy"),
    "field": (400, "max_tokens: 99999 > 64000, which is the maximum allowed number of output tokens"),
    "model": (404, "model: claude-9"),
    "server": (500, "Internal server error at {url}"),
    "timeout": (504, "The request took too long."),
}


def failure_body(status: int, message: str) -> dict[str, Any]:
    """An error as Anthropic writes it."""
    error = {"type": TYPES.get(status, "api_error"), "message": message}
    return {"type": "error", "error": error, "request_id": "req_0f00"}


def refused(error: Refused) -> tuple[int, dict[str, Any]]:
    """The same for a body that was refused."""
    return error.status, failure_body(error.status, error.message)


def failed(failure: Failure, key: str, url: str) -> tuple[int, dict[str, Any]]:
    """The same for a failure."""
    status, message = FAILURES[failure.kind]
    return status, failure_body(status, message.format(key=key, url=url))


def usage_of(spent: Spent) -> dict[str, Any]:
    """What was used, as Anthropic counts: the input excludes the cache."""
    return {
        "input_tokens": spent.input - spent.cached - spent.written,
        "cache_read_input_tokens": spent.cached,
        "cache_creation_input_tokens": spent.written,
        "cache_creation": {"ephemeral_5m_input_tokens": spent.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": spent.output,
        "output_tokens_details": {"thinking_tokens": spent.reasoning},
        "service_tier": "standard",
    }


def _block(reply: Reply, part: Part, number: int) -> dict[str, Any]:
    if isinstance(part, Think):
        return {"type": "thinking", "thinking": part.text, "signature": signature(part.text)}
    if isinstance(part, Hide):
        return {"type": "redacted_thinking", "data": sealed(part.text)}
    if isinstance(part, Call):
        identifier = f"toolu_{reply.serial:0>2}{number:022d}"
        return {"type": "tool_use", "id": identifier, "name": part.name, "input": part.arguments}
    return {"type": "text", "text": part.text}


def _stop(reply: Reply) -> str:
    named = {"stop": "end_turn", "length": "max_tokens", "filter": "refusal", "refusal": "refusal"}
    declined = any(isinstance(part, Decline) for part in reply.parts)
    return "tool_use" if reply.calls else "refusal" if declined else named[reply.finish]


def message_reply(reply: Reply, model: str) -> dict[str, Any]:
    """The answer in one piece."""
    return {
        "id": f"msg_{reply.serial}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_block(reply, part, number) for number, part in enumerate(reply.parts)],
        "stop_reason": _stop(reply),
        "stop_sequence": None,
        "usage": usage_of(reply.spent),
    }


def message_events(reply: Reply, model: str) -> list[Event]:
    """The same as events."""
    whole = message_reply(reply, model)
    begun = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    found: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    if reply.style.pings:
        found.append({"type": "ping"})
    for index, block in enumerate(whole["content"]):
        empty, deltas = _opened(block)
        found.append({"type": "content_block_start", "index": index, "content_block": empty})
        for delta in deltas:
            found.append({"type": "content_block_delta", "index": index, "delta": delta})
            if reply.style.pings:
                found.append({"type": "ping"})
        found.append({"type": "content_block_stop", "index": index})
    last = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    found.append({"type": "message_delta", "delta": last, "usage": {"output_tokens": reply.spent.output}})
    found.append({"type": "message_stop"})
    return [(event["type"], event) for event in found]


def _opened(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kind = block["type"]
    if kind == "text":
        return block | {"text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
    if kind == "thinking":
        grown = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return block | {"thinking": "", "signature": ""}, [*grown, signed]
    if kind == "tool_use":
        text = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
        return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(text)]
    return block, []


def failure_event(body: dict[str, Any]) -> Event:
    """An error inside a stream."""
    return "error", body
