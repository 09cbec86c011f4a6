"""As much of a provider's reply, or of a chunk of it, as has a neutral meaning."""

import contextlib
import re
from typing import Any

import msgspec

from enfilade.core.messages import Finish
from enfilade.core.unreadable import UNREADABLE
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import NOTHING
from enfilade.dialects.openai.usage import CHAT
from enfilade.dialects.usage import with_searches


class Called(msgspec.Struct, gc=False):
    """A function with its arguments, which some services write as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CustomCalled(msgspec.Struct, gc=False):
    """A free-text tool with its input."""

    name: str | None = None
    input: str | None = None


class Call(msgspec.Struct, gc=False):
    """A tool call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Called | None = None
    custom: CustomCalled | None = None
    extra_content: Any = None


class Said(msgspec.Struct, gc=False):
    """A message, or the growth of one."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Called | None = None
    annotations: Any = None
    images: Any = None
    audio: Any = None
    extra_content: Any = None


class Choice(msgspec.Struct, gc=False):
    """One answer; only the first is translated."""

    index: int | None = None
    message: Said | None = None
    delta: Said | None = None
    finish_reason: Any = None
    stop_reason: Any = None
    logprobs: Any = None


class Groq(msgspec.Struct, gc=False):
    """Groq's own place for usage."""

    usage: msgspec.Raw = NOTHING


class Reply(msgspec.Struct, gc=False):
    """A reply or a chunk."""

    choices: list[Choice] | None = None
    usage: msgspec.Raw = NOTHING
    id: str | None = None
    created: int | float | None = None
    model: str | None = None
    service_tier: str | None = None
    error: Any = None
    x_groq: msgspec.Raw = NOTHING


REPLY = msgspec.json.Decoder(Reply)
_GROQ = msgspec.json.Decoder(Groq)
_SEARCHES = re.compile(r"gpt-[\w.-]*-search-(?:preview|api)")
"""OpenAI's models that search once for each completion, and do not count it in their usage."""
DONE = b"data: [DONE]\n\n"

FINISHES = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "content_filter": Finish.CONTENT_FILTER,
    "error": Finish.ERROR,
}
FINISH_REASONS = {
    Finish.STOP: "stop",
    Finish.LENGTH: "length",
    Finish.TOOL_CALLS: "tool_calls",
    Finish.CONTENT_FILTER: "content_filter",
    Finish.REFUSAL: "content_filter",
    Finish.PAUSE: "stop",
    Finish.ERROR: "error",
}


def usage_of(usage: msgspec.Raw, groq: msgspec.Raw, model: str | None) -> Usage | None:
    """What a reply says was used."""
    found = CHAT.read(usage) if usage else None
    if found is None and groq:
        with contextlib.suppress(*UNREADABLE):
            found = CHAT.read(_GROQ.decode(groq).usage)
    if found is not None and model is not None and "-search-" in model and _SEARCHES.search(model):
        return with_searches(found, 1)
    return found


def finish_of(reason: object, *, refused: bool) -> Finish:
    """Why it ended: reasons that are unknown, empty or missing are a plain stop."""
    finish = FINISHES.get(reason, Finish.STOP) if isinstance(reason, str) else Finish.STOP
    return Finish.REFUSAL if refused and finish is Finish.STOP else finish


def reason_of(finish: Finish, *, refused: bool, older: bool) -> str:
    """What callers are told; a refusal that has its own words is a plain stop, as OpenAI has it."""
    if refused and finish is Finish.REFUSAL:
        return "stop"
    return "function_call" if older and finish is Finish.TOOL_CALLS else FINISH_REASONS[finish]


def tokens_of(logprobs: Any) -> tuple[dict[str, Any], ...]:
    """The content's entries; forms of other services are none."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    return tuple(entry for entry in content if isinstance(entry, dict)) if isinstance(content, list) else ()


def arguments_text(arguments: str | dict[str, Any] | None) -> str:
    """Arguments as JSON text, exactly as the model wrote them where the service says so."""
    if isinstance(arguments, dict):
        return msgspec.json.encode(arguments).decode()
    return arguments or ""


def pieces_of(content: str | list[Any] | None) -> list[tuple[bool, str]]:
    """The content's texts in order, each with whether it is reasoning: Mistral writes an array that holds both."""
    if isinstance(content, str):
        return [(False, content)]
    found: list[tuple[bool, str]] = []
    for chunk in content or ():
        if not isinstance(chunk, dict):
            continue
        if chunk.get("type") == "thinking":
            found.extend((True, words) for _, words in _inner(chunk.get("thinking")))
        elif isinstance(chunk.get("text"), str):
            found.append((False, chunk["text"]))
    return found


def _inner(thinking: object) -> list[tuple[bool, str]]:
    if isinstance(thinking, str):
        return [(True, thinking)]
    return [
        (True, chunk["text"])
        for chunk in (thinking if isinstance(thinking, list) else ())
        if isinstance(chunk, dict) and isinstance(chunk.get("text"), str)
    ]
