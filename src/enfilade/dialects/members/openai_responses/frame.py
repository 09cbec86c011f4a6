"""The response object around an answer: it tells the caller's own settings again, as the service does."""

from typing import Any

import msgspec

from enfilade.core.messages import Finish, Refusal
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import is_given, raw_json
from enfilade.dialects.json_text import in_one_line
from enfilade.dialects.members.openai_responses.stamps import conversation_of
from enfilade.dialects.members.openai_responses.usage import usage_object
from enfilade.dialects.types import Request

_DEFAULTS: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""The request's fields that a response tells again, and what they are when the caller said nothing."""
_ECHOED = {name: raw_json(default) for name, default in _DEFAULTS.items()}
_FORMATLESS = b'"format"'
_INCOMPLETE = {
    Finish.LENGTH: "max_output_tokens",
    Finish.CONTENT_FILTER: "content_filter",
    Finish.REFUSAL: "content_filter",
}


def answer_id(asked: Request, otherwise: str) -> str:
    """Under which id the caller is answered; `otherwise` is the call's id, or what the provider calls the answer."""
    if asked.answer_id is not None:
        return asked.answer_id
    return otherwise if otherwise.startswith("resp_") else "resp_" + otherwise.replace("-", "")


def base_of(identifier: str) -> str:
    """What the ids of the answer's items are made of."""
    return identifier.removeprefix("resp_")


def frame(asked: Request, identifier: str, model: str, created_s: int) -> dict[str, Any]:
    """A response that has begun."""
    fields: dict[str, Any] = {
        "id": identifier,
        "object": "response",
        "created_at": created_s,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model or asked.model,
        "output": [],
        "usage": None,
        "store": asked.answer_id is not None,
        "conversation": conversation_of(asked),
    }
    given = asked.fields
    for name, default in _ECHOED.items():
        raw = given.get(name)
        fields[name] = msgspec.Raw(in_one_line(bytes(raw))) if raw is not None and is_given(raw) else default
    text = given.get("text")
    if text is not None and is_given(text) and _FORMATLESS not in bytes(text):
        fields["text"] = {"format": {"type": "text"}} | msgspec.json.decode(text)
    return fields


def ending(finish: Finish, output: list[Any], *, refused: bool) -> dict[str, Any]:
    """What the end of an answer says; one in which the model declined in its own words is complete."""
    fields: dict[str, Any] = {"status": "completed", "output": output}
    if finish is Finish.ERROR:
        error = {"code": "server_error", "message": "The model could not finish its answer."}
        fields |= {"status": "failed", "error": error}
    elif (reason := _INCOMPLETE.get(finish)) is not None and not (finish is Finish.REFUSAL and refused):
        fields |= {"status": "incomplete", "incomplete_details": {"reason": reason}}
    return fields


def used(usage: Usage | None, service_tier: str | None) -> dict[str, Any]:
    """What is known only at the end."""
    fields: dict[str, Any] = {"usage": None if usage is None else usage_object(usage)}
    return fields if service_tier is None else fields | {"service_tier": service_tier}


def is_refusal(part: object) -> bool:
    """Whether the model declined in its own words."""
    return isinstance(part, Refusal)
