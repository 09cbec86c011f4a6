"""What a caller's decoded JSON holds: values of the type that the dialect gives them, or WrongType with their place."""

from typing import Any, NoReturn

from enfilade.dialects.errors import WrongType


def wrong(where: str, wanted: str) -> NoReturn:
    """The value at `where` is not what the dialect has there."""
    message = f"`{where}` must be {wanted}."
    raise WrongType(message, param=where)


def text(value: object, where: str) -> str:
    """A string."""
    if not isinstance(value, str):
        wrong(where, "a string")
    return value


def text_or_none(value: object, where: str) -> str | None:
    """A string, or nothing."""
    if value is not None and not isinstance(value, str):
        wrong(where, "a string")
    return value


def flag(value: object, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        wrong(where, "true or false")
    return value


def whole(value: object, where: str) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        wrong(where, "a whole number")
    return value


def number(value: object, where: str) -> float:
    """A number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        wrong(where, "a number")
    try:
        return float(value)
    except OverflowError:
        wrong(where, "a number of reasonable size")


def obj(value: object, where: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        wrong(where, "an object")
    return value


def entries(value: object, where: str) -> list[Any]:
    """An array."""
    if not isinstance(value, list):
        wrong(where, "an array")
    return value


def unknown(value: dict[str, Any], known: frozenset[str], where: str) -> list[str]:
    """The places of those fields that are given and that the dialect does not have."""
    if known.issuperset(value):
        return []
    return [f"{where}.{name}" for name, held in value.items() if name not in known and not is_void(name, held)]


def is_void(name: str, value: object) -> bool:
    """Whether an unknown field says nothing: null, or a private one by its name."""
    return value is None or name.startswith("x_")
