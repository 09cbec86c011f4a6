"""Temporary raises of budgets: so much more until a moment, and why. They pass by the clock; nothing has to happen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from enfilade.core.clock import Clock, to_datetime, to_ns, to_rfc3339
from enfilade.core.ids import IdFactory
from enfilade.core.money import format_usd, parse_usd
from enfilade.costs.errors import InvalidRule, RaiseEnded, UnknownRaise
from enfilade.costs.holds import store
from enfilade.costs.holds.types import BudgetRule, Raise
from enfilade.identity.rows import START
from enfilade.storage.rounds import ask_cells
from enfilade.storage.unit_of_work import UnitOfWork

MAX_RAISES = 100
"""How many may run for one budget at the same time."""
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class RaiseSpec:
    """By how much, or up to which limit; until a day, which counts whole, or a moment; and why."""

    until: str
    reason: str
    by_usd: str | int | float | Decimal | None = None
    to_usd: str | int | float | Decimal | None = None


class Raises:
    """The use cases of raises. Whoever calls has seen to it that the budget is the tenant's."""

    def __init__(self, ids: IdFactory, clock: Clock) -> None:
        """Name new raises with `ids`."""
        self._ids = ids
        self._clock = clock

    async def page(self, unit: UnitOfWork, budget: str, after: str | None, limit: int) -> list[Raise]:
        """All raises of a budget in the order of their making, also those that have passed."""
        return [raise_of(row) for row in await unit.fetch(store.LIST_RAISES, budget, after or START, limit)]

    async def current(self, unit: UnitOfWork, budgets: Sequence[object]) -> dict[str, tuple[Raise, ...]]:
        """The raises of these budgets that have not passed, in the cell where the unit is."""
        found: dict[str, tuple[Raise, ...]] = {}
        now = to_datetime(self._clock.now_ns())
        for row in await unit.fetch(store.LIST_CURRENT_RAISES, list(budgets), now) if budgets else ():
            entry = raise_of(row)
            found[entry.budget] = (*found.get(entry.budget, ()), entry)
        return found

    async def current_of_all(
        self, unit: UnitOfWork, budgets: Sequence[object], tenant: str | None
    ) -> dict[str, tuple[Raise, ...]]:
        """The same of budgets that may be in several cells."""
        found: dict[str, tuple[Raise, ...]] = {}
        for raises in await ask_cells(unit, tenant, lambda: self.current(unit, budgets)):
            found |= raises
        return found

    async def get(self, unit: UnitOfWork, budget: str, identifier: str) -> Raise:
        """One raise of a budget. Raises UnknownRaise."""
        row = await unit.fetch_row(store.FIND_RAISE, budget, identifier)
        if row is None:
            message = f"The budget {budget!r} has no raise {identifier!r}."
            raise UnknownRaise(message)
        return raise_of(row)

    async def add(self, unit: UnitOfWork, budget: BudgetRule, spec: RaiseSpec) -> Raise:
        """Raise a budget from now on. Raises InvalidRule."""
        now_ns = self._clock.now_ns()
        zones = await unit.fetch(store.LOAD_TIME_ZONES, [budget.tenant])
        until_ns = read_until(spec.until, zones[0]["time_zone"] if zones else "UTC")
        if until_ns <= now_ns:
            message = f"{to_rfc3339(until_ns)} has passed: a raise ends in the future"
            raise InvalidRule(message, param="until")
        amount_nano = _amount(budget, spec, now_ns)
        reason = spec.reason.strip()
        if not 0 < len(reason) <= MAX_REASON:
            message = f"a raise needs a reason of at most {MAX_REASON} characters"
            raise InvalidRule(message, param="reason")
        if len(budget.raises) >= MAX_RAISES:
            message = f"this budget has {MAX_RAISES} raises that have not passed; end some, or change its limit"
            raise InvalidRule(message)
        identifier, actor = self._ids.new_id(), unit.scope.actor
        span = (to_datetime(now_ns), to_datetime(until_ns))
        await unit.execute(store.INSERT_RAISE, unit.tenant, identifier, budget.id, amount_nano, reason, actor, *span)
        unit.record("BudgetRaised", **_described(budget.id, identifier, amount_nano, until_ns), reason=reason)
        unit.changed()
        return await self.get(unit, budget.id, identifier)

    async def end(self, unit: UnitOfWork, budget: BudgetRule, identifier: str) -> None:
        """End a raise before its time. Raises UnknownRaise, RaiseEnded."""
        present = await self.get(unit, budget.id, identifier)
        now_ns = self._clock.now_ns()
        if present.ended_ns is not None or present.until_ns <= now_ns:
            message = f"The raise {identifier!r} has passed already."
            raise RaiseEnded(message)
        await unit.execute(store.END_RAISE, unit.tenant, identifier, to_datetime(now_ns))
        unit.record("BudgetRaiseEnded", **_described(budget.id, identifier, present.amount_nano, present.until_ns))
        unit.changed()


def raise_of(row: Any) -> Raise:
    """A raise from its row."""
    ended = row["ended_at"]
    return Raise(
        id=str(row["id"]),
        budget=str(row["budget_id"]),
        amount_nano=row["amount_nano"],
        reason=row["reason"],
        actor=row["actor"],
        starts_ns=to_ns(row["starts_at"]),
        until_ns=to_ns(row["until_at"]),
        ended_ns=None if ended is None else to_ns(ended),
    )


def read_until(text: str, time_zone: str) -> int:
    """The end of a raise: the end of a day in the tenant's calendar, or a moment. Raises InvalidRule."""
    zone = ZoneInfo(time_zone)
    try:
        if len(text.strip()) == len("2026-12-31"):
            following = date.fromisoformat(text.strip()) + timedelta(days=1)
            moment = datetime(following.year, following.month, following.day, tzinfo=zone)
        else:
            moment = datetime.fromisoformat(text.strip())
        return to_ns((moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC))
    except (ValueError, OverflowError):
        message = f"{text!r} is neither a day such as 2026-12-31 nor a moment such as 2026-12-31T18:00:00Z"
        raise InvalidRule(message, param="until") from None


def _amount(budget: BudgetRule, spec: RaiseSpec, now_ns: int) -> int:
    if (spec.by_usd is None) == (spec.to_usd is None):
        message = "a raise is given as one of `by_usd` and `to_usd`"
        raise InvalidRule(message, param="by_usd")
    param = "by_usd" if spec.by_usd is not None else "to_usd"
    try:
        nano = parse_usd(spec.by_usd if spec.by_usd is not None else spec.to_usd or 0)
    except ValueError as error:
        raise InvalidRule(str(error), param=param) from None
    if spec.to_usd is not None:
        present = budget.limit_nano + budget.raised_at(now_ns)
        if nano <= present:
            message = f"the limit is {format_usd(present)} USD now: a raise goes above it"
            raise InvalidRule(message, param=param)
        nano -= present
    if nano <= 0:
        message = "a raise is more than nothing; to lower a budget change its limit"
        raise InvalidRule(message, param=param)
    return nano


def _described(budget: str, identifier: str, amount_nano: int, until_ns: int) -> dict[str, object]:
    return {
        "id": identifier,
        "budget": budget,
        "amount_usd": format_usd(amount_nano),
        "until": to_rfc3339(until_ns),
    }
