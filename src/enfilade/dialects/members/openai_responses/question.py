"""A caller's request in the neutral form."""

from typing import Any

from enfilade.core.messages import Conversation, Message, ResponseFormat, Role, Text, Thinking
from enfilade.dialects.bodies import is_given, read_any
from enfilade.dialects.errors import WrongType
from enfilade.dialects.members.openai_responses.items import Turns
from enfilade.dialects.members.openai_responses.reading import Notes, typed
from enfilade.dialects.members.openai_responses.tools import read_choice, read_tools
from enfilade.dialects.types import Request

_PLAIN: dict[str, tuple[str, type]] = {
    "temperature": ("temperature", float),
    "top_p": ("top_p", float),
    "parallel_tool_calls": ("parallel_tool_calls", bool),
    "service_tier": ("service_tier", str),
    "metadata": ("metadata", dict),
    "prompt_cache_key": ("cache_key", str),
    "prompt_cache_retention": ("cache_life", str),
}
"""Settings whose values are the same in the neutral form."""
_READ = frozenset(
    {
        *_PLAIN,
        "model",
        "stream",
        "input",
        "instructions",
        "max_output_tokens",
        "tools",
        "tool_choice",
        "text",
        "reasoning",
        "include",
        "top_logprobs",
        "user",
        "safety_identifier",
        "store",
        "previous_response_id",
        "conversation",
        "background",
    }
)
_HARMLESS = frozenset(
    {
        "background_options",
        "image",
        "max_tool_calls",
        "prompt_cache_options",
        "stream_options",
        "truncation",
    }
)
"""They are about what the provider runs, keeps or hides, and about input that is too long."""
_REASONING = frozenset({"effort", "summary", "generate_summary"})
_REASONING_HARMLESS = frozenset({"context"})
_TEXT = frozenset({"format", "verbosity"})
_FORMAT = frozenset({"type", "name", "schema", "description", "strict"})
_LOGPROBS = "message.output_text.logprobs"


def conversation_of(request: Request) -> Conversation:
    """What is asked. Raises WrongType, MissingField."""
    notes = Notes()
    fields = {name: read_any(raw, name) for name, raw in request.fields.items() if is_given(raw)}
    notes.check(fields, _READ, "", harmless=_HARMLESS)
    changes: dict[str, Any] = {
        neutral: typed(fields[name], kind, name) for name, (neutral, kind) in _PLAIN.items() if name in fields
    }
    if "instructions" in fields:
        changes["system"] = (Text(typed(fields["instructions"], str, "instructions")),)
    if "tools" in fields:
        changes["tools"] = read_tools(typed(fields["tools"], list, "tools"), notes)
    if "tool_choice" in fields:
        changes["tool_choice"] = read_choice(fields["tool_choice"], notes)
    if "reasoning" in fields:
        changes["thinking"] = _thinking(typed(fields["reasoning"], dict, "reasoning"), notes)
    if "text" in fields:
        _read_text(typed(fields["text"], dict, "text"), notes, changes)
    _read_user(fields, notes, changes)
    _read_logprobs(fields, notes, changes)
    return Conversation(
        messages=_messages(fields.get("input"), notes),
        max_output_tokens=request.max_output,
        harmless=tuple(notes.harmless),
        foreign=tuple(notes.foreign),
        **changes,
    )


def _messages(given: Any, notes: Notes) -> tuple[Message, ...]:
    if isinstance(given, str):
        return (Message(Role.USER, (Text(given),)),)
    return Turns(notes).take(typed(given, list, "input", optional=True) or [])


def _thinking(given: dict[str, Any], notes: Notes) -> Thinking | None:
    mode = typed(given.get("mode"), str, "reasoning.mode", optional=True)
    plain = {name: value for name, value in given.items() if not (name == "mode" and mode == "standard")}
    notes.check(plain, _REASONING, "reasoning", harmless=_REASONING_HARMLESS)
    effort = typed(given.get("effort"), str, "reasoning.effort", optional=True)
    summary = typed(given.get("summary"), str, "reasoning.summary", optional=True)
    if summary is None:
        summary = typed(given.get("generate_summary"), str, "reasoning.generate_summary", optional=True)
    if effort is None and summary is None:
        return None
    return Thinking(
        enabled=False if effort == "none" else None,
        effort=effort,
        shown=True if summary is not None else None,
        summary=summary,
    )


def _read_text(given: dict[str, Any], notes: Notes, changes: dict[str, Any]) -> None:
    notes.check(given, _TEXT, "text")
    changes["verbosity"] = typed(given.get("verbosity"), str, "text.verbosity", optional=True)
    form = typed(given.get("format"), dict, "text.format", optional=True)
    if form is None:
        return
    notes.check(form, _FORMAT, "text.format")
    kind = typed(form.get("type"), str, "text.format.type")
    if kind == "json_schema":
        changes["response_format"] = ResponseFormat(
            "schema",
            typed(form.get("schema"), dict, "text.format.schema"),
            typed(form.get("name"), str, "text.format.name"),
            typed(form.get("description"), str, "text.format.description", optional=True),
            typed(form.get("strict"), bool, "text.format.strict", optional=True),
        )
    elif kind == "json_object":
        changes["response_format"] = ResponseFormat("json")
    elif kind == "text":
        changes["response_format"] = ResponseFormat("text")
    else:
        message = "`text.format.type` must be `text`, `json_object` or `json_schema`."
        raise WrongType(message, param="text.format.type")


def _read_user(fields: dict[str, Any], notes: Notes, changes: dict[str, Any]) -> None:
    """The end user: by the newer field, where both are given."""
    newer = typed(fields.get("safety_identifier"), str, "safety_identifier", optional=True)
    older = typed(fields.get("user"), str, "user", optional=True)
    if newer is not None and older is not None and newer != older:
        notes.harmless["user"] = None
    changes["user"] = older if newer is None else newer


def _read_logprobs(fields: dict[str, Any], notes: Notes, changes: dict[str, Any]) -> None:
    """Log probabilities come when they are included; other things that may be included are of the provider's tools."""
    top = typed(fields.get("top_logprobs"), int, "top_logprobs", optional=True)
    included = typed(fields.get("include"), list, "include", optional=True) or []
    if _LOGPROBS in included:
        changes["logprobs"] = top or 0
    elif top:
        notes.harmless["top_logprobs"] = None
