"""OpenAI's chat completions as a service: https://platform.openai.com/docs/api-reference/chat/streaming."""

import json
from typing import Any

from tests.support.strict.streams import Event, pieces
from tests.support.strict.types import Call, Decline, Reply, Say, Spent, Think


def usage_of(spent: Spent) -> dict[str, Any]:
    """What was used, as OpenAI counts."""
    return {
        "prompt_tokens": spent.input,
        "completion_tokens": spent.output,
        "total_tokens": spent.input + spent.output,
        "prompt_tokens_details": {"cached_tokens": spent.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": spent.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _finish(reply: Reply) -> str:
    named = {"filter": "content_filter", "refusal": "stop"}
    return "tool_calls" if reply.calls else named.get(reply.finish, reply.finish)


def _written_calls(reply: Reply, identify: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": identify(reply, number),
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for number, call in enumerate(reply.calls)
    ]


def call_id(reply: Reply, number: int) -> str:
    """As OpenAI makes them."""
    return f"call_{reply.serial:0>4}{number:020d}"


def _texts(reply: Reply, kind: type[Say | Think | Decline]) -> str | None:
    found = [part.text for part in reply.parts if isinstance(part, kind)]
    return "".join(found) if found else None


def chat_reply(reply: Reply, model: str, *, identify: Any = call_id, thoughts: str | None = None) -> dict[str, Any]:
    """The answer in one piece. `thoughts` is the field for reasoning, of services that show it."""
    message: dict[str, Any] = {"role": "assistant", "content": _texts(reply, Say), "refusal": _texts(reply, Decline)}
    if calls := _written_calls(reply, identify):
        message["tool_calls"] = calls
    if thoughts is not None and (thought := _texts(reply, Think)) is not None:
        message[thoughts] = thought
    choice = {"index": 0, "message": message | {"annotations": []}, "logprobs": None, "finish_reason": _finish(reply)}
    return {
        "id": f"chatcmpl-{reply.serial}",
        "object": "chat.completion",
        "created": 1_763_000_000,
        "model": model,
        "choices": [choice],
        "usage": usage_of(reply.spent),
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }


def chat_events(
    reply: Reply, model: str, body: dict[str, Any], *, identify: Any = call_id, thoughts: str | None = None
) -> list[Event]:
    """The same answer as chunks; the usage only when it was asked for."""
    head = {"id": f"chatcmpl-{reply.serial}", "object": "chat.completion.chunk", "created": 1_763_000_000}
    head |= {"model": model, "service_tier": "default", "system_fingerprint": "fp_1", "obfuscation": "xyz"}
    wanted = (body.get("stream_options") or {}).get("include_usage")
    extra: dict[str, Any] = {"usage": None} if wanted else {}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return None, head | {"choices": [choice]} | extra

    events: list[Event] = []
    if reply.style.empty_first:
        filters = [{"prompt_index": 0, "content_filter_results": {}}]
        events.append((None, {"id": "", "object": "", "model": "", "choices": [], "prompt_filter_results": filters}))
    events.append(chunk({"role": "assistant", "content": None if reply.calls else "", "refusal": None}))
    number = 0
    calls = _written_calls(reply, identify)
    for part in reply.parts:
        if isinstance(part, Call):
            if not reply.style.whole_calls:
                events += [chunk({"tool_calls": [delta]}) for delta in _call_deltas(calls[number], number)]
            number += 1
        else:
            names: dict[type, str | None] = {Say: "content", Decline: "refusal", Think: thoughts}
            if (name := names.get(type(part))) is not None:
                events += [chunk({name: piece}) for piece in pieces(part.text)]
    if reply.style.whole_calls:
        whole = [call | {"index": index} for index, call in enumerate(calls)]
        _, last = chunk({"content": "", "tool_calls": whole} if whole else {"content": ""}, _finish(reply))
        events.append((None, last | {"usage": usage_of(reply.spent)}))
    else:
        events.append(chunk({}, _finish(reply)))
        if wanted:
            events.append((None, head | {"choices": [], "usage": usage_of(reply.spent)}))
    return [*events, (None, "[DONE]")]


def _call_deltas(call: dict[str, Any], index: int) -> list[dict[str, Any]]:
    arguments = call["function"]["arguments"]
    first = call | {"index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
    return [first, *({"index": index, "function": {"arguments": piece}} for piece in pieces(arguments))]
