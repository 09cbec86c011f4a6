"""Events as they go over the wire, with all that services do to them, cut anywhere."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

from tests.support.strict.types import PLAIN, Style

Event = tuple[str | None, Any]
"""A name, where the vendor gives one, and the data."""
SIZES = (1, 2, 3, 5, 17, 60, 400)


def framed(events: Iterable[Event], style: Style = PLAIN) -> bytes:
    """The events as one text."""
    end = "\r\n" if style.crlf else "\n"
    lines: list[str] = []
    for number, (name, data) in enumerate(events):
        if style.comments and number % 3 == 0:
            lines += [": still here", ""]
        if name is not None:
            lines.append(f"event: {name}")
        space = "" if style.no_space else " "
        lines += [f"data:{space}{line}" for line in _lines(data, style)]
        lines.append("")
    return end.join([*lines, ""]).encode() if lines else b""


def _lines(data: Any, style: Style) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    else:
        text = json.dumps(data, ensure_ascii=False, indent=0 if style.many_lines else None)
        yield from text.split("\n")


def cut(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """The bytes in pieces that know nothing of events or characters."""
    at = 0
    while at < len(data):
        size = chance.choice(SIZES)
        yield data[at : at + size]
        at += size


def pieces(text: str, size: int = 5) -> list[str]:
    """A text as a model writes it; at least one piece."""
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
