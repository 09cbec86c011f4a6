"""Bodies checked against the types of the vendors' own SDKs: unknown fields and wrong types are refused."""

from typing import Any

from pydantic import TypeAdapter
from pydantic_core import SchemaValidator, ValidationError

from tests.support.strict.types import Refused


def strict_validator(declared: Any) -> SchemaValidator:
    """A validator for the SDK's type that takes nothing else. The SDK's own types let unknown fields pass, and look at
    the entries of an iterable only when somebody asks for them.
    """
    return SchemaValidator(_tightened(TypeAdapter(declared).core_schema))


def _tightened(schema: Any) -> Any:
    if isinstance(schema, dict):
        made = {name: _tightened(value) for name, value in schema.items()}
        if made.get("type") == "typed-dict":
            made["extra_behavior"] = "forbid"
        if made.get("type") == "generator":
            made = {"type": "list", "items_schema": made["items_schema"]}
        return made
    if isinstance(schema, list | tuple):
        return type(schema)(_tightened(value) for value in schema)
    return schema


def check_type(validator: SchemaValidator, body: Any) -> None:
    """Raise Refused for a body of another type, with the deepest of its faults."""
    try:
        validator.validate_python(body, strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        # An alternative that has another role or type was not meant.
        unmeant = {fault["loc"][:-1] for fault in faults if fault["type"] == "literal_error"}
        meant = [fault for fault in faults if not any(_begins(fault["loc"], loc) for loc in unmeant)] or faults
        fault = max(meant, key=lambda found: (len(found["loc"]), found["type"] == "extra_forbidden"))
        place = ".".join(str(step) for step in fault["loc"] if isinstance(step, int) or str(step).isidentifier())
        raise Refused(f"{place}: {fault['msg']}", param=place) from None


def _begins(loc: tuple[int | str, ...], with_this: tuple[int | str, ...]) -> bool:
    return loc[: len(with_this)] == with_this


def check_closed(schema: Any, where: str) -> None:
    """Raise Refused unless every object of a strict schema says that there is nothing else, and needs all it has."""
    if isinstance(schema, list):
        for entry in schema:
            check_closed(entry, where)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            message = "In context=(), 'additionalProperties' is required to be supplied and to be false."
            raise Refused(f"Invalid schema: {message}", param=where, code="invalid_json_schema")
        missing = set(schema.get("properties", ())) - set(schema.get("required", ()))
        if missing:
            message = f"'required' is required to include every key in properties. Missing {sorted(missing)}."
            raise Refused(f"Invalid schema: {message}", param=where, code="invalid_json_schema")
    for name, value in schema.items():
        if name in {"properties", "$defs"} and isinstance(value, dict):
            for entry in value.values():
                check_closed(entry, where)
        elif name in {"items", "anyOf"}:
            check_closed(value, where)
