"""Limits and budgets as administrators declare them."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from enfilade.core.ids import IdFactory
from enfilade.core.money import format_usd, parse_usd
from enfilade.costs.errors import InvalidRule, RuleExists, UnknownBudget, UnknownLimit
from enfilade.costs.holds import store
from enfilade.costs.holds.types import PER_SECONDS, PERIODS, Action, BudgetRule, LimitRule, Measure, Rule, Subject
from enfilade.identity.rows import START, check_version, text_id
from enfilade.identity.service import Identity
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

MAX_AMOUNT = 2**53
MAX_ALERTS = 10


@dataclass(frozen=True, slots=True)
class LimitSpec:
    """A limit in the words of the configuration: `scope` is e.g. `application:NAME` or `user:*`."""

    scope: str
    measure: str
    amount: int
    per: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class BudgetSpec:
    """A budget in the words of the configuration."""

    scope: str
    window: str
    limit_usd: str | int | float | Decimal
    alerts: tuple[str | int | float | Decimal, ...] = ()
    action: str = "block"
    model: str | None = None


async def resolve_subject(identity: Identity, unit: UnitOfWork, scope: str) -> Subject:
    """The subject behind `tenant`, `KIND:NAME` or `KIND:*`. Raises InvalidRule, or what looking the name up raises."""
    kind, separator, name = scope.partition(":")
    if kind == "tenant" and not separator:
        return Subject("tenant")
    if kind not in {"department", "application", "user", "key"} or not name:
        message = (
            f"{scope!r} is no scope; use tenant, department:NAME, application:NAME, user:EMAIL, key:NAME or KIND:*"
        )
        raise InvalidRule(message, param="scope")
    if name == "*":
        return Subject(kind)
    if kind == "department":
        return Subject(kind, (await identity.departments.get(unit, name)).id)
    if kind == "application":
        return Subject(kind, (await identity.applications.get(unit, name)).id)
    if kind == "user":
        return Subject(kind, (await identity.users.get(unit, name)).id)
    return Subject(kind, (await identity.keys.get(unit, name)).id)


class Limits:
    """The use cases of limits."""

    def __init__(self, ids: IdFactory, identity: Identity) -> None:
        """Name new limits with `ids`."""
        self._ids = ids
        self._identity = identity

    async def page(self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None) -> list[LimitRule]:
        """Limits in the order of their making."""
        return [limit_of(row) for row in await unit.fetch(store.LIST_LIMITS, after or START, limit, tenant)]

    async def get(self, unit: UnitOfWork, identifier: str) -> LimitRule:
        """The limit with that id. Raises UnknownLimit."""
        row = await unit.fetch_row(store.FIND_LIMIT, identifier)
        if row is None:
            message = f"There is no limit {identifier!r} in this tenant."
            raise UnknownLimit(message)
        return limit_of(row)

    async def put(
        self, unit: UnitOfWork, spec: LimitSpec, expected: int | None = None, *, must_be_new: bool = False
    ) -> tuple[LimitRule, Outcome]:
        """Declare a limit; one for the same subject, model, measure and window is changed.

        Raises InvalidRule, RuleExists, VersionMismatch, and what looking up the scope's name raises.
        """
        _check_limit(spec)
        subject = await resolve_subject(self._identity, unit, spec.scope)
        same = (unit.tenant, subject.kind, subject.id, spec.model, spec.measure, spec.per)
        row = await unit.fetch_row(store.FIND_SAME_LIMIT, *same)
        if row is None:
            identifier = self._ids.new_id()
            await unit.execute(
                store.INSERT_LIMIT,
                *(unit.tenant, identifier, subject.kind, subject.id, spec.model, spec.measure, spec.amount, spec.per),
            )
            outcome = Outcome.CREATED
        else:
            present = limit_of(row)
            if must_be_new:
                message = f"There is a limit of {spec.measure} for this scope, model and window already: {present.id}."
                raise RuleExists(message)
            identifier = present.id
            check_version(expected, present.version)
            if present.amount == spec.amount:
                return present, Outcome.UNCHANGED
            await unit.execute(store.UPDATE_LIMIT, unit.tenant, identifier, spec.amount)
            outcome = Outcome.CHANGED
        unit.record(
            "LimitCreated" if outcome is Outcome.CREATED else "LimitChanged",
            **_described(identifier, subject, spec.model),
            measure=spec.measure,
            amount=spec.amount,
            per=spec.per,
        )
        unit.changed()
        return await self.get(unit, identifier), outcome

    async def remove(self, unit: UnitOfWork, identifier: str, expected: int | None = None) -> None:
        """Lift a limit."""
        present = await self.get(unit, identifier)
        await unit.act_in(present.tenant)
        check_version(expected, present.version)
        await unit.execute(store.DELETE_LIMIT, unit.tenant, present.id)
        unit.record("LimitRemoved", **_described(present.id, present.subject, present.model))
        unit.changed()


class Budgets:
    """The use cases of budgets."""

    def __init__(self, ids: IdFactory, identity: Identity) -> None:
        """Name new budgets with `ids`."""
        self._ids = ids
        self._identity = identity

    async def page(
        self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None
    ) -> list[BudgetRule]:
        """Budgets in the order of their making."""
        return [budget_of(row) for row in await unit.fetch(store.LIST_BUDGETS, after or START, limit, tenant)]

    async def get(self, unit: UnitOfWork, identifier: str) -> BudgetRule:
        """The budget with that id. Raises UnknownBudget."""
        row = await unit.fetch_row(store.FIND_BUDGET, identifier)
        if row is None:
            message = f"There is no budget {identifier!r} in this tenant."
            raise UnknownBudget(message)
        return budget_of(row)

    async def put(
        self, unit: UnitOfWork, spec: BudgetSpec, expected: int | None = None, *, must_be_new: bool = False
    ) -> tuple[BudgetRule, Outcome]:
        """Declare a budget; one for the same subject, model and window is changed.

        Raises InvalidRule, RuleExists, VersionMismatch, and what looking up the scope's name raises.
        """
        limit_nano, alerts = _check_budget(spec)
        subject = await resolve_subject(self._identity, unit, spec.scope)
        same = (unit.tenant, subject.kind, subject.id, spec.model, spec.window)
        row = await unit.fetch_row(store.FIND_SAME_BUDGET, *same)
        shares = [Decimal(share) for share in alerts]
        if row is None:
            identifier = self._ids.new_id()
            await unit.execute(
                store.INSERT_BUDGET,
                *(unit.tenant, identifier, subject.kind, subject.id, spec.model),
                *(spec.window, limit_nano, shares, spec.action),
            )
            outcome = Outcome.CREATED
        else:
            present = budget_of(row)
            if must_be_new:
                message = f"There is a budget for this scope, model and window already: {present.id}."
                raise RuleExists(message)
            identifier = present.id
            check_version(expected, present.version)
            if (present.limit_nano, present.alerts, present.action.value) == (limit_nano, alerts, spec.action):
                return present, Outcome.UNCHANGED
            await unit.execute(store.UPDATE_BUDGET, unit.tenant, identifier, limit_nano, shares, spec.action)
            outcome = Outcome.CHANGED
        unit.record(
            "BudgetCreated" if outcome is Outcome.CREATED else "BudgetChanged",
            **_described(identifier, subject, spec.model),
            window=spec.window,
            limit_usd=format_usd(limit_nano),
            alerts=list(alerts),
            action=spec.action,
        )
        unit.changed()
        return await self.get(unit, identifier), outcome

    async def remove(self, unit: UnitOfWork, identifier: str, expected: int | None = None) -> None:
        """Lift a budget; the ledger keeps what was spent under it."""
        present = await self.get(unit, identifier)
        await unit.act_in(present.tenant)
        check_version(expected, present.version)
        await unit.execute(store.DELETE_BUDGET, unit.tenant, present.id)
        unit.record("BudgetRemoved", **_described(present.id, present.subject, present.model))
        unit.changed()


async def load_rules(unit: UnitOfWork, tenants: Collection[str] | None) -> dict[str, tuple[Rule, ...]]:
    """The rules in force, by tenant."""
    wanted = None if tenants is None else list(tenants)
    zones = {str(row["id"]): row["time_zone"] for row in await unit.fetch(store.LOAD_TIME_ZONES, wanted)}
    rules: dict[str, list[Rule]] = {}
    for row in await unit.fetch(store.LOAD_LIMITS, wanted):
        rules.setdefault(str(row["tenant_id"]), []).append(limit_of(row))
    for row in await unit.fetch(store.LOAD_BUDGETS, wanted):
        tenant = str(row["tenant_id"])
        rules.setdefault(tenant, []).append(budget_of(row, zones.get(tenant, "UTC")))
    return {tenant: tuple(group) for tenant, group in rules.items()}


def limit_of(row: Any) -> LimitRule:
    """A limit from its row."""
    return LimitRule(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        subject=Subject(row["subject_kind"], text_id(row["subject_id"])),
        model=row["model"],
        measure=Measure(row["measure"]),
        amount=row["amount"],
        per=row["per"],
        version=row["version"],
    )


def budget_of(row: Any, time_zone: str = "UTC") -> BudgetRule:
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
        version=row["version"],
    )


def _check_limit(spec: LimitSpec) -> None:
    if spec.measure not in {measure.value for measure in Measure}:
        message = f"{spec.measure!r} cannot be limited; use requests, tokens or concurrency"
        raise InvalidRule(message, param="measure")
    if not 0 <= spec.amount <= MAX_AMOUNT:
        message = f"a limit must be between 0 and {MAX_AMOUNT}"
        raise InvalidRule(message, param=spec.measure)
    if spec.measure == Measure.CONCURRENCY:
        if spec.per is not None:
            message = "concurrency has no window: leave `per` out"
            raise InvalidRule(message, param="per")
    elif spec.per not in PER_SECONDS:
        message = f"`per` must be one of {', '.join(PER_SECONDS)}"
        raise InvalidRule(message, param="per")


def _check_budget(spec: BudgetSpec) -> tuple[int, tuple[str, ...]]:
    if spec.window not in PERIODS:
        message = f"{spec.window!r} is no window; use one of {', '.join(PERIODS)}"
        raise InvalidRule(message, param="window")
    if spec.action not in {action.value for action in Action}:
        message = f"{spec.action!r} is no action; use block, cut or warn"
        raise InvalidRule(message, param="action")
    try:
        limit_nano = parse_usd(spec.limit_usd)
    except ValueError as error:
        raise InvalidRule(str(error), param="limit_usd") from None
    if limit_nano < 0:
        message = "a budget cannot be negative"
        raise InvalidRule(message, param="limit_usd")
    if len(spec.alerts) > MAX_ALERTS:
        message = f"a budget has at most {MAX_ALERTS} alerts"
        raise InvalidRule(message, param="alerts")
    return limit_nano, tuple(sorted({_checked_share(share) for share in spec.alerts}, key=Decimal))


def _checked_share(share: str | int | float | Decimal) -> str:
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


def _described(identifier: str, subject: Subject, model: str | None) -> dict[str, object]:
    return {"id": identifier, "scope": subject.kind, "subject": subject.id, "model": model}
