"""JSON schemas for structured output, as Anthropic's services take them: closed, and without the bounds they refuse.

What is taken out of a schema goes into its description, as Anthropic's own SDK does.
"""

from typing import Any

from enfilade.dialects.bodies import ENCODER

_REFUSED = frozenset(
    [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    ]
)
_MANY = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_ONE = ("items",)


def closed_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as it may be sent. What it allows is never more than before."""
    root = dict(schema)
    pending = [root]
    while pending:
        found = pending.pop()
        _close(found)
        for name in _MANY:
            if isinstance(inner := found.get(name), dict):
                found[name] = copies = {key: dict(v) if isinstance(v, dict) else v for key, v in inner.items()}
                pending.extend(value for value in copies.values() if isinstance(value, dict))
        for name in _LISTS:
            if isinstance(entries := found.get(name), list):
                found[name] = copied = [dict(entry) if isinstance(entry, dict) else entry for entry in entries]
                pending.extend(entry for entry in copied if isinstance(entry, dict))
        for name in _ONE:
            if isinstance(inner := found.get(name), dict):
                found[name] = copy = dict(inner)
                pending.append(copy)
    return root


def _close(schema: dict[str, Any]) -> None:
    if schema.get("type") == "object" or "properties" in schema:
        schema.setdefault("additionalProperties", False)
    taken = {name: schema.pop(name) for name in list(schema) if name in _REFUSED}
    least = schema.get("minItems")
    if isinstance(least, int) and least > 1:
        taken["minItems"] = schema.pop("minItems")
    if taken:
        words = ENCODER.encode(taken).decode()
        said = schema.get("description")
        schema["description"] = f"{said}\n\n{words}" if isinstance(said, str) and said else words
    if "oneOf" in schema and "anyOf" not in schema:
        schema["anyOf"] = schema.pop("oneOf")
