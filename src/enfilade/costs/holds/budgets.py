"""Budgets, as administrators declare them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.core.money import format_usd, parse_usd
from enfilade.costs.errors import InvalidRule, RuleExists, UnknownBudget
from enfilade.costs.holds import store
from enfilade.costs.holds.raises import Raises
from enfilade.costs.holds.subjects import described, resolve_subject
from enfilade.costs.holds.types import PERIODS, Action, BudgetRule, LimitSince, Raise, Subject
from enfilade.costs.holds.windows import LAST_MONTH_START
from enfilade.identity.rows import START, check_version, text_id
from enfilade.identity.service import Identity
from enfilade.identity.types import Outcome
from enfilade.storage.rounds import fetch_found
from enfilade.storage.unit_of_work import UnitOfWork

MAX_ALERTS = 10
FISCAL_MONTHS = ("month", "quarter", "year")
FISCAL_YEARS = ("quarter", "year")

Dollars = str | int | float | Decimal


@dataclass(frozen=True, slots=True)
class BudgetSpec:
    """A budget in the words of the configuration."""

    scope: str
    window: str
    limit_usd: Dollars
    alerts: tuple[Dollars, ...] = ()
    action: str = "block"
    model: str | None = None
    month_starts_on: int = 1
    year_starts_in: int = 1
    carry_over: bool = False
    carry_over_limit_usd: Dollars | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a budget can be changed."""

    limit_nano: int
    alerts: tuple[str, ...]
    action: str
    month_starts_on: int
    year_starts_in: int
    carry_over: bool
    carry_over_limit_nano: int | None

    def columns(self) -> tuple[object, ...]:
        """As they are stored."""
        return (
            self.limit_nano,
            [Decimal(share) for share in self.alerts],
            self.action,
            self.month_starts_on,
            self.year_starts_in,
            self.carry_over,
            self.carry_over_limit_nano,
        )

    def told(self) -> dict[str, object]:
        """What the events say of them; what is as usual is left out."""
        fields: dict[str, object] = {
            "limit_usd": format_usd(self.limit_nano),
            "alerts": list(self.alerts),
            "action": self.action,
        }
        if self.month_starts_on != 1:
            fields["month_starts_on"] = self.month_starts_on
        if self.year_starts_in != 1:
            fields["year_starts_in"] = self.year_starts_in
        if self.carry_over:
            most = self.carry_over_limit_nano
            fields |= {"carry_over": True, "carry_over_limit_usd": None if most is None else format_usd(most)}
        return fields


class Budgets:
    """The use cases of budgets."""

    def __init__(self, ids: IdFactory, identity: Identity, clock: Clock) -> None:
        """Name new budgets with `ids`."""
        self._ids = ids
        self._identity = identity
        self._clock = clock
        self.raises = Raises(ids, clock)

    async def page(
        self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None
    ) -> list[BudgetRule]:
        """Budgets in the order of their making, with the raises that have not passed."""
        rows = await unit.fetch_listed(store.LIST_BUDGETS, after or START, limit, tenant)
        raises = await self.raises.current_of_all(unit, [row["id"] for row in rows], tenant)
        return [budget_of(row, raises=raises.get(str(row["id"]), ())) for row in rows]

    async def get(self, unit: UnitOfWork, identifier: str) -> BudgetRule:
        """The budget with that id. Raises UnknownBudget."""
        row = await fetch_found(unit, store.FIND_BUDGET, identifier)
        if row is None:
            message = f"There is no budget {identifier!r} in this tenant."
            raise UnknownBudget(message)
        raises = await self.raises.current(unit, [row["id"]])
        return budget_of(row, raises=raises.get(identifier, ()))

    async def put(
        self, unit: UnitOfWork, spec: BudgetSpec, expected: int | None = None, *, must_be_new: bool = False
    ) -> tuple[BudgetRule, Outcome]:
        """Declare a budget; one for the same subject, model and window is changed.

        Raises InvalidRule, RuleExists, VersionMismatch, and what looking up the scope's name raises.
        """
        terms = check_budget(spec)
        subject = await resolve_subject(self._identity, unit, spec.scope)
        same = (unit.tenant, subject.kind, subject.id, spec.model, spec.window)
        row = await unit.fetch_row(store.FIND_SAME_BUDGET, *same)
        now = to_datetime(self._clock.now_ns())
        if row is None:
            identifier = self._ids.new_id()
            named = (unit.tenant, identifier, subject.kind, subject.id, spec.model, spec.window, now)
            await unit.execute(store.INSERT_BUDGET, *named, *terms.columns())
            await unit.execute(store.INSERT_BUDGET_LIMIT, unit.tenant, identifier, now, terms.limit_nano)
            outcome = Outcome.CREATED
        else:
            present = budget_of(row)
            if must_be_new:
                message = f"There is a budget for this scope, model and window already: {present.id}."
                raise RuleExists(message)
            identifier = present.id
            check_version(expected, present.version)
            if _terms_of(present) == terms:
                return await self.get(unit, identifier), Outcome.UNCHANGED
            await unit.execute(store.UPDATE_BUDGET, unit.tenant, identifier, *terms.columns())
            if present.limit_nano != terms.limit_nano:
                await unit.execute(store.INSERT_BUDGET_LIMIT, unit.tenant, identifier, now, terms.limit_nano)
            outcome = Outcome.CHANGED
        unit.record(
            "BudgetCreated" if outcome is Outcome.CREATED else "BudgetChanged",
            **described(identifier, subject, spec.model),
            window=spec.window,
            **terms.told(),
        )
        unit.changed()
        return await self.get(unit, identifier), outcome

    async def remove(self, unit: UnitOfWork, identifier: str, expected: int | None = None) -> None:
        """Lift a budget; the ledger keeps what was spent under it."""
        present = await self.get(unit, identifier)
        await unit.act_in(present.tenant)
        check_version(expected, present.version)
        await unit.execute(store.DELETE_BUDGET, unit.tenant, present.id)
        unit.record("BudgetRemoved", **described(present.id, present.subject, present.model))
        unit.changed()


