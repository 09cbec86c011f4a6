"""Budgets, with what is spent and held now."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Money, Page, View, expected_version, page_of, tag
from enfilade.configuration.document import Budget as BudgetBody
from enfilade.configuration.specs import budget_spec
from enfilade.configuration.subjects import scope_text
from enfilade.configuration.values import Amount
from enfilade.core.clock import to_datetime
from enfilade.core.money import format_usd
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.budgets import BudgetSpec
from enfilade.costs.holds.types import BudgetRule
from enfilade.costs.holds.windows import FOREVER_NS, window_at
from enfilade.identity.permissions import BUDGETS_READ, BUDGETS_WRITE

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class SubjectSpend(View):
    """What one subject of a budget for each of a kind has used."""

    subject: str
    spent_usd: Money
    held_usd: Money


class BudgetView(View):
    """A budget."""

    id: str
    tenant: str
    scope: str
    model: str | None
    window: str
    limit_usd: Money
    action: str
    alerts: list[str]
    spent_usd: Annotated[Money, Field(description="Settled in the current window; for `KIND:*`, by all of them.")]
    held_usd: Annotated[Money, Field(description="Held for calls that are running.")]
    resets_at: Annotated[datetime | None, Field(description="When the window ends; null for `total`.")]
    subjects: Annotated[list[SubjectSpend] | None, Field(description="For `KIND:*`: each one's own use.")]
    version: int


class BudgetChange(BaseModel):
    """What may be changed of a budget."""

    model_config = ConfigDict(extra="forbid")

    limit_usd: Amount
    alerts: Annotated[list[Amount], Field(max_length=10)] = []
    action: Literal["block", "cut", "warn"] = "block"


ROUTER = APIRouter(prefix="/budgets", tags=["limits and budgets"])
Reader = Annotated[Actor, Depends(Needs(BUDGETS_READ))]
Writer = Annotated[Actor, Depends(Needs(BUDGETS_WRITE, "one"))]
AnyWriter = Annotated[Actor, Depends(Needs(BUDGETS_WRITE))]


def scope_of(context: AdminContext, rule: BudgetRule) -> str:
    """The subject in the words of the configuration."""
    subject = rule.subject
    known = context.principals.subject_name(rule.tenant, subject.kind, subject.id) if subject.id else None
    return scope_text(subject, {(subject.kind, subject.id): known} if known and subject.id else {})


async def show(context: AdminContext, rule: BudgetRule) -> BudgetView:
    """As it is shown."""
    meters = await context.costs.budget_meters(rule)
    tenant = context.principals.tenant(rule.tenant)
    zone = tenant.spec.time_zone if tenant else "UTC"
    end_ns = window_at(rule.period, context.clock.now_ns(), zone).end_ns
    return BudgetView(
        id=rule.id,
        tenant=tenant.name if tenant else rule.tenant,
        scope=scope_of(context, rule),
        model=rule.model,
        window=rule.period,
        limit_usd=format_usd(rule.limit_nano),
        action=rule.action.value,
        alerts=list(rule.alerts),
        spent_usd=format_usd(sum(meter.spent for meter in meters)),
        held_usd=format_usd(sum(meter.held for meter in meters)),
        resets_at=None if end_ns >= FOREVER_NS else to_datetime(end_ns),
        subjects=[subject_view(context, rule, meter) for meter in meters] if rule.subject.is_each else None,
        version=rule.version,
    )


def subject_view(context: AdminContext, rule: BudgetRule, meter: BudgetMeter) -> SubjectSpend:
    """One subject of a rule for each of a kind."""
    name = context.principals.subject_name(rule.tenant, rule.subject.kind, meter.subject)
    return SubjectSpend(
        subject=name or meter.subject, spent_usd=format_usd(meter.spent), held_usd=format_usd(meter.held)
    )


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[BudgetView]:
    """List budgets with what is spent and held."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        rules = await page_of(
            lambda after, count: context.rooms.budgets.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda rule: rule,
        )
    return Page(items=[await show(context, rule) for rule in rules.items], next=rules.next)


@ROUTER.post("", status_code=201)
async def create(context: Context, body: BudgetBody, actor: Writer, response: Response) -> BudgetView:
    """Set a budget."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        rule, _ = await context.rooms.budgets.put(unit, budget_spec(body), must_be_new=True)
    tag(response, rule.version)
    return await show(context, rule)


@ROUTER.get("/{id}")
async def read(context: Context, id: Id, actor: Reader, response: Response) -> BudgetView:  # noqa: A002 - the name in the path
    """Show a budget."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        rule = await context.rooms.budgets.get(unit, id)
    tag(response, rule.version)
    return await show(context, rule)


@ROUTER.put("/{id}")
async def change(
    context: Context,
    id: Id,  # noqa: A002 - the name in the path
    body: BudgetChange,
    actor: AnyWriter,
    response: Response,
    if_match: IfMatch = None,
) -> BudgetView:
    """Change a budget; what was spent stays spent."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.rooms.budgets.get(unit, id)
        await unit.act_in(present.tenant)
        spec = BudgetSpec(
            scope_of(context, present), present.period, body.limit_usd, tuple(body.alerts), body.action, present.model
        )
        rule, _ = await context.rooms.budgets.put(unit, spec, expected_version(if_match))
    tag(response, rule.version)
    return await show(context, rule)


@ROUTER.delete("/{id}", status_code=204)
async def remove(context: Context, id: Id, actor: AnyWriter, if_match: IfMatch = None) -> None:  # noqa: A002 - the name in the path
    """Lift a budget."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.budgets.remove(unit, id, expected_version(if_match))
