"""Calls whose arguments arrive in pieces: each piece says by a JSON path where its value belongs."""

import re
from itertools import pairwise
from typing import Any

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.errors import UnreadableReply

_STEP = re.compile(r"\.([^.\[\]]+)|\[(?:(\d+)|'([^']*)'|\"([^\"]*)\")\]")
_MAX_INDEX = 10_000
_VALUES = ("stringValue", "numberValue", "boolValue")


class PartialArguments:
    """The arguments of one call, so far."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        """Start with none."""
        self.value: dict[str, Any] = {}

    def take(self, raw: msgspec.Raw) -> None:
        """More pieces. Raises UnreadableReply."""
        for piece in _pieces(raw):
            path = piece.get("jsonPath")
            steps = _steps(path) if isinstance(path, str) else []
            if steps:
                self._set(steps, _value(piece))

    def _set(self, steps: list[str | int], value: Any) -> None:
        holder: Any = self.value
        for step, following in pairwise(steps):
            fresh: Any = [] if isinstance(following, int) else {}
            holder = _at(holder, step, fresh)
        last = steps[-1]
        before = _at(holder, last, None)
        if isinstance(before, str) and isinstance(value, str):
            value = before + value  # A text goes on where its last piece ended.
        holder[last] = value


def _pieces(raw: msgspec.Raw) -> list[dict[str, Any]]:
    try:
        pieces = msgspec.json.decode(raw)
    except UNREADABLE:
        pieces = None
    return [piece for piece in pieces if isinstance(piece, dict)] if isinstance(pieces, list) else []


def _value(piece: dict[str, Any]) -> Any:
    for name in _VALUES:
        if (value := piece.get(name)) is not None:
            # Google's numbers are doubles; a whole one was meant as such.
            return int(value) if isinstance(value, float) and value.is_integer() else value
    return None if "nullValue" in piece else ""


def _steps(path: str) -> list[str | int]:
    """The steps of a path such as `$.places[0].name`."""
    return [
        int(index) if index else (name or single or double)
        for name, index, single, double in _STEP.findall(path.removeprefix("$"))
    ]


def _at(holder: Any, step: str | int, fresh: Any) -> Any:
    """What the holder has at that step, after making room for it. Raises UnreadableReply."""
    if isinstance(step, int) and isinstance(holder, list) and step < _MAX_INDEX:
        holder.extend([None] * (step + 1 - len(holder)))
    elif isinstance(step, int) or not isinstance(holder, dict):
        message = "The provider's stream holds arguments that contradict one another."
        raise UnreadableReply(message)
    else:
        holder.setdefault(step, None)
    if holder[step] is None:
        holder[step] = fresh
    return holder[step]
