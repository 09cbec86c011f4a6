"""Who spent what: sums over the roll-ups and over what is not rolled up yet, which is the ledger up to this moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from enfilade.core.clock import to_datetime, to_ns
from enfilade.costs.errors import InvalidRule
from enfilade.costs.holds.windows import window_at
from enfilade.costs.spend import store
from enfilade.costs.spend.measures import Sums, added, sums_of
from enfilade.storage.rounds import ask_cells, by_cell
from enfilade.storage.unit_of_work import UnitOfWork

METADATA = "metadata:"
DIMENSIONS = ("tenant", *store.DIMENSIONS)
GRAINS = store.GRAINS
WITH_METADATA = ("tenant", "application", "model", *GRAINS[1:])
"""What can be grouped by beside a name of metadata, which is rolled up by days."""
MOST_GROUPS = 1000
FINEST = {"hour": "hour", "day": "day", "week": "day"}
"""Of which parts a period must be put together; of whole months for every other grouping."""
MOMENTS = {"hour": "%Y-%m-%dT%H:%M:%SZ", "day": "%Y-%m-%d"}
"""What the moments of pages look like that need not read the whole period."""

Cursor = tuple[str, int, str]
"""What a page ended with: its moment, its amount, and which group it was."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is asked for."""

    start: datetime
    end: datetime
    tenant: str | None = None
    """Or, for the platform, all that the scope sees."""
    group_by: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    """The id or the name of what a dimension must be; an empty one asks for calls that have none."""
    by_time: bool = False
    """Whether groups come in the order of their time rather than the dearest first."""
    after: Cursor | None = None
    limit: int = MOST_GROUPS
    zones: Mapping[str, str] = field(default_factory=dict)
    """The time zones of tenants that no roll-up has met yet."""


@dataclass(frozen=True, slots=True)
class SpendGroup:
    """What one group of one tenant's calls came to; a key is an id where the grouping is by a noun."""

    keys: tuple[str | None, ...]
    tenant: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class SpendReport:
    """A period's sums, and a page of its groups."""

    start: datetime
    end: datetime
    total: Sums
    groups: list[SpendGroup]
    following: Cursor | None


async def report_spend(unit: UnitOfWork, question: Question) -> SpendReport:
    """The spend of calls that started in the period. One that holds no whole local hours is widened to them.

    It needs a unit that only reads: that one sees a single moment. Raises InvalidRule for a grouping that there is not, or
    an empty period.
    """
    return (await report_all(unit, [question]))[0]


async def report_all(unit: UnitOfWork, questions: Sequence[Question]) -> list[SpendReport]:
    """Several reports on the same tenant, or on all: a cell that cannot be asked is in none of them. See `report_spend`."""
    asked = [(question, *_statement(question)) for question in questions]
    tenant, zones = questions[0].tenant, questions[0].zones
    zones_in = by_cell(unit, zones) if tenant is None else {}

    async def ask() -> list[list[Any]]:
        state = await unit.fetch_row(store.WATERMARK)
        assert state is not None
        here = zones if tenant is not None else zones_in.get(unit.current, {})
        known = (state["watermark"], list(here), list(here.values()))
        return [
            await unit.fetch(statement, question.start, question.end, tenant, *known, *values)
            for question, statement, values in asked
        ]

    cells = await ask_cells(unit, tenant, ask)
    return [_put_together(question, [cell[place] for cell in cells]) for place, question in enumerate(questions)]


def _statement(question: Question) -> tuple[str, list[object]]:
    """What the database is asked, and its values after those that depend on the cell."""
    check(question)
    name = _tag(question)
    grain = "month" if name is None else "day"
    for by in question.group_by:
        grain = min(grain, FINEST.get(by, "month"), key=("hour", "day", "month").index)
    keys = [store.KEYS.index("value" if by.startswith(METADATA) else by) for by in question.group_by]
    keys += [0] * (2 - len(keys))
    values: list[object] = [
        *(*keys, _ordering(question)),
        *(question.after or (None, None, None)),
        *(question.limit + 1 if question.group_by else 0, grain, _since(question)),
    ]
    if name is None:
        return store.REPORT, values + [question.where.get(dimension) for dimension in store.DIMENSIONS]
    return store.METADATA_REPORT, [*values, question.where.get("application"), question.where.get("model"), name]


