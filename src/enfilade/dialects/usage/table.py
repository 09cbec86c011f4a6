"""How one dialect counts, and how its reports are read with care."""

from typing import Any

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.core.usage import MAX_TOKENS, Usage
from enfilade.dialects.usage.quick import Quick
from enfilade.dialects.usage.rows import FIELDS, INPUT, INPUT_PARTS, NUMBER, OUTPUT, Row

_ANY = msgspec.json.Decoder()
_IN, _OUT, _REASONING, _CACHED = (NUMBER[name] for name in (INPUT, OUTPUT, "reasoning_tokens", "cached_input_tokens"))
_AUDIO, _IMAGE = NUMBER["audio_input_tokens"], NUMBER["image_input_tokens"]
_MEDIA = ((_AUDIO, NUMBER["cached_audio_input_tokens"]), (_IMAGE, NUMBER["cached_image_input_tokens"]))
_NOTHING = [0] * len(FIELDS)

IMPOSSIBLE = Usage(-1, output_tokens=-1)
"""Stands for a report that holds something else than figures that could be true."""

_Step = tuple[int, int, tuple[int, ...], bool, int]
"""A row as it is read: the part, the total to which it is added or -1, the parts around it, whether it is added to what
was found before, and its place among the rows that have to wait for others, or -1.
"""


class _CannotBeTrueError(ValueError):
    """A report holds what is no possible figure."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """How one dialect counts. Rows of parts that include others come before those."""

    about: str
    """Which totals include what."""
    rows: tuple[Row, ...]
    lists: dict[str, tuple[str, str]] = {}
    """Fields that are lists: the names of an entry's key and of its figure."""
    needs_output: bool = True
    """Whether a report without the output's total is no report."""
    total: str | None = None
    """The sum of both totals where it tells of output that the output's total leaves out."""
    overlaps: bool = False
    """Whether cached tokens may be counted among media, too."""
    more: tuple[str, frozenset[str]] | None = None
    """A list of further reports, and the types of those that the totals leave out."""
    variants: dict[str, "Table"] = {}
    """Other tables, by the field that only they have."""
    steps: dict[str, Any] = {}
    """The rows as they are read; made from them, as is what follows."""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    quick: Any = None

    def __post_init__(self) -> None:
        """Make what reads the rows."""
        words = [*self.variants, *sorted(self.more[1] if self.more is not None else ())]
        made = {
            "steps": _steps(self.rows),
            "inputs": tuple(row.field for row in self.rows if row.part == INPUT and not row.beside),
            "outputs": tuple(row.field for row in self.rows if row.part == OUTPUT and not row.beside),
            "quick": Quick(
                self.rows,
                total=self.total,
                lists=self.lists,
                words=words,
                needs_output=self.needs_output,
                overlaps=self.overlaps,
            ),
        }
        for name, value in made.items():
            msgspec.structs.force_setattr(self, name, value)

    def read(self, raw: bytes | msgspec.Raw) -> Usage | None:
        """The usage that a raw report tells; None where nothing was reported."""
        if not raw:
            return None
        usage: Usage | None = self.quick.read(raw)
        if usage is not None:
            return usage
        try:
            report = _ANY.decode(raw)
        except UNREADABLE:
            return IMPOSSIBLE
        return self.usage(report)

    def usage(self, report: Any) -> Usage | None:
        """The usage that a decoded report tells; None where nothing was reported."""
        if report is None or report == []:
            return None
        if type(report) is not dict:
            return IMPOSSIBLE
        for field, table in self.variants.items():
            if field in report:
                return table.usage(report)
        try:
            figures = self._figures(report)
        except _CannotBeTrueError:
            return IMPOSSIBLE
        return Usage(*figures) if figures is not None else None

    def _figures(self, report: dict[str, Any]) -> list[int] | None:
        """The figures in the order of `Usage`; None where nothing was reported. Raises _CannotBeTrueError."""
        figures = _NOTHING.copy()
        self._take(report, figures)
        if not figures[_IN] and not _any_given(report, self.inputs):
            return None
        if self.needs_output and not figures[_OUT] and not _any_given(report, self.outputs):
            return None
        if self.total is not None:
            _take_excess(report.get(self.total), figures)
        if self.overlaps and (figures[_AUDIO] or figures[_IMAGE]):
            _untangle(figures)
        if self.more is not None and report.get(self.more[0]):
            self._take_more(report[self.more[0]], self.more[1], figures)
        return figures

    def _take(self, report: dict[str, Any], figures: list[int]) -> None:
        """Read one report into figures."""
        waiting: list[tuple[int, _Step, int]] = []
        self._walk(report, self.steps, figures, waiting)
        waiting.sort()
        for _, (part, total, within, is_added, _order), value in waiting:
            if is_added or not figures[part]:
                # Services round the parts of parts: what is inside is never more than what is around it.
                least = min((value, *(figures[around] for around in within)))
                for around in within:
                    figures[around] -= least
                figures[part] += least
                if total >= 0:
                    figures[total] += least

    def _walk(self, group: dict[str, Any], steps: dict[str, Any], figures: list[int], waiting: list[Any]) -> None:
        """Take what stands in one object, and in those inside it."""
        for name, value in group.items():
            # Most figures are nothing, and most names are none of ours.
            if (not value and (value is None or type(value) is int)) or (step := steps.get(name)) is None:
                continue
            if type(step) is dict:
                inner = value if type(value) is dict else _keyed(value, self.lists.get(name))
                self._walk(inner, step, figures, waiting)
                continue
            figure = whole(value)
            part, total, _, _, order = step
            if order >= 0:
                waiting.append((order, step, figure))
                continue
            figures[part] += figure
            if total >= 0:
                figures[total] += figure

    def _take_more(self, entries: Any, types: frozenset[str], figures: list[int]) -> None:
        if type(entries) is not list or not all(type(entry) is dict for entry in entries):
            raise _CannotBeTrueError
        for entry in entries:
            if entry.get("type") in types:
                found = _NOTHING.copy()
                self._take(entry, found)
                figures[:] = [before + more for before, more in zip(figures, found, strict=True)]


