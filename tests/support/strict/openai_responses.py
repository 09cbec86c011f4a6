"""OpenAI's responses as a service: https://platform.openai.com/docs/api-reference/responses-streaming."""

import json
from typing import Any

from tests.support.strict.responses_rules import ENCRYPTED, THOUGHT_CALL
from tests.support.strict.signing import sealed
from tests.support.strict.streams import Event, pieces
from tests.support.strict.types import Call, Decline, Hide, Part, Reply, Spent, Think


def usage_of(spent: Spent) -> dict[str, Any]:
    """What was used, as responses count."""
    return {
        "input_tokens": spent.input,
        "input_tokens_details": {"cached_tokens": spent.cached},
        "output_tokens": spent.output,
        "output_tokens_details": {"reasoning_tokens": spent.reasoning},
        "total_tokens": spent.input + spent.output,
    }


def _thinks(reply: Reply) -> bool:
    return any(isinstance(part, Think | Hide) for part in reply.parts)


def _call_id(reply: Reply, number: int) -> str:
    return f"{THOUGHT_CALL if _thinks(reply) else 'call_'}{reply.serial:0>2}{number:018d}"


def _items(reply: Reply, body: dict[str, Any]) -> list[dict[str, Any]]:
    calls = [_call_id(reply, number) for number, part in enumerate(reply.parts) if isinstance(part, Call)]
    return [_item(reply, part, number, calls, body) for number, part in enumerate(reply.parts)]


def _item(reply: Reply, part: Part, number: int, calls: list[str], body: dict[str, Any]) -> dict[str, Any]:
    tag = f"{reply.serial:0>2}{number:04d}"
    if isinstance(part, Think | Hide):
        # Thoughts are shown only as a summary, and only on demand; the seal likewise.
        shown = isinstance(part, Think) and (body.get("reasoning") or {}).get("summary")
        summary = [{"type": "summary_text", "text": part.text}] if shown else []
        item = {"id": f"rs_{tag}", "type": "reasoning", "summary": summary}
        if ENCRYPTED in (body.get("include") or ()):
            item["encrypted_content"] = sealed({"id": item["id"], "calls": calls})
        return item
    if isinstance(part, Call):
        return {
            "id": f"fc_{tag}",
            "type": "function_call",
            "call_id": _call_id(reply, number),
            "name": part.name,
            "arguments": json.dumps(part.arguments, ensure_ascii=False),
            "status": "completed",
        }
    content: dict[str, Any] = {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}
    if isinstance(part, Decline):
        content = {"type": "refusal", "refusal": part.text}
    return {"id": f"msg_{tag}", "type": "message", "role": "assistant", "status": "completed", "content": [content]}


def response_reply(reply: Reply, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer in one piece."""
    reasons = {"length": "max_output_tokens", "filter": "content_filter"}
    reason = reasons.get(reply.finish)
    return _frame(reply, model, body) | {
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": _items(reply, body),
        "usage": usage_of(reply.spent),
    }


def _frame(reply: Reply, model: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"resp_{reply.serial:0>40}",
        "object": "response",
        "created_at": 1_763_000_000,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
    }


def response_events(reply: Reply, model: str, body: dict[str, Any]) -> list[Event]:
    """The same as events."""
    whole, begun = response_reply(reply, model, body), _frame(reply, model, body)
    found: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(whole["output"]):
        found += _item_events(item, index)
    found.append({"type": f"response.{whole['status']}", "response": whole})
    return [(event["type"], event | {"sequence_number": number}) for number, event in enumerate(found)]


def _item_events(item: dict[str, Any], index: int) -> list[dict[str, Any]]:
    at = {"output_index": index}
    inner: list[dict[str, Any]] = []
    begun = item | {"status": "in_progress"} if item["type"] != "reasoning" else dict(item)
    here = {"item_id": item["id"], "output_index": index}
    if item["type"] == "function_call":
        begun["arguments"] = ""
        kind = "response.function_call_arguments"
        inner = [{"type": f"{kind}.delta", **here, "delta": piece} for piece in pieces(item["arguments"])]
        inner.append({"type": f"{kind}.done", **here, "name": item["name"], "arguments": item["arguments"]})
    elif item["type"] == "reasoning":
        begun["summary"] = []
        for number, entry in enumerate(item["summary"]):
            inner += _summary_events(entry, here | {"summary_index": number})
    else:
        begun["content"] = []
        for number, part in enumerate(item["content"]):
            inner += _part_events(part, here | {"content_index": number})
    added = {"type": "response.output_item.added", **at, "item": begun}
    return [added, *inner, {"type": "response.output_item.done", **at, "item": item}]


def _summary_events(entry: dict[str, Any], here: dict[str, Any]) -> list[dict[str, Any]]:
    part, text = "response.reasoning_summary_part", "response.reasoning_summary_text"
    grown = [{"type": f"{text}.delta", **here, "delta": piece} for piece in pieces(entry["text"])]
    return [
        {"type": f"{part}.added", **here, "part": entry | {"text": ""}},
        *grown,
        {"type": f"{text}.done", **here, "text": entry["text"]},
        {"type": f"{part}.done", **here, "part": entry},
    ]


def _part_events(part: dict[str, Any], here: dict[str, Any]) -> list[dict[str, Any]]:
    name = "text" if part["type"] == "output_text" else "refusal"
    kind = f"response.{'output_text' if name == 'text' else 'refusal'}"
    more: dict[str, Any] = {"logprobs": []} if name == "text" else {}
    grown = [{"type": f"{kind}.delta", **here, "delta": piece, **more} for piece in pieces(part[name])]
    return [
        {"type": "response.content_part.added", **here, "part": part | {name: ""}},
        *grown,
        {"type": f"{kind}.done", **here, name: part[name], **more},
        {"type": "response.content_part.done", **here, "part": part},
    ]


def failure_event(body: dict[str, Any]) -> Event:
    """An error inside a stream."""
    error = body["error"]
    data = {"type": "error", "code": error["code"], "message": error["message"], "param": error["param"]}
    return "error", data | {"sequence_number": 99}
