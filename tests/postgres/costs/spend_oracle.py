"""What the ledger and the calls add up to, found in the simplest way; and ways to post rows for it."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from enfilade.bootstrap.compose import Parts
from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.spend.latency import BOUNDS_US, quantile
from enfilade.costs.spend.measures import Sums
from enfilade.costs.spend.report import Question, SpendReport, report_spend
from enfilade.identity.scopes import system_scope
from enfilade.storage.address import WRITER
from tests.support.parts import call_event

SETTLE = "SELECT enfilade_shared.settle($1, '{}', '{}', '{}', '{}', '{}')"
YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC))
MICRO = timedelta(microseconds=1)
Row = Mapping[str, Any]


def settlement(tenant: str, identifier: str, at: datetime, **data: Any) -> str:
    """The text that settles a call, with whatever the ledger may hold of it."""
    event = json.loads(call_event(tenant, identifier, at))
    event["data"].update(data)
    return json.dumps(event)


async def post(parts: Parts, *settlements: str) -> None:
    """Settle calls in one transaction of their own."""
    connection = await parts.database.connect(WRITER)
    try:
        await connection.execute("SET search_path = enfilade_shared, enfilade")
        await connection.execute(SETTLE, list(settlements))
    finally:
        await connection.close()


@dataclass
class Oracle:
    """Everything that was posted, read as the owner of the tables would."""

    entries: Sequence[Row]
    calls: Sequence[Row]
    zones: Mapping[str, str]
    _metadata: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Know each call's metadata."""
        self._metadata = {call["call_id"]: json.loads(call["metadata"] or "{}") for call in self.calls}

    def answer(
        self, question: Question, keep: Callable[[Row], bool] = lambda row: True
    ) -> dict[tuple[Any, ...], dict[str, Any]]:
        """The sums of each group, by its tenant and its keys."""
        groups: dict[tuple[Any, ...], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
        by_day = any(by.startswith("metadata:") for by in question.group_by)
        for place, rows in enumerate((self.entries, self.calls)):
            for row in rows:
                tenant = str(row["tenant_id"])
                if (
                    question.tenant not in {None, tenant}
                    or not self._in_period(question, row, by_day=by_day)
                    or not keep(row)
                ):
                    continue
                keys = tuple(self.key(by, row) for by in question.group_by)
                if not any(
                    key is None and by.startswith("metadata:") for by, key in zip(question.group_by, keys, strict=True)
                ):
                    groups[tenant, *keys][place].append(row)
        return {key: sums(*rows) for key, rows in groups.items()}

    def _in_period(self, question: Question, row: Row, *, by_day: bool) -> bool:
        zone = ZoneInfo(self.zones[str(row["tenant_id"])])
        moments = (question.start, row["started_at"], question.end - MICRO)
        if by_day:
            first, at, last = (moment.astimezone(zone).date() for moment in moments)
            return first <= at <= last
        return hour_of(moments[0], zone) <= hour_of(moments[1], zone) <= hour_of(moments[2], zone)

    def key(self, by: str, row: Row) -> str | None:
        """What a row is grouped under."""
        zone = ZoneInfo(self.zones[str(row["tenant_id"])])
        local = row["started_at"].astimezone(zone)
        if by.startswith("metadata:"):
            value = self._metadata[row["call_id"]].get(by.partition(":")[2])
            return None if value is None else str(value)
        if by == "hour":
            return str(hour_of(row["started_at"], zone).astimezone(zone).isoformat())
        if by in {"day", "week", "month", "quarter"}:
            return period_of(by, local.date())
        column = by if by in row else f"{by}_id"
        return None if row[column] is None else str(row[column])


def hour_of(moment: datetime, zone: ZoneInfo) -> datetime:
    """When the local hour began, going by the clock on the wall at that moment."""
    local = moment.astimezone(zone)
    return moment.astimezone(UTC) - timedelta(
        minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )


def period_of(by: str, day: date) -> str:
    """The name of the day, week, month or quarter."""
    if by == "week":
        return day.strftime("%G-W%V")
    return {"day": f"{day}", "month": f"{day:%Y-%m}", "quarter": f"{day.year}-Q{(day.month - 1) // 3 + 1}"}[by]


def sums(entries: Iterable[Row], calls: Sequence[Row]) -> dict[str, Any]:
    """What rows add up to, one by one."""
    found: dict[str, Any] = {name.name: 0 for name in fields(Sums)}
    quantities: dict[str, int] = defaultdict(int)
    amounts: dict[str, int] = defaultdict(int)
    for entry in entries:
        found["tokens"] += entry["tokens"]
        found["nano"] += entry["amount_nano"]
        for name in ("provider_nano", "list_nano", "saved_nano", "could_save_nano", "overrun_nano"):
            found[name] += entry[name]
        for kind, quantity, amount in zip(entry["kinds"], entry["quantities"], entry["amounts"], strict=True):
            quantities[kind] += quantity
            amounts[kind] += amount
    for call in calls:
        found["calls"] += 1
        if call["status"] != "ok":
            found[call["status"]] += 1
        found["cached"] += call["cached"]
        found["streamed"] += call["stream"]
        found["estimated"] += call["estimated"]
    assert not (quantities.keys() | amounts.keys()) - set(KINDS)
    found["quantities"] = {kind: count for kind, count in quantities.items() if count}
    found["amounts"] = {kind: nano for kind, nano in amounts.items() if nano}
    took = places(call["latency_us"] for call in calls)
    began = places(call["first_byte_us"] for call in calls)
    found["took"] = tuple(quantile(took, share) for share in (0.5, 0.95, 0.99))
    found["began"] = tuple(quantile(began, share) for share in (0.5, 0.95))
    return found


def places(durations: Iterable[int | None]) -> list[int]:
    """How many durations fall into which place."""
    counts = [0] * (len(BOUNDS_US) + 1)
    for duration in durations:
        if duration is not None:
            counts[sum(bound <= duration for bound in BOUNDS_US)] += 1
    return counts


async def read(parts: Parts, zones: Mapping[str, str]) -> Oracle:
    """Everything that is posted at this moment."""
    async with parts.database.owner() as owner:
        await owner.execute("SET search_path = enfilade_shared")
        # Forced row-level security binds the owner, too, unless it is a superuser, as it is in tests.
        entries = [dict(row) for row in await owner.fetch("SELECT * FROM ledger")]
        calls = [dict(row) for row in await owner.fetch("SELECT * FROM calls")]
    return Oracle(entries, calls, zones)


async def ask(parts: Parts, question: Question) -> SpendReport:
    """A report as the platform gets it."""
    async with parts.storage.unit_of_work(system_scope("test"), readonly=True) as unit:
        return await report_spend(unit, question)


def answered(report: SpendReport) -> dict[tuple[Any, ...], dict[str, Any]]:
    """A report's groups, as the oracle says them."""
    return {(group.tenant, *group.keys): said(group.sums) for group in report.groups}


def said(of: Sums) -> dict[str, Any]:
    """Sums as the oracle says them."""
    return {name.name: getattr(of, name.name) for name in fields(Sums)}


async def contents(connection: asyncpg.Connection, table: str) -> list[tuple[Any, ...]]:
    """A roll-up's rows, in one order."""
    return [tuple(row) for row in await connection.fetch(f"SELECT * FROM enfilade_shared.{table} ORDER BY 1, 2, 3")]
