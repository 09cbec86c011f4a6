"""When a tenant is told that an hour cost more than usual."""

from typing import Annotated

from fastapi import APIRouter, Depends

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.configuration.anomalies import anomaly_fields, anomaly_rules_of
from enfilade.configuration.billing_parts import Anomalies
from enfilade.costs.outlook.rules import DEFAULTS, AnomalyRules
from enfilade.identity.permissions import BUDGETS_READ, BUDGETS_WRITE

ROUTER = APIRouter(prefix="/anomaly-rules", tags=["limits and budgets"])
Reader = Annotated[Actor, Depends(Needs(BUDGETS_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(BUDGETS_WRITE, "one"))]


def _show(rules: AnomalyRules) -> Anomalies:
    return Anomalies.model_validate(anomaly_fields(rules))


@ROUTER.get("")
async def read(context: Context, actor: Reader) -> Anomalies:
    """Show a tenant's rules; the defaults, where it has none of its own."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await context.rooms.anomalies.find(unit, str(actor.tenant))
    return _show(found or DEFAULTS)


@ROUTER.put("")
async def put(context: Context, body: Anomalies, actor: Writer) -> Anomalies:
    """Set a tenant's rules. What is left out is as by default."""
    rules = anomaly_rules_of(body)
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.anomalies.put(unit, rules)
    return _show(rules)


@ROUTER.delete("", status_code=204)
async def remove(context: Context, actor: Writer) -> None:
    """Go by the defaults again."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.anomalies.remove(unit)
