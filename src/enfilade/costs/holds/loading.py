"""The rules in force, as the request path needs them."""

from collections.abc import Collection

from enfilade.core.clock import to_datetime, to_ns
from enfilade.costs.holds import store
from enfilade.costs.holds.budgets import budget_of
from enfilade.costs.holds.limits import limit_of
from enfilade.costs.holds.raises import raise_of
from enfilade.costs.holds.types import LimitSince, Raise, Rule
from enfilade.storage.unit_of_work import UnitOfWork

KEPT_NS = 7 * 86_400 * 1_000_000_000
"""So long a raise that has passed is still loaded: the clock may be set back."""


async def load_rules(unit: UnitOfWork, tenants: Collection[str] | None, now_ns: int) -> dict[str, tuple[Rule, ...]]:
    """The rules of these tenants, or of all, by tenant."""
    wanted = None if tenants is None else list(tenants)
    zones = {str(row["id"]): row["time_zone"] for row in await unit.fetch(store.LOAD_TIME_ZONES, wanted)}
    epochs = {str(row["tenant_id"]): row["epoch"] for row in await unit.fetch(store.LOAD_EPOCHS, wanted)}
    raises: dict[str, list[Raise]] = {}
    for row in await unit.fetch(store.LOAD_RAISES, wanted, to_datetime(now_ns - KEPT_NS)):
        raises.setdefault(str(row["budget_id"]), []).append(raise_of(row))
    limits: dict[str, list[LimitSince]] = {}
    for row in await unit.fetch(store.LOAD_BUDGET_LIMITS, wanted):
        since = LimitSince(to_ns(row["since"]), row["limit_nano"])
        limits.setdefault(str(row["budget_id"]), []).append(since)
    rules: dict[str, list[Rule]] = {}
    for row in await unit.fetch(store.LOAD_LIMITS, wanted):
        rules.setdefault(str(row["tenant_id"]), []).append(limit_of(row))
    for row in await unit.fetch(store.LOAD_BUDGETS, wanted):
        tenant, budget = str(row["tenant_id"]), str(row["id"])
        rule = budget_of(
            row, zones.get(tenant, "UTC"), raises.get(budget, ()), limits.get(budget, ()), epochs.get(tenant, 0)
        )
        rules.setdefault(tenant, []).append(rule)
    return {tenant: tuple(group) for tenant, group in rules.items()}
