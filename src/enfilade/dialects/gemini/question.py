"""A caller's request as a Conversation."""

from collections.abc import Callable
from typing import Any

import msgspec

from enfilade.core.messages import Conversation, ResponseFormat, Text, Thinking
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.errors import MissingField, WrongType
from enfilade.dialects.gemini.contents import Contents, detail_of
from enfilade.dialects.gemini.fields import (
    camelled,
    flag_at,
    number_at,
    object_at,
    text_at,
    texts_at,
    whole_at,
    word_at,
    wrong,
)
from enfilade.dialects.gemini.schema import json_schema
from enfilade.dialects.gemini.tools import read_choice, read_tools

CONFIG = "generationConfig"
FIELD_NAMES = {
    "system": "systemInstruction",
    "tool_choice": "toolConfig.functionCallingConfig",
    "max_output_tokens": f"{CONFIG}.maxOutputTokens",
    "temperature": f"{CONFIG}.temperature",
    "top_p": f"{CONFIG}.topP",
    "top_k": f"{CONFIG}.topK",
    "stop": f"{CONFIG}.stopSequences",
    "seed": f"{CONFIG}.seed",
    "frequency_penalty": f"{CONFIG}.frequencyPenalty",
    "presence_penalty": f"{CONFIG}.presencePenalty",
    "logprobs": f"{CONFIG}.responseLogprobs",
    "choices": f"{CONFIG}.candidateCount",
    "response_format": f"{CONFIG}.responseSchema",
    "thinking": f"{CONFIG}.thinkingConfig",
    "modalities": f"{CONFIG}.responseModalities",
    "service_tier": "serviceTier",
    "metadata": "labels",
}
"""What callers call the settings of the neutral form."""

_HARMLESS = frozenset({"model", "store"})
_READ = frozenset({"contents", "systemInstruction", "tools", "toolConfig", CONFIG, "serviceTier", "labels"})
_MEANS_NOTHING: tuple[object, ...] = (False, "", [], {})
_NUMBERS: dict[str, tuple[str, Callable[[dict[str, Any], str, str], Any]]] = {
    "temperature": ("temperature", number_at),
    "topP": ("top_p", number_at),
    "topK": ("top_k", whole_at),
    "maxOutputTokens": ("max_output_tokens", whole_at),
    "candidateCount": ("choices", whole_at),
    "seed": ("seed", whole_at),
    "presencePenalty": ("presence_penalty", number_at),
    "frequencyPenalty": ("frequency_penalty", number_at),
}
_CONFIG_READ = frozenset(_NUMBERS) | {
    "stopSequences",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseLogprobs",
    "logprobs",
    "thinkingConfig",
    "responseModalities",
    "mediaResolution",
}


def read_conversation(fields: dict[str, msgspec.Raw]) -> Conversation:
    """What is asked. Raises WrongType, MissingField."""
    try:
        return conversation_of(msgspec.json.decode(ENCODER.encode(fields)))
    except (RecursionError, msgspec.DecodeError):
        message = "The body is nested too deeply."
        raise WrongType(message) from None


def conversation_of(request: dict[str, Any]) -> Conversation:
    """The same from decoded fields. Raises WrongType, MissingField, RecursionError."""
    given = camelled(request, "request")
    if "contents" not in given:
        message = "`contents` is required."
        raise MissingField(message, param="contents")
    config = object_at(given.get(CONFIG, {}), CONFIG)
    contents = Contents(detail_of(config.get("mediaResolution")))
    system = _system(contents, given.get("systemInstruction"))
    contents.take(given["contents"])
    foreign = [name for name in given if name not in _READ and name not in _HARMLESS and _counts(name, given[name])]
    tools = read_tools(given.get("tools"), contents)
    choice = read_choice(given.get("toolConfig"), contents)
    settings = _settings(config, contents)
    labels = given.get("labels")
    if labels is not None and not isinstance(labels, dict):
        raise wrong("labels", "an object")
    return Conversation(
        messages=tuple(contents.messages),
        system=system,
        tools=tools,
        tool_choice=choice,
        service_tier=_tier(given),
        metadata=labels or None,
        harmless=(*(name for name in given if name in _HARMLESS), *contents.harmless),
        foreign=(*foreign, *contents.foreign),
        **settings,
    )


