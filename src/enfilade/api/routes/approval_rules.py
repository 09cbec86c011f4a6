"""Approval rules: which requests need whom."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.access.approvals.errors import UnknownApprovalRule
from enfilade.access.approvals.types import RuleRecord
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.configuration.approvals import ApprovalRule, rule_fields, rule_of
from enfilade.core.errors import InvalidRequest
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import APPROVALS_READ, APPROVALS_WRITE


class RuleView(ApprovalRule):
    """An approval rule."""

    id: str
    tenant: str
    version: int


ROUTER = APIRouter(prefix="/approval-rules", tags=["approvals"])
Reader = Annotated[Actor, Depends(Needs(APPROVALS_READ))]
OneReader = Annotated[Actor, Depends(Needs(APPROVALS_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(APPROVALS_WRITE, "one"))]


def show(context: AdminContext, record: RuleRecord) -> RuleView:
    """As it is shown."""
    tenant = context.principals.tenant(record.tenant)
    return RuleView(
        **rule_fields(record.rule),
        id=record.id,
        tenant=tenant.name if tenant else record.tenant,
        version=record.version,
    )


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[RuleView]:
    """List approval rules."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.approvals.rules.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda record: show(context, record),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: ApprovalRule, actor: Writer, response: Response) -> RuleView:
    """Make a rule. Where it covers roles, it may cover those only whose rights you have yourself."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        try:
            await context.approvals.rules.get(unit, body.name)
        except UnknownApprovalRule:
            record, _ = await context.approvals.rules.put(unit, rule_of(body))
        else:
            message = f"There is an approval rule {body.name!r} already."
            raise AlreadyExists(message)
    tag(response, record.version)
    return show(context, record)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: OneReader, response: Response) -> RuleView:
    """Show a rule."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        record = await context.approvals.rules.get(unit, name)
    tag(response, record.version)
    return show(context, record)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: ApprovalRule, actor: Writer, response: Response, if_match: IfMatch = None
) -> RuleView:
    """Change a rule; requests that were made before go on by the old one."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.approvals.rules.get(unit, name)
        if body.name != present.rule.name:
            message = "A rule cannot be renamed."
            raise InvalidRequest(message, param="name")
        record, _ = await context.approvals.rules.put(unit, rule_of(body), expected_version(if_match))
    tag(response, record.version)
    return show(context, record)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove a rule; requests that were made before go on by it."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.approvals.rules.remove(unit, name, expected_version(if_match))