def _put_together(question: Question, cells: Sequence[list[Any]]) -> SpendReport:
    """The sums of all, and the first groups of each cell: a tenant lives in one, so that no group is in two."""
    groups = [row for rows in cells for row in rows[1:]]
    groups.sort(key=lambda row: (row["moment"], -row["nano"], row["id"]))
    more = len(groups) > question.limit
    groups = groups[: question.limit]
    last = groups[-1] if more else None
    start, end = widened(question, "hour" if _tag(question) is None else "day")
    return SpendReport(
        start,
        end,
        sums_of(added([rows[0] for rows in cells])),
        [_group(row, question.group_by) for row in groups],
        (last["moment"], last["nano"], last["id"]) if last else None,
    )


def _tag(question: Question) -> str | None:
    """The name of metadata that is grouped by, if one is."""
    return next((by.removeprefix(METADATA) for by in question.group_by if by.startswith(METADATA)), None)


def check(question: Question) -> None:
    """Refuse what cannot be answered. Raises InvalidRule."""
    if question.start >= question.end:
        message = "`from` must be before `to`"
        raise InvalidRule(message, param="from")
    if len(question.group_by) > 2 or len(set(question.group_by)) < len(question.group_by):
        message = "a report groups by one thing or by two different ones"
        raise InvalidRule(message, param="group_by")
    tags = [by for by in question.group_by if by.startswith(METADATA)]
    for by in question.group_by:
        if (by in tags and by == METADATA) or by not in (*tags, *DIMENSIONS, *GRAINS):
            message = f"{by!r} is no grouping; use one of {', '.join((*DIMENSIONS, 'metadata:NAME', *GRAINS))}"
            raise InvalidRule(message, param="group_by")
    if tags:
        beside = [by for by in question.group_by if by not in tags]
        unfit = [by for by in beside if by not in WITH_METADATA]
        unfit += sorted(question.where.keys() - {"application", "model"})
        if len(tags) > 1 or unfit:
            message = f"a name of metadata can be reported with {', '.join(WITH_METADATA)} and nothing else"
            raise InvalidRule(message, param="group_by")
    if unknown := sorted(question.where.keys() - store.DIMENSIONS.keys()):
        message = f"{unknown[0]!r} is no dimension; use one of {', '.join(store.DIMENSIONS)}"
        raise InvalidRule(message, param="where")
    if question.by_time and not _grains(question):
        message = f"groups have a time only when they are grouped by one: {', '.join(GRAINS)}"
        raise InvalidRule(message, param="sort")


def _grains(question: Question) -> list[str]:
    return [by for by in question.group_by if by in GRAINS]


def _ordering(question: Question) -> int:
    return question.group_by.index(_grains(question)[0]) + 1 if question.by_time else 0


def _since(question: Question) -> datetime | None:
    """Groups before this moment were on earlier pages; None where that is not known."""
    ordering = _ordering(question)
    form = MOMENTS.get(question.group_by[ordering - 1]) if ordering else None
    if form is None or question.after is None:
        return None
    try:
        return datetime.strptime(question.after[0], form).replace(tzinfo=UTC)
    except ValueError:  # Somebody else's cursor: all groups are looked at.
        return None


def widened(question: Question, unit: str) -> tuple[datetime, datetime]:
    """The period in whole hours or days of the tenant's time zone; of UTC for the platform."""
    zone = question.zones.get(question.tenant or "", "UTC")
    start = window_at(unit, to_ns(question.start), zone).start_ns
    end = window_at(unit, to_ns(question.end) - 1000, zone).end_ns
    return to_datetime(start), to_datetime(end)


def _group(row: Mapping[str, Any], group_by: tuple[str, ...]) -> SpendGroup:
    found = (row["first"], row["second"])[: len(group_by)]
    keys = tuple(label(by, key, row["time_zone"]) for by, key in zip(group_by, found, strict=True))
    return SpendGroup(keys, str(row["tenant_id"]), sums_of(row))


def label(grouping: str, key: str | None, time_zone: str) -> str | None:
    """What a key of the database is called: 2026-11-02T13:00:00+01:00, 2026-11-02, 2026-W45, 2026-11, 2026-Q4."""
    if key is None or grouping not in GRAINS or grouping == "day":
        return key
    if grouping == "hour":
        return datetime.fromisoformat(key).astimezone(ZoneInfo(time_zone)).isoformat()
    first = date.fromisoformat(key)
    if grouping == "week":
        year, week, _ = first.isocalendar()
        return f"{year}-W{week:02}"
    return key[:7] if grouping == "month" else f"{first.year}-Q{(first.month + 2) // 3}"