def _counts(name: str, value: object) -> bool:
    """Whether a field that has no place here may change the answer."""
    return not name.startswith("x_") and value not in _MEANS_NOTHING


def _system(contents: Contents, value: object) -> tuple[Text, ...]:
    if value is None:
        return ()
    where = "systemInstruction"
    if isinstance(value, dict) and "parts" not in value and "text" not in value and "role" in value:
        value = []
    parts = contents.parts(value["parts"] if isinstance(value, dict) and "parts" in value else value, where)
    texts = tuple(part for part in parts if isinstance(part, Text))
    if len(texts) != len(parts):
        raise wrong(where, "text alone")
    return texts


def _tier(given: dict[str, Any]) -> str | None:
    tier = text_at(given, "serviceTier", "")
    return None if tier is None else {"unspecified": None, "standard": "default"}.get(tier.lower(), tier.lower())


def _settings(config: dict[str, Any], contents: Contents) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (neutral, reader) in _NUMBERS.items():
        value = reader(config, name, CONFIG)
        if value is not None:
            found[neutral] = value
    found["stop"] = texts_at(config, "stopSequences", CONFIG)
    found["logprobs"] = _logprobs(config)
    found["thinking"] = _thinking(config.get("thinkingConfig"), contents)
    found["response_format"] = _response_format(config, contents)
    words = texts_at(config, "responseModalities", CONFIG)
    found["modalities"] = tuple(word.lower() for word in words if word.upper() not in {"TEXT", "MODALITY_UNSPECIFIED"})
    contents.foreign += [
        f"{CONFIG}.{name}" for name, value in config.items() if name not in _CONFIG_READ and _counts(name, value)
    ]
    return found


def _logprobs(config: dict[str, Any]) -> int | None:
    alternatives = whole_at(config, "logprobs", CONFIG)
    return (alternatives or 0) if flag_at(config, "responseLogprobs", CONFIG) else None


def _thinking(value: object, contents: Contents) -> Thinking | None:
    if value is None:
        return None
    where = f"{CONFIG}.thinkingConfig"
    fields = object_at(value, where)
    contents.foreign += [
        f"{where}.{name}"
        for name in fields
        if name not in {"thinkingBudget", "thinkingLevel", "includeThoughts"} and _counts(name, fields[name])
    ]
    budget = whole_at(fields, "thinkingBudget", where)
    level = word_at(fields, "thinkingLevel", where, "THINKING_LEVEL_UNSPECIFIED")
    shown = flag_at(fields, "includeThoughts", where)
    enabled = None if budget is None else budget != 0
    found = Thinking(
        enabled=enabled,
        effort=level.lower() if level else None,
        budget_tokens=budget if budget is not None and budget > 0 else None,
        shown=shown,
    )
    return None if found == Thinking() else found


def _response_format(config: dict[str, Any], contents: Contents) -> ResponseFormat | None:
    media_type = text_at(config, "responseMimeType", CONFIG)
    schema = config.get("responseJsonSchema")
    if schema is not None and not isinstance(schema, dict):
        raise wrong(f"{CONFIG}.responseJsonSchema", "an object")
    if schema is None and "responseSchema" in config:
        schema = json_schema(config["responseSchema"], f"{CONFIG}.responseSchema")
    if media_type in {None, "", "text/plain"}:
        return ResponseFormat("text") if media_type == "text/plain" and schema is None else _schema_format(schema)
    if media_type != "application/json":
        contents.foreign.append(f"{CONFIG}.responseMimeType")
        return None
    return _schema_format(schema) or ResponseFormat("json")


def _schema_format(schema: dict[str, Any] | None) -> ResponseFormat | None:
    return None if schema is None else ResponseFormat("schema", schema)
