"""Google's own schemas, a subset of OpenAPI 3.0 with upper-case types, as JSON schemas."""

from collections.abc import Callable
from typing import Any

from enfilade.dialects.gemini.fields import entries_at, object_at

_COUNTS = frozenset({"maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"})
_DROPPED = frozenset({"propertyOrdering", "example", "nullable"})
"""What has no word of the same meaning; `nullable` becomes a type."""


def json_schema(schema: object, where: str) -> dict[str, Any]:
    """A schema in JSON Schema's words. Raises WrongType."""
    fields = object_at(schema, where)
    found = {
        _NAMES.get(name, name): _value(name, value, where) for name, value in fields.items() if name not in _DROPPED
    }
    if "example" in fields:
        found["examples"] = [fields["example"]]
    if fields.get("nullable") is True:
        _allow_null(found)
    return found


_NAMES = {"ref": "$ref", "defs": "$defs"}


def _value(name: str, value: Any, where: str) -> Any:
    reader = _READERS.get(name)
    if reader is not None:
        return reader(value, f"{where}.{name}")
    if name in _COUNTS and isinstance(value, str) and value.isdecimal():
        return int(value)  # Google's JSON writes 64-bit numbers as strings.
    return value


def _type(value: Any, where: str) -> Any:
    if isinstance(value, str):
        return value.lower()
    return [str(entry).lower() for _, entry in entries_at(value, where)]


def _named(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        return object_at(value, where)
    return {name: json_schema(entry, f"{where}.{name}") for name, entry in value.items()}


def _several(value: Any, where: str) -> list[dict[str, Any]]:
    return [json_schema(entry, path) for path, entry in entries_at(value, where)]


def _one_or_flag(value: Any, where: str) -> Any:
    return json_schema(value, where) if isinstance(value, dict) else value


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "type": _type,
    "items": _one_or_flag,
    "additionalProperties": _one_or_flag,
    "properties": _named,
    "defs": _named,
    "$defs": _named,
    "anyOf": _several,
}


def _allow_null(schema: dict[str, Any]) -> None:
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
        if isinstance(schema.get("enum"), list):
            schema["enum"] = [*schema["enum"], None]
    elif isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
