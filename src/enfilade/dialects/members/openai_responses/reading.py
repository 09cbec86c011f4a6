"""Reading what a caller wrote: types are checked, and what is new to us is noted by its name."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, overload

from enfilade.dialects.bodies import NAMES_OF_TYPES
from enfilade.dialects.errors import MissingField, WrongType

T = TypeVar("T")
MAX_NUMBER = 1 << 63
_NONE: frozenset[str] = frozenset()


class Notes:
    """The caller's fields that have no place in the neutral form, by their paths, in order."""

    __slots__ = ("foreign", "harmless")

    def __init__(self) -> None:
        """Start with none."""
        self.harmless: dict[str, None] = {}
        self.foreign: dict[str, None] = {}

    def check(
        self, given: Mapping[str, Any], known: frozenset[str], where: str, *, harmless: frozenset[str] = _NONE
    ) -> None:
        """Note the fields that are not known. What is null or private says nothing."""
        if known.issuperset(given):
            return
        for name, value in given.items():
            if name in known or value is None or name.startswith("x_"):
                continue
            path = f"{where}.{name}" if where else name
            (self.harmless if name in harmless else self.foreign)[path] = None


@overload
def typed(value: Any, kind: type[T], where: str, *, optional: Literal[False] = False) -> T: ...
@overload
def typed(value: Any, kind: type[T], where: str, *, optional: Literal[True]) -> T | None: ...
def typed(value: Any, kind: type[T], where: str, *, optional: bool = False) -> T | None:
    """The value if it is of its type. Raises MissingField, WrongType."""
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    if value is None:
        if optional:
            return None
        message = f"`{where}` is required."
        raise MissingField(message, param=where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_NUMBER:
        return float(value)  # type: ignore[return-value]
    message = f"`{where}` must be {NAMES_OF_TYPES.get(kind, kind.__name__)}."
    raise WrongType(message, param=where)
