"""Budgets, with what is spent and held now."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.confinement import page_within
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.seen import require_subject, rule_place, seen_budget
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Money, Page, View, expected_version, tag
from enfilade.configuration.limit_parts import Budget as BudgetBody
from enfilade.configuration.specs import budget_spec
from enfilade.configuration.subjects import scope_text
from enfilade.configuration.values import Amount, Count
from enfilade.core.clock import to_datetime
from enfilade.core.money import format_usd
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.budgets import BudgetSpec
from enfilade.costs.holds.types import BudgetRule
from enfilade.costs.holds.windows import FOREVER_NS, window_at
from enfilade.identity.permissions import BUDGETS_READ, BUDGETS_WRITE

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class SubjectSpend(View):
    """What one subject of a budget for each of a kind has used, and may use."""

    subject: str
    spent_usd: Money
    held_usd: Money
    carried_usd: Money
    effective_limit_usd: Money
    left_usd: Money


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
    month_starts_on: int
    year_starts_in: int
    carry_over: bool
    carry_over_limit_usd: Money | None
    raised_usd: Annotated[Money, Field(description="What the raises that run now add to the limit.")]
    carried_usd: Annotated[
        Money | None, Field(description="What was left of the window before; null for `KIND:*`: see `subjects`.")
    ]
    effective_limit_usd: Annotated[
        Money | None, Field(description="Limit, raises and what is carried over; null for `KIND:*`.")
    ]
    left_usd: Annotated[Money | None, Field(description="What is neither spent nor held of it; null for `KIND:*`.")]
    spent_usd: Annotated[Money, Field(description="Settled in the current window; for `KIND:*`, by all of them.")]
    held_usd: Annotated[Money, Field(description="Held for calls that are running.")]
    window_start: Annotated[datetime | None, Field(description="When the window began; null for `total`.")]
    resets_at: Annotated[datetime | None, Field(description="When it ends and the next begins; null for `total`.")]
    subjects: Annotated[list[SubjectSpend] | None, Field(description="For `KIND:*`: each one's own use.")]
    version: int


class BudgetChange(BaseModel):
    """What may be changed of a budget. What is left out is as it is without."""

    model_config = ConfigDict(extra="forbid")

    limit_usd: Amount
    alerts: Annotated[list[Amount], Field(max_length=10)] = []
    action: Literal["block", "cut", "warn"] = "block"
    month_starts_on: Annotated[Count, Field(le=28)] = 1
    year_starts_in: Annotated[Count, Field(le=12)] = 1
    carry_over: bool = False
    carry_over_limit_usd: Amount | None = None


ROUTER = APIRouter(prefix="/budgets", tags=["limits and budgets"])
Reader = Annotated[Actor, Depends(Needs(BUDGETS_READ, confined_by="list"))]
Writer = Annotated[Actor, Depends(Needs(BUDGETS_WRITE, "one", confined_by="object"))]
AnyWriter = Annotated[Actor, Depends(Needs(BUDGETS_WRITE, confined_by="object"))]


def scope_of(context: AdminContext, rule: BudgetRule) -> str:
    """The subject in the words of the configuration."""
    subject = rule.subject
    known = context.principals.subject_name(rule.tenant, subject.kind, subject.id) if subject.id else None
    return scope_text(subject, {(subject.kind, subject.id): known} if known and subject.id else {})


async def show(context: AdminContext, rule: BudgetRule) -> BudgetView:
    """As it is shown."""
    meters = await context.costs.budget_meters(rule)
    tenant = context.principals.tenant(rule.tenant)
    now_ns = context.clock.now_ns()
    calendar = rule.calendar._replace(time_zone=tenant.spec.time_zone if tenant else "UTC")
    window = window_at(rule.period, now_ns, *calendar)
    is_endless = window.end_ns >= FOREVER_NS
    spent, held = sum(meter.spent for meter in meters), sum(meter.held for meter in meters)
    raised, carried = rule.raised_at(now_ns), sum(meter.carried for meter in meters)
    effective = rule.limit_nano + raised + carried
    most, each = rule.carry_over_limit_nano, rule.subject.is_each
    return BudgetView(
        id=rule.id,
        tenant=tenant.name if tenant else rule.tenant,
        scope=scope_of(context, rule),
        model=rule.model,
        window=rule.period,
        limit_usd=format_usd(rule.limit_nano),
        action=rule.action.value,
        alerts=list(rule.alerts),
        month_starts_on=rule.month_starts_on,
        year_starts_in=rule.year_starts_in,
        carry_over=rule.carry_over,
        carry_over_limit_usd=None if most is None else format_usd(most),
        raised_usd=format_usd(raised),
        carried_usd=None if each else format_usd(carried),
        effective_limit_usd=None if each else format_usd(effective),
        left_usd=None if each else format_usd(max(0, effective - spent - held)),
        spent_usd=format_usd(spent),
        held_usd=format_usd(held),
        window_start=None if is_endless else to_datetime(window.start_ns),
        resets_at=None if is_endless else to_datetime(window.end_ns),
        subjects=[subject_view(context, rule, meter, raised) for meter in meters] if each else None,
        version=rule.version,
    )


def subject_view(context: AdminContext, rule: BudgetRule, meter: BudgetMeter, raised: int) -> SubjectSpend:
    """One subject of a rule for each of a kind."""
    name = context.principals.subject_name(rule.tenant, rule.subject.kind, meter.subject)
    effective = rule.limit_nano + raised + meter.carried
    return SubjectSpend(
        subject=name or meter.subject,
        spent_usd=format_usd(meter.spent),
        held_usd=format_usd(meter.held),
        carried_usd=format_usd(meter.carried),
        effective_limit_usd=format_usd(effective),
        left_usd=format_usd(max(0, effective - meter.spent - meter.held)),
    )


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[BudgetView]:
    """List budgets with what is spent and held."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        rules = await page_within(
            actor,
            lambda after, count: context.rooms.budgets.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda rule: rule,
            lambda rule: rule_place(context, rule),
        )
    return Page(items=[await show(context, rule) for rule in rules.items], next=rules.next)


@ROUTER.post("", status_code=201)
async def create(context: Context, body: BudgetBody, actor: Writer, response: Response) -> BudgetView:
    """Set a budget."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await require_subject(context, unit, actor, body.scope)
        rule, _ = await context.rooms.budgets.put(unit, budget_spec(body), must_be_new=True)
    tag(response, rule.version)
    return await show(context, rule)


@ROUTER.get("/{id}")
async def read(context: Context, id: Id, actor: Reader, response: Response) -> BudgetView:  # noqa: A002 - the name in the path
    """Show a budget."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        rule = await seen_budget(context, unit, actor, id)
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
        present = await seen_budget(context, unit, actor, id)
        await unit.act_in(present.tenant)
        spec = BudgetSpec(
            scope_of(context, present),
            present.period,
            body.limit_usd,
            tuple(body.alerts),
            body.action,
            present.model,
            body.month_starts_on,
            body.year_starts_in,
            body.carry_over,
            body.carry_over_limit_usd,
        )
        rule, _ = await context.rooms.budgets.put(unit, spec, expected_version(if_match))
    tag(response, rule.version)
    return await show(context, rule)


@ROUTER.delete("/{id}", status_code=204)
async def remove(context: Context, id: Id, actor: AnyWriter, if_match: IfMatch = None) -> None:  # noqa: A002 - the name in the path
    """Lift a budget."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await seen_budget(context, unit, actor, id)
        await context.rooms.budgets.remove(unit, id, expected_version(if_match))