def merged(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Two reports of one stream: the latest figure of each field counts, figures are never added."""
    return earlier | {name: value for name, value in later.items() if value is not None}


def with_searches(usage: Usage | None, searches: int) -> Usage | None:
    """The usage with searches that stand elsewhere in a reply, unless the report counts them itself."""
    if usage is None or not searches or usage.web_searches:
        return usage
    return msgspec.structs.replace(usage, web_searches=searches)


def whole(value: Any) -> int:
    """A figure as a whole number. An empty object stands for nothing reported. Raises _CannotBeTrueError."""
    if value in ({}, []):
        return 0
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= MAX_TOKENS:
        raise _CannotBeTrueError
    return value


def _steps(rows: tuple[Row, ...]) -> dict[str, Any]:
    steps: dict[str, Any] = {}
    seen: set[str] = set()
    for order, row in enumerate(rows):
        waits = bool(row.within) or (row.part in seen and not row.is_added)
        seen.add(row.part)
        within = tuple(NUMBER[part] for part in row.within)
        group = steps.setdefault(row.place, {}) if row.place else steps
        group[row.name] = (NUMBER[row.part], row.total, within, row.is_added, order if waits else -1)
    return steps


def _any_given(report: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(report.get(name) is not None for name in names)


def _keyed(group: Any, names: tuple[str, str] | None) -> dict[str, Any]:
    """A list's figures by their keys, equal keys added. Raises _CannotBeTrueError for what is no such list."""
    if group in ({}, [], "") or group is False:
        return {}
    if type(group) is not list or names is None or not all(type(entry) is dict for entry in group):
        raise _CannotBeTrueError
    key_name, figure_name = names
    found: dict[str, Any] = {}
    for entry in group:
        key, value = entry.get(key_name), entry.get(figure_name)
        # A figure of zero is left out by some; one without a name cannot be placed.
        if type(key) is str and value is not None:
            found[key] = found.get(key, 0) + whole(value)
    return found


def _take_excess(reported: Any, figures: list[int]) -> None:
    """What the sum has beyond both totals is output that was thought and not shown."""
    if reported is None:
        return
    excess = whole(reported) - figures[_IN] - figures[_OUT]
    if excess > 0:
        figures[_OUT] += excess
        figures[_REASONING] = max(figures[_REASONING], excess)


def _untangle(figures: list[int]) -> None:
    """Parts that exceed their total together overlap: the tokens were media, and cached."""
    over = sum(figures[number] for number in INPUT_PARTS) - figures[_IN]
    for plain, cached in _MEDIA:
        if over > 0:
            both = min(over, figures[plain], figures[_CACHED])
            figures[plain] -= both
            figures[_CACHED] -= both
            figures[cached] += both
            over -= both
