"""What does not fit in a document, told to the person who wrote it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

Location = Sequence[int | str]


def message_of(fault: Mapping[str, Any], model: Any, location: Location) -> str:
    """A fault that pydantic found in a `model`, at a location within it, in words; a misspelt key with what was meant."""
    if fault["type"] != "extra_forbidden":
        return str(fault["msg"]).removeprefix("Value error, ")
    known = _keys_at(model, location[:-1])
    key = str(location[-1])
    nearest = get_close_matches(key, known, 1)
    if nearest:
        return f"unknown key; did you mean `{nearest[0]}`?"
    return f"unknown key; known here are {', '.join(known)}" if known else "unknown key"


def path_of(location: Location) -> str:
    """A pydantic location as `tenants[0].limits[2].per`."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step != "__root__":
            path += f".{step}" if path else str(step)
    return path


def _keys_at(model: Any, location: Location) -> list[str]:
    current = _bare(model)
    for step in location:
        if isinstance(step, int):
            inner = get_args(current)
            current = _bare(inner[0]) if inner else None
        elif isinstance(current, type) and issubclass(current, BaseModel) and step in current.model_fields:
            current = _bare(current.model_fields[step].annotation)
        else:
            return []
    if not isinstance(current, type) or not issubclass(current, BaseModel):
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _bare(annotation: Any) -> Any:
    """Without `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return _bare(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation
