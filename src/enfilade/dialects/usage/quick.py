"""Reading what nearly all reports are: whole figures under their usual names, with nothing special about them."""

from collections.abc import Collection
from operator import attrgetter
from typing import Any

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.core.usage import Usage
from enfilade.dialects.usage.rows import FIELDS, NUMBER, Row

_ZERO = "zero_"
_IN, _OUT, _AUDIO, _IMAGE = (
    NUMBER[name] for name in ("input_tokens", "output_tokens", "audio_input_tokens", "image_input_tokens")
)


class Quick:
    """Made from a table's rows. For every report that wants care it gives None."""

    __slots__ = (
        "_beside",
        "_decode",
        "_needs_output",
        "_nothing",
        "_overlaps",
        "_plain",
        "_rare",
        "_total",
        "_words",
    )

    def __init__(
        self,
        rows: Collection[Row],
        *,
        total: str | None,
        lists: Collection[str],
        words: list[str],
        needs_output: bool,
        overlaps: bool,
    ) -> None:
        """Make a typed decoder, and what brings its figures into the order of `Usage`.

        `words` are names whose mere presence wants care.
        """
        plain: dict[int, Row] = {}
        rare = [_ZERO, _ZERO]
        groups: dict[str, list[str]] = {"": [total] if total else []}
        words = [*words, *(row.name for row in rows if row.place in lists)]
        for row in rows:
            if row.place in lists:
                continue
            groups.setdefault(row.place, []).append(row.name)
            if row.is_plain and NUMBER[row.part] not in plain:
                plain[NUMBER[row.part]] = row
            else:
                rare.append(row.field)
        self._decode = msgspec.json.Decoder(_struct_of(groups)).decode
        self._plain = attrgetter(*(plain[n].field if n in plain else _ZERO for n in range(len(FIELDS))))
        self._rare = attrgetter(*rare)
        self._nothing = (0,) * len(rare)
        self._total = total
        self._words = tuple(f'"{word}"'.encode() for word in dict.fromkeys(words))
        self._beside = tuple((row.total, NUMBER[row.part]) for row in plain.values() if row.total >= 0)
        self._needs_output = needs_output
        self._overlaps = overlaps

    def read(self, raw: bytes | msgspec.Raw) -> Usage | None:
        """The usage; None for a report that wants care."""
        if self._words:
            raw = bytes(raw)
            for word in self._words:
                if word in raw:
                    return None
        try:
            report = self._decode(raw)
        except UNREADABLE:
            return None
        if self._rare(report) != self._nothing:
            return None
        figures: Any = self._plain(report)
        if self._beside:
            figures = list(figures)
            for around, part in self._beside:
                figures[around] += figures[part]
        return Usage(*figures) if self._adds_up(report, figures) else None

    def _adds_up(self, report: Any, figures: Any) -> bool:
        """Whether both totals are told, and nothing is left to explain."""
        prompt, completion = figures[_IN], figures[_OUT]
        if not prompt or (not completion and self._needs_output):
            return False
        if self._total is not None and not 0 <= getattr(report, self._total) <= prompt + completion:
            return False
        return not (self._overlaps and (figures[_AUDIO] or figures[_IMAGE]))


def _struct_of(groups: dict[str, list[str]]) -> type[msgspec.Struct]:
    """A struct with these fields, and within it one for each group."""
    fields: list[Any] = [(name, int, 0) for name in dict.fromkeys(groups[""])]
    fields.append((_ZERO, int, msgspec.field(name=" ", default=0)))
    for place, names in groups.items():
        if place:
            group = [(name, int, 0) for name in dict.fromkeys(names)]
            kind = msgspec.defstruct("Group", group, frozen=True, gc=False)
            fields.append((place, kind, kind()))
    return msgspec.defstruct("Report", fields, gc=False)
