"""Looking for hours that cost far more than usual, and telling of each once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog

from enfilade.core.clock import Clock, to_datetime, to_ns, to_rfc3339
from enfilade.core.errors import Conflict
from enfilade.core.money import format_usd
from enfilade.costs.holds.windows import window_at
from enfilade.costs.outlook import store
from enfilade.costs.outlook.hours import HOUR, WEEKS, hours_alike, zone_of
from enfilade.costs.outlook.rules import DEFAULTS, AnomalyRuleBook, AnomalyRules
from enfilade.costs.outlook.usual import Usual, usual_of
from enfilade.costs.spend.store import WATERMARK
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.storage.cells import Cell
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.turns import Turns
from enfilade.storage.unit_of_work import Storage, UnitOfWork
from enfilade.storage.visits import in_cells

LOOK_EVERY_S = 300.0
HOURS_EACH_TIME = 2
"""The hour that runs and the one before."""
HOURS_ONCE_AN_HOUR = 6
"""For lines that come late, and for times at which nobody looked."""
MOST_SCOPES = 200
"""Of a tenant; the dearest."""
CONTRIBUTORS = 3
MOST_TOLD = 1000
"""In one look; the rest comes with the next."""

log = structlog.get_logger("enfilade.costs.anomalies")


@dataclass(frozen=True, slots=True)
class Watched:
    """A tenant whose hours are looked at."""

    id: str
    time_zone: str
    rules: AnomalyRules


@dataclass(slots=True)
class Anomaly:
    """An hour of a scope that cost far more than usual."""

    tenant: str
    kind: str
    subject: str
    hour: datetime
    actual: int
    threshold: int
    usual: Usual
    contributors: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, datetime]:
        """What makes it the same one."""
        return self.tenant, self.kind, self.subject, self.hour

    def told(self, now: datetime) -> dict[str, object]:
        """What the event says."""
        usual = self.usual.nano
        return {
            "scope": self.kind,
            "subject": self.subject,
            "hour": to_rfc3339(to_ns(self.hour)),
            "is_over": now >= self.hour + HOUR,
            "actual_usd": format_usd(self.actual),
            "usual_usd": format_usd(usual),
            "threshold_usd": format_usd(self.threshold),
            "times_usual": str(round(Decimal(self.actual) / usual, 1)) if usual else None,
            "basis": self.usual.basis,
            "compared_hours": self.usual.hours,
            "keys": [{"id": name, "cost_usd": format_usd(nano)} for name, nano in self.contributors.get("key", ())],
            "users": [{"id": name, "cost_usd": format_usd(nano)} for name, nano in self.contributors.get("user", ())],
            "models": [
                {"name": name, "cost_usd": format_usd(nano)} for name, nano in self.contributors.get("model", ())
            ],
        }


class AnomalyWatch:
    """Looks every few minutes. However many processes look, each anomaly is told of once."""

    def __init__(
        self, storage: Storage, clock: Clock, turns: Turns, rules: AnomalyRuleBook, zones: Callable[[], dict[str, str]]
    ) -> None:
        """Look into `storage`, cell by cell; `zones` gives the time zone of each tenant, by its id."""
        self._storage = storage
        self._turns = turns
        self._clock = clock
        self._rules = rules
        self._zones = zones
        self._last_hour: int | None = None

    async def look(self, hours: int | None = None) -> int:
        """Look at the last hours, the running one among them; return how many anomalies were told of.

        Raises DatabaseUnavailable; what was told of before stays told.
        """
        now_ns = self._clock.now_ns()
        number = now_ns // (3600 * 10**9)
        count = hours or (HOURS_EACH_TIME if number == self._last_hour else HOURS_ONCE_AN_HOUR)
        told = await in_cells(
            self._storage,
            lambda cell: self._look_in(cell, now_ns, count),
            postponed="anomalies_postponed",
            cells=self._turns.due(),
        )
        self._last_hour = number
        return sum(told)

    async def _look_in(self, cell: Cell, now_ns: int, count: int) -> int:
        # The turn lasts as long as this transaction: another process that looks meanwhile finds nothing to do.
        async with self._storage.unit_of_work(system_scope("anomalies"), readonly=True, cell=cell) as unit:
            if not await unit.fetch_value(store.TAKE_TURN):
                return 0
            zones = self._turns.tenants_in(cell, self._zones())
            found = await self._find(unit, zones, now_ns, count)
            told = 0
            for anomaly in found[:MOST_TOLD]:
                told += await self._tell(anomaly, to_datetime(now_ns))
        self._turns.done(cell)
        return told

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            try:
                if told := await self.look():
                    log.info("anomalies_told", count=told)
            except (DatabaseUnavailable, Conflict) as error:
                log.warning("anomalies_postponed", error=error.message)

    async def _find(self, unit: UnitOfWork, zones: Mapping[str, str], now_ns: int, count: int) -> list[Anomaly]:
        own = await self._rules.all(unit)
        watched = {
            tenant: Watched(tenant, zone, rules)
            for tenant, zone in zones.items()
            if (rules := own.get(tenant, DEFAULTS)).enabled
        }
        if not watched:
            return []
        asked = {zone: asked_hours(now_ns, zone, count) for zone in {entry.time_zone for entry in watched.values()}}
        state = await unit.fetch_row(WATERMARK)
        assert state is not None
        rows = await unit.fetch(store.ANOMALY_HOURS, state["watermark"], *_question(watched, asked, now_ns))
        known = await self._known(unit, min(hour for hours in asked.values() for hour in hours))
        found = [
            anomaly
            for row in rows
            for anomaly in judge(row, watched[str(row["tenant_id"])], asked)
            if anomaly.key not in known
        ]
        if found:
            await self._attribute(unit, found, state["watermark"], watched)
        return found

    async def _known(self, unit: UnitOfWork, since: datetime) -> set[tuple[str, str, str, datetime]]:
        rows = await unit.fetch(store.KNOWN_ANOMALIES, since)
        return {(str(row["tenant_id"]), row["kind"], row["subject"], row["hour"]) for row in rows}

    async def _attribute(
        self, unit: UnitOfWork, found: Sequence[Anomaly], watermark: int, watched: Mapping[str, Watched]
    ) -> None:
        """Add who cost most in each of the hours."""
        by_key = {anomaly.key: anomaly for anomaly in found}
        columns = [list(column) for column in zip(*by_key, strict=True)]
        hours = columns[3]
        rows = await unit.fetch(
            store.CONTRIBUTORS,
            *(watermark, *columns, min(hours), max(hours) + 2 * HOUR, CONTRIBUTORS),
            *(list(watched), [entry.time_zone for entry in watched.values()]),
        )
        for row in rows:
            anomaly = by_key[str(row["tenant_id"]), row["kind"], row["subject"], row["hour"]]
            anomaly.contributors.setdefault(row["role"], []).append((row["name"], row["nano"]))

    async def _tell(self, anomaly: Anomaly, now: datetime) -> bool:
        async with self._storage.unit_of_work(tenant_scope(anomaly.tenant, "anomalies"), alone=False) as unit:
            values = (*anomaly.key, now, anomaly.actual, anomaly.usual.nano)
            if not await unit.fetch_value(store.NOTE_ANOMALY, *values):
                return False
            unit.record("CostAnomalyDetected", **anomaly.told(now))
        return True


def asked_hours(now_ns: int, time_zone: str, count: int) -> list[datetime]:
    """The beginnings of the local hours in question, the running one first."""
    found = []
    at_ns = now_ns
    for _ in range(count):
        start_ns = window_at("hour", at_ns, time_zone).start_ns
        found.append(to_datetime(start_ns))
        at_ns = start_ns - 1
    return found


def _question(watched: Mapping[str, Watched], asked: Mapping[str, list[datetime]], now_ns: int) -> tuple[object, ...]:
    """The values of the statement after the watermark."""
    hours: dict[tuple[str, datetime], bool] = {}
    for zone, moments in asked.items():
        for moment in moments:
            for alike in hours_alike(moment, zone):
                hours.setdefault((zone, alike.start), False)
        # One that is in question may be alike to a later one that is, too.
        hours |= {(zone, moment): True for moment in moments}
    now = to_datetime(now_ns)
    return (
        now - timedelta(weeks=WEEKS, days=2),
        now + 2 * HOUR,
        list(watched),
        [entry.rules.least_nano for entry in watched.values()],
        [entry.time_zone for entry in watched.values()],
        [zone for zone, _ in hours],
        [moment for _, moment in hours],
        list(hours.values()),
        MOST_SCOPES,
    )


def judge(row: Any, watched: Watched, asked: Mapping[str, list[datetime]]) -> list[Anomaly]:
    """The hours of a scope that are out of the ordinary."""
    rules, zone = watched.rules, watched.time_zone
    if row["kind"] not in rules.scopes:
        return []
    costs = dict(zip(row["hours"], row["costs"], strict=True))
    found = []
    for hour in asked[zone]:
        actual = costs.get(hour) or 0
        if actual < rules.least_nano or actual <= 0:
            continue
        today = hour.astimezone(zone_of(zone)).date()
        usual = usual_of(hours_alike(hour, zone), costs, row["first_day"], today)
        if usual is None:
            continue
        threshold = usual.threshold(float(rules.factor), float(rules.deviations), rules.least_nano)
        if actual > threshold:
            found.append(Anomaly(watched.id, row["kind"], row["subject"], hour, actual, threshold, usual))
    return found
