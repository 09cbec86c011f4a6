"""Who has which role where."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, Limit, Page, page_of
from enfilade.configuration.role_parts import RoleAssignment as AssignmentBody
from enfilade.configuration.roles import assignment_fields, assignment_spec
from enfilade.identity.errors import AlreadyExists, UnknownAssignment
from enfilade.identity.permissions import ROLES_READ, ROLES_WRITE
from enfilade.identity.roles.types import NamedAssignment
from enfilade.identity.types import Outcome

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class AssignmentView(AssignmentBody):
    """An assignment."""

    id: str
    tenant: str
    source: str
    """`local`, or `oidc:` and the issuer whose groups it comes from: each sign-in makes those anew."""
    created_at: datetime


ROUTER = APIRouter(prefix="/role-assignments", tags=["roles"])
Reader = Annotated[Actor, Depends(Needs(ROLES_READ, confined_by="list"))]
Writer = Annotated[Actor, Depends(Needs(ROLES_WRITE, "one", confined_by="object"))]


def show(context: AdminContext, assignment: NamedAssignment) -> AssignmentView:
    """As it is shown."""
    tenant = context.principals.tenant(assignment.tenant)
    return AssignmentView(
        **assignment_fields(assignment),
        id=assignment.id,
        tenant=tenant.name if tenant else assignment.tenant,
        source=assignment.source,
        created_at=assignment.created_at,
    )


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[AssignmentView]:
    """List assignments of roles to users and groups."""
    assignments = context.rooms.identity.assignments
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: assignments.page(unit, after, count, actor.tenant, actor.within),
            cursor,
            limit,
            lambda assignment: show(context, assignment),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: AssignmentBody, actor: Writer) -> AssignmentView:
    """Assign a role. Nobody gives what they lack, or where they lack it."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        assignment, outcome = await context.rooms.identity.assignments.put(unit, assignment_spec(body))
        if outcome is Outcome.UNCHANGED:
            message = "This role is assigned so already."
            raise AlreadyExists(message)
    return show(context, assignment)


@ROUTER.delete("/{id}", status_code=204)
async def remove(context: Context, id: Id, actor: Writer) -> None:  # noqa: A002 - the name in the path
    """Take a role back: whoever had it lacks it within a second. One of an issuer's is withheld while it names the group."""
    assignments = context.rooms.identity.assignments
    async with context.storage.unit_of_work(actor.scope) as unit:
        found = await assignments.get(unit, id)
        if not actor.within.covers(await assignments.department_of(unit, found), found.application_id):
            message = f"There is no assignment {id!r} in this tenant."
            raise UnknownAssignment(message)
        await assignments.remove(unit, id)
