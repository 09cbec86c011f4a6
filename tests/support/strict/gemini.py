"""Gemini as a service: https://ai.google.dev/api/generate-content."""

import json
from typing import Any

from tests.support.strict.signing import sealed
from tests.support.strict.streams import Event, pieces
from tests.support.strict.types import Call, Failure, Hide, Part, Refused, Reply, Spent, Think

COUNTED = 23
FAILURES = {
    "rate": (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota for project 4711."),
    "quota": (429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
    "overloaded": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "key": (400, "INVALID_ARGUMENT", "API key not valid: {key}. Please pass a valid API key."),
    "context": (
        400,
        "INVALID_ARGUMENT",
        "The input token count (1210000) exceeds the maximum number of tokens allowed (1048575).",
    ),
    "filter": (400, "INVALID_ARGUMENT", "The request was blocked by safety settings."),
    "field": (400, "INVALID_ARGUMENT", "Invalid value at 'generation_config.max_output_tokens': 99999999"),
    "model": (404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta."),
    "server": (500, "INTERNAL", "An internal error has occurred at {url}."),
    "timeout": (504, "DEADLINE_EXCEEDED", "The request took too long."),
}


def failure_body(status: int, word: str, message: str, details: list[Any] | None = None) -> dict[str, Any]:
    """An error as Google writes it."""
    error: dict[str, Any] = {"code": status, "message": message, "status": word}
    return {"error": error | ({"details": details} if details else {})}


def refused(error: Refused) -> tuple[int, dict[str, Any]]:
    """The same for a body that was refused."""
    return error.status, failure_body(error.status, "INVALID_ARGUMENT", error.message)


def failed(failure: Failure, key: str, url: str) -> tuple[int, dict[str, Any]]:
    """The same for a failure: when to try again stands in the body."""
    status, word, message = FAILURES[failure.kind]
    details: list[Any] = []
    if failure.retry_after is not None:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        details.append({"@type": kind, "retryDelay": f"{failure.retry_after}s"})
    if failure.kind == "key":
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        details.append({"@type": kind, "reason": "API_KEY_INVALID", "domain": "googleapis.com"})
    return status, failure_body(status, word, message.format(key=key, url=url), details)


def failure_event(body: dict[str, Any]) -> Event:
    """An error inside a stream."""
    return None, body


def usage_of(spent: Spent) -> dict[str, Any]:
    """What was used, as Google counts: the thoughts stand apart from the answer."""
    return {
        "promptTokenCount": spent.input,
        "cachedContentTokenCount": spent.cached,
        "candidatesTokenCount": spent.output - spent.reasoning,
        "thoughtsTokenCount": spent.reasoning,
        "totalTokenCount": spent.input + spent.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": spent.input}],
    }


def _finish(reply: Reply) -> str:
    return {"stop": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY", "refusal": "PROHIBITED_CONTENT"}[reply.finish]


def _parts(reply: Reply, *, streamed: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    first = True
    for part in reply.parts:
        if isinstance(part, Hide):
            continue
        if isinstance(part, Call):
            made: dict[str, Any] = {"functionCall": {"name": part.name, "args": part.arguments}}
            if first:
                made["thoughtSignature"] = sealed([part.name, part.arguments])
            first = False
            found.append(made)
            continue
        texts = pieces(part.text) if streamed else [part.text]
        found += [_text(part, text) for text in texts]
    if found and reply.spent.reasoning and not reply.calls and "text" in found[-1]:
        found[-1]["thoughtSignature"] = sealed("text")
    return found


def _text(part: Part, text: str) -> dict[str, Any]:
    return {"text": text, "thought": True} if isinstance(part, Think) else {"text": text}


def _frame(model: str, reply: Reply) -> dict[str, Any]:
    return {"modelVersion": model, "responseId": f"resp-{reply.serial}"}


def content_reply(reply: Reply, model: str) -> dict[str, Any]:
    """The answer in one piece; a prompt that is blocked has no candidates."""
    content = {"role": "model", "parts": _parts(reply, streamed=False)}
    candidate = {"content": content, "finishReason": _finish(reply), "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage_of(reply.spent), **_frame(model, reply)}


def content_events(reply: Reply, model: str) -> list[Event]:
    """The same in chunks, each with what was used so far."""
    events: list[Event] = []
    usage = usage_of(reply.spent)
    for part in _parts(reply, streamed=True):
        candidate = {"content": {"role": "model", "parts": [part]}, "index": 0}
        so_far = {"promptTokenCount": usage["promptTokenCount"], "totalTokenCount": usage["promptTokenCount"]}
        events.append((None, {"candidates": [candidate], "usageMetadata": so_far, **_frame(model, reply)}))
    last = {"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": _finish(reply), "index": 0}
    events.append((None, {"candidates": [last], "usageMetadata": usage, **_frame(model, reply)}))
    return events


def content_array(events: list[Event]) -> bytes:
    """The same without `alt=sse`."""
    return json.dumps([data for _, data in events]).encode()


def embed_reply(body: dict[str, Any]) -> dict[str, Any]:
    """A vector for each content."""
    if "requests" not in body:
        return {"embedding": {"values": [0.5] * body.get("outputDimensionality", 3)}}
    vectors = [
        {"values": [index + 0.5] * entry.get("outputDimensionality", 3)} for index, entry in enumerate(body["requests"])
    ]
    return {"embeddings": vectors}
