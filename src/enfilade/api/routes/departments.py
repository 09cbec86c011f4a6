"""Departments."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.confinement import page_within
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.seen import seen_department
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, tag
from enfilade.configuration.document import Department as DepartmentBody
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import PEOPLE_READ, PEOPLE_WRITE
from enfilade.identity.types import Department, Outcome


class DepartmentView(DepartmentBody):
    """A department."""

    id: str
    tenant: str
    version: int


ROUTER = APIRouter(prefix="/departments", tags=["people"])
Reader = Annotated[Actor, Depends(Needs(PEOPLE_READ, confined_by="list"))]
OneReader = Annotated[Actor, Depends(Needs(PEOPLE_READ, "one", confined_by="object"))]
Writer = Annotated[Actor, Depends(Needs(PEOPLE_WRITE, "one"))]


def show(context: AdminContext, department: Department) -> DepartmentView:
    """As it is shown."""
    tenant = context.principals.tenant(department.tenant)
    return DepartmentView(
        name=department.name,
        id=department.id,
        tenant=tenant.name if tenant else department.tenant,
        version=department.version,
    )


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[DepartmentView]:
    """List departments."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_within(
            actor,
            lambda after, count: context.rooms.identity.departments.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda department: show(context, department),
            lambda department: (department.id, None),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: DepartmentBody, actor: Writer, response: Response) -> DepartmentView:
    """Create a department."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        department, outcome = await context.rooms.identity.departments.put(unit, body.name)
        if outcome is not Outcome.CREATED:
            message = f"There is a department {body.name!r} already."
            raise AlreadyExists(message)
    tag(response, department.version)
    return show(context, department)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: OneReader, response: Response) -> DepartmentView:
    """Show a department."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        department = await seen_department(context, unit, actor, name)
    tag(response, department.version)
    return show(context, department)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove a department that nothing refers to."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.identity.departments.remove(unit, name, expected_version(if_match))
