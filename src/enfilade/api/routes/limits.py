"""Limits of requests, tokens and concurrency."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.confinement import page_within
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.seen import require_subject, rule_place, seen_limit
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, tag
from enfilade.configuration.limit_parts import Limit as LimitBody
from enfilade.configuration.specs import limit_fields, limit_spec
from enfilade.configuration.subjects import scope_text
from enfilade.costs.holds.limits import LimitSpec
from enfilade.costs.holds.types import LimitRule
from enfilade.identity.permissions import LIMITS_READ, LIMITS_WRITE

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class LimitView(LimitBody):
    """A limit."""

    id: str
    tenant: str
    version: int


class LimitChange(BaseModel):
    """A limit's new amount."""

    model_config = ConfigDict(extra="forbid")

    amount: Annotated[int, Field(ge=0, le=2**53)]


ROUTER = APIRouter(prefix="/limits", tags=["limits and budgets"])
Reader = Annotated[Actor, Depends(Needs(LIMITS_READ, confined_by="list"))]
Writer = Annotated[Actor, Depends(Needs(LIMITS_WRITE, "one", confined_by="object"))]
AnyWriter = Annotated[Actor, Depends(Needs(LIMITS_WRITE, confined_by="object"))]


def scope_of(context: AdminContext, rule: LimitRule) -> str:
    """The subject in the words of the configuration."""
    subject = rule.subject
    known = context.principals.subject_name(rule.tenant, subject.kind, subject.id) if subject.id else None
    return scope_text(subject, {(subject.kind, subject.id): known} if known and subject.id else {})


def show(context: AdminContext, rule: LimitRule) -> LimitView:
    """As it is shown."""
    tenant = context.principals.tenant(rule.tenant)
    return LimitView(
        **limit_fields(rule, scope_of(context, rule)),
        id=rule.id,
        tenant=tenant.name if tenant else rule.tenant,
        version=rule.version,
    )


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[LimitView]:
    """List limits."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_within(
            actor,
            lambda after, count: context.rooms.limits.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda rule: show(context, rule),
            lambda rule: rule_place(context, rule),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: LimitBody, actor: Writer, response: Response) -> LimitView:
    """Set a limit."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await require_subject(context, unit, actor, body.scope)
        rule, _ = await context.rooms.limits.put(unit, limit_spec(body), must_be_new=True)
    tag(response, rule.version)
    return show(context, rule)


@ROUTER.get("/{id}")
async def read(context: Context, id: Id, actor: Reader, response: Response) -> LimitView:  # noqa: A002 - the name in the path
    """Show a limit."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        rule = await seen_limit(context, unit, actor, id)
    tag(response, rule.version)
    return show(context, rule)


@ROUTER.put("/{id}")
async def change(
    context: Context,
    id: Id,  # noqa: A002 - the name in the path
    body: LimitChange,
    actor: AnyWriter,
    response: Response,
    if_match: IfMatch = None,
) -> LimitView:
    """Change a limit's amount; what was counted stays counted."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await seen_limit(context, unit, actor, id)
        await unit.act_in(present.tenant)
        spec = LimitSpec(scope_of(context, present), present.measure.value, body.amount, present.per, present.model)
        rule, _ = await context.rooms.limits.put(unit, spec, expected_version(if_match))
    tag(response, rule.version)
    return show(context, rule)


@ROUTER.delete("/{id}", status_code=204)
async def remove(context: Context, id: Id, actor: AnyWriter, if_match: IfMatch = None) -> None:  # noqa: A002 - the name in the path
    """Lift a limit."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await seen_limit(context, unit, actor, id)
        await context.rooms.limits.remove(unit, id, expected_version(if_match))
