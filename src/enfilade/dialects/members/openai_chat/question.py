"""A caller's request in the neutral form."""

from collections.abc import Callable
from typing import Any

import msgspec

from enfilade.core.messages import Conversation, ResponseFormat, Thinking, ToolChoice
from enfilade.dialects.bodies import read, read_any
from enfilade.dialects.checks import entries, flag, is_void, number, obj, text, unknown, whole, wrong
from enfilade.dialects.members.openai_chat import tools
from enfilade.dialects.members.openai_chat.turns import MESSAGES, TurnReader
from enfilade.dialects.types import Request

_ELSEWHERE = frozenset(
    {"model", MESSAGES, "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "top_logprobs"}
)
"""Read by `parse`, or together with another field."""
HARMLESS = frozenset({"store", "prediction", "prompt_cache_options"})
"""Fields without which the answer is the same: it is kept elsewhere, or comes faster."""
NUMBERS = frozenset({"temperature", "top_p", "frequency_penalty", "presence_penalty"})


class _Reading:
    """What has been read of one request."""

    __slots__ = ("fields", "foreign", "harmless", "settings")

    def __init__(self, fields: dict[str, msgspec.Raw]) -> None:
        self.fields = fields
        self.settings: dict[str, Any] = {}
        self.harmless: list[str] = []
        self.foreign: list[str] = []


Reader = Callable[[Any, str, _Reading], None]


def question_of(request: Request) -> Conversation:
    """The request as a conversation. Raises WrongType."""
    reading = _Reading(request.fields)
    for name, raw in request.fields.items():
        if name in _ELSEWHERE:
            continue
        value = read(request.fields, name, float) if name in NUMBERS else read_any(raw, name)
        if value is None:
            continue
        if (reader := _READERS.get(name)) is not None:
            reader(value, name, reading)
        elif name in HARMLESS:
            if value is not False:
                reading.harmless.append(name)
        elif not is_void(name, value):
            reading.foreign.append(name)
    turns = TurnReader()
    turns.read(read_any(request.fields[MESSAGES], MESSAGES))
    return Conversation(
        tuple(turns.turns),
        tuple(turns.system),
        max_output_tokens=request.max_output,
        choices=request.choices,
        harmless=(*reading.harmless, *turns.harmless),
        foreign=(*reading.foreign, *turns.foreign),
        **reading.settings,
    )


def _plain(setting: str, check: Callable[[object, str], object]) -> Reader:
    def read(value: object, name: str, reading: _Reading) -> None:
        reading.settings[setting] = check(value, name)

    return read


def _stop(value: object, name: str, reading: _Reading) -> None:
    if isinstance(value, str):
        reading.settings["stop"] = (value,)
        return
    if not isinstance(value, list):
        wrong(name, "a string, or an array of strings")
    reading.settings["stop"] = tuple(text(entry, f"{name}[{position}]") for position, entry in enumerate(value))


def _logit_bias(value: object, name: str, reading: _Reading) -> None:
    held = obj(value, name)
    reading.settings["logit_bias"] = {token: number(bias, f"{name}.{token}") for token, bias in held.items()}


def _logprobs(value: object, name: str, reading: _Reading) -> None:
    raw = reading.fields.get("top_logprobs")
    alternatives = None if raw is None else read_any(raw, "top_logprobs")
    if flag(value, name):
        reading.settings["logprobs"] = 0 if alternatives is None else whole(alternatives, "top_logprobs")


def _tools(value: object, name: str, reading: _Reading) -> None:
    reading.settings["tools"] = (*reading.settings.get("tools", ()), *tools.tools(value, name, reading.foreign))


def _functions(value: object, name: str, reading: _Reading) -> None:
    """The older form of tools, in which a message calls one function at most."""
    found = tuple(
        tools.function(obj(entry, f"{name}[{position}]"), f"{name}[{position}]", reading.foreign)
        for position, entry in enumerate(entries(value, name))
    )
    reading.settings["tools"] = (*reading.settings.get("tools", ()), *found)
    if found and "tools" not in reading.fields:
        reading.settings["parallel_tool_calls"] = False


def _function_call(value: object, name: str, reading: _Reading) -> None:
    reading.settings.setdefault("tool_choice", tools.older_choice(value, name))


def _choice(value: object, name: str) -> ToolChoice:
    return tools.choice(value, name)


_FORMAT = frozenset({"type", "json_schema"})
_SCHEMA = frozenset({"name", "description", "schema", "strict"})


def _response_format(value: object, name: str, reading: _Reading) -> None:
    held = obj(value, name)
    reading.foreign += unknown(held, _FORMAT, name)
    kind = held.get("type")
    if kind in ("text", "json_object"):
        reading.settings["response_format"] = ResponseFormat("text" if kind == "text" else "json")
        return
    if kind != "json_schema":
        wrong(f"{name}.type", "`text`, `json_object` or `json_schema`")
    place = f"{name}.json_schema"
    inner = obj(held.get("json_schema"), place)
    reading.foreign += unknown(inner, _SCHEMA, place)
    words = {key: text(inner[key], f"{place}.{key}") for key in ("name", "description") if inner.get(key) is not None}
    reading.settings["response_format"] = ResponseFormat(
        "schema",
        obj(inner["schema"], f"{place}.schema") if inner.get("schema") is not None else None,
        words.get("name"),
        words.get("description"),
        flag(inner["strict"], f"{place}.strict") if inner.get("strict") is not None else None,
    )


def _effort(value: object, name: str, reading: _Reading) -> None:
    _think(reading, effort=text(value, name))


def _reasoning(value: object, name: str, reading: _Reading) -> None:
    """`reasoning` as OpenRouter has it, the only way in this dialect to say a budget."""
    held = obj(value, name)
    reading.foreign += unknown(held, frozenset(_REASONING), name)
    for key, (setting, check) in _REASONING.items():
        if held.get(key) is not None:
            said = check(held[key], f"{name}.{key}")
            _think(reading, **{setting: not said if key == "exclude" else said})


_REASONING: dict[str, tuple[str, Callable[[object, str], object]]] = {
    "enabled": ("enabled", flag),
    "effort": ("effort", text),
    "max_tokens": ("budget_tokens", whole),
    "exclude": ("shown", flag),
    "summary": ("summary", text),
}


def _think(reading: _Reading, **said: Any) -> None:
    thinking = reading.settings.get("thinking") or Thinking()
    reading.settings["thinking"] = msgspec.structs.replace(thinking, **said)


def _modalities(value: object, name: str, reading: _Reading) -> None:
    wanted = tuple(text(entry, f"{name}[{position}]") for position, entry in enumerate(entries(value, name)))
    reading.settings["modalities"] = tuple(kind for kind in wanted if kind != "text")


def _user(value: object, name: str, reading: _Reading) -> None:
    """`safety_identifier` has taken the place of `user`, which still means other things too."""
    said = text(value, name)
    if "user" in reading.settings:
        reading.harmless.append("user")
        if name == "user":
            return
    reading.settings["user"] = said


_READERS: dict[str, Reader] = {
    "temperature": _plain("temperature", number),
    "top_p": _plain("top_p", number),
    "top_k": _plain("top_k", whole),
    "seed": _plain("seed", whole),
    "frequency_penalty": _plain("frequency_penalty", number),
    "presence_penalty": _plain("presence_penalty", number),
    "parallel_tool_calls": _plain("parallel_tool_calls", flag),
    "verbosity": _plain("verbosity", text),
    "service_tier": _plain("service_tier", text),
    "metadata": _plain("metadata", obj),
    "prompt_cache_key": _plain("cache_key", text),
    "prompt_cache_retention": _plain("cache_life", text),
    "tool_choice": _plain("tool_choice", _choice),
    "stop": _stop,
    "logit_bias": _logit_bias,
    "logprobs": _logprobs,
    "tools": _tools,
    "functions": _functions,
    "function_call": _function_call,
    "response_format": _response_format,
    "reasoning_effort": _effort,
    "reasoning": _reasoning,
    "modalities": _modalities,
    "user": _user,
    "safety_identifier": _user,
}


def speaks_older_form(request: Request) -> bool:
    """Whether the caller gave its tools in the older form, and so waits for a `function_call`."""
    return "functions" in request.fields and "tools" not in request.fields