def budget_of(
    row: Any,
    time_zone: str = "UTC",
    raises: Sequence[Raise] = (),
    limits: Sequence[LimitSince] = (),
    epoch: int = 0,
) -> BudgetRule:
    """A budget from its row."""
    return BudgetRule(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        subject=Subject(row["subject_kind"], text_id(row["subject_id"])),
        model=row["model"],
        period=row["period"],
        limit_nano=row["limit_nano"],
        alerts=tuple(_share_text(share) for share in row["alerts"]),
        action=Action(row["action"]),
        time_zone=time_zone,
        month_starts_on=row["month_starts_on"],
        year_starts_in=row["year_starts_in"],
        carry_over=row["carry_over"],
        carry_over_limit_nano=row["carry_over_limit_nano"],
        raises=tuple(raises),
        limits=tuple(limits),
        epoch=epoch,
        version=row["version"],
    )


def check_budget(spec: BudgetSpec) -> Terms:
    """What a specification says, if it means something. Raises InvalidRule."""
    if spec.window not in PERIODS:
        message = f"{spec.window!r} is no window; use one of {', '.join(PERIODS)}"
        raise InvalidRule(message, param="window")
    if spec.action not in {action.value for action in Action}:
        message = f"{spec.action!r} is no action; use block, cut or warn"
        raise InvalidRule(message, param="action")
    if len(spec.alerts) > MAX_ALERTS:
        message = f"a budget has at most {MAX_ALERTS} alerts"
        raise InvalidRule(message, param="alerts")
    _check_calendar(spec)
    return Terms(
        _amount(spec.limit_usd, "limit_usd"),
        tuple(sorted({_checked_share(share) for share in spec.alerts}, key=Decimal)),
        spec.action,
        spec.month_starts_on,
        spec.year_starts_in,
        spec.carry_over,
        _carry_over_limit(spec),
    )


def _check_calendar(spec: BudgetSpec) -> None:
    if not 1 <= spec.month_starts_on <= LAST_MONTH_START:
        message = f"a month starts on one of its first {LAST_MONTH_START} days, which every month has"
        raise InvalidRule(message, param="month_starts_on")
    if spec.month_starts_on != 1 and spec.window not in FISCAL_MONTHS:
        message = f"`month_starts_on` is for budgets per {', '.join(FISCAL_MONTHS)}, not per {spec.window}"
        raise InvalidRule(message, param="month_starts_on")
    if not 1 <= spec.year_starts_in <= 12:
        message = "a year starts in a month from 1 to 12"
        raise InvalidRule(message, param="year_starts_in")
    if spec.year_starts_in != 1 and spec.window not in FISCAL_YEARS:
        message = f"`year_starts_in` is for budgets per {', '.join(FISCAL_YEARS)}, not per {spec.window}"
        raise InvalidRule(message, param="year_starts_in")


def _carry_over_limit(spec: BudgetSpec) -> int | None:
    if spec.carry_over and spec.window == "total":
        message = "a budget in total has no window before it from which something could be carried over"
        raise InvalidRule(message, param="carry_over")
    if spec.carry_over_limit_usd is None:
        return None
    if not spec.carry_over:
        message = "`carry_over_limit_usd` needs `carry_over: true`"
        raise InvalidRule(message, param="carry_over_limit_usd")
    return _amount(spec.carry_over_limit_usd, "carry_over_limit_usd")


def _amount(dollars: Dollars, param: str) -> int:
    try:
        nano = parse_usd(dollars)
    except ValueError as error:
        raise InvalidRule(str(error), param=param) from None
    if nano < 0:
        message = "a budget cannot be negative"
        raise InvalidRule(message, param=param)
    return nano


def _terms_of(rule: BudgetRule) -> Terms:
    return Terms(
        rule.limit_nano,
        rule.alerts,
        rule.action.value,
        rule.month_starts_on,
        rule.year_starts_in,
        rule.carry_over,
        rule.carry_over_limit_nano,
    )


def _checked_share(share: Dollars) -> str:
    try:
        value = Decimal(str(share))
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and 0 < value <= 10 and value == value.quantize(Decimal("0.000001"))):
        message = f"{share!r} is no share of a budget: use figures such as 0.8 for 80 %"
        raise InvalidRule(message, param="alerts")
    return _share_text(value)


def _share_text(share: Decimal) -> str:
    return format(share.normalize(), "f")
