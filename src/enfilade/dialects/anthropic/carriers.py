"""Places for what Anthropic's form has no place for: other providers' seals on texts and tool calls.

A seal on a part travels as a redacted thinking block beside it, in a second envelope that says on which side its part
stands. Reasoning that nobody signed carries an envelope with nothing in it, since a signature has to be there.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from enfilade.core.messages import Media, Part, Sealed, Text, ToolCall
from enfilade.dialects.seals import MARK, envelope, opened

ORIGIN = "anthropic"
Side = Literal["next", "previous"]
_SIDES: dict[str, Side] = {"next": "next", "previous": "previous"}
UNSEALED = envelope(Sealed("nobody", ""))
FOREIGN_CITATION = envelope(Sealed("citation", ""))
"""Stands for Anthropic's own index of a search result, in citations of other providers' searches."""


class PartSeal(msgspec.Struct, frozen=True):
    """The seal of the part before or behind it."""

    side: Side
    value: str


def part_seal(seal: Sealed, side: Side) -> str:
    """The data of a redacted thinking block that stands for the seal of the part on that side of it."""
    return envelope(Sealed(side, seal.value))


def read_part_seal(data: str) -> PartSeal | None:
    """What such a block says; None for one that holds reasoning."""
    if not data.startswith(MARK):
        return None
    found = opened(data, ORIGIN)
    side = _SIDES.get(found.origin) if found is not None else None
    return PartSeal(side, found.value) if side is not None and found is not None else None


def with_part_seals(found: Iterable[Part | PartSeal]) -> Iterator[Part]:
    """The parts, each with the seal that stood beside it."""
    before: Part | None = None
    waiting: str | None = None
    for entry in found:
        if isinstance(entry, PartSeal):
            if entry.side == "next":
                waiting = entry.value
            elif before is not None:
                before = _sealed(before, entry.value)
            continue
        if before is not None:
            yield before
        before = entry if waiting is None else _sealed(entry, waiting)
        waiting = None
    if before is not None:
        yield before


def _sealed(part: Part, value: str) -> Part:
    if isinstance(part, Text | ToolCall | Media) and part.seal is None:
        return msgspec.structs.replace(part, seal=Sealed(ORIGIN, value))
    return part
