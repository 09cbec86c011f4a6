"""Applications."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.confinement import page_within, require_place
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.seen import seen_application, seen_department
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, tag
from enfilade.configuration.document import Application as ApplicationBody
from enfilade.configuration.specs import application_fields, application_spec
from enfilade.core.errors import InvalidRequest
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import APPLICATIONS_READ, APPLICATIONS_WRITE
from enfilade.identity.types import Application
from enfilade.storage.unit_of_work import UnitOfWork


class ApplicationView(ApplicationBody):
    """An application."""

    id: str
    tenant: str
    version: int


ROUTER = APIRouter(prefix="/applications", tags=["applications"])
Reader = Annotated[Actor, Depends(Needs(APPLICATIONS_READ, confined_by="list"))]
OneReader = Annotated[Actor, Depends(Needs(APPLICATIONS_READ, "one", confined_by="object"))]
Writer = Annotated[Actor, Depends(Needs(APPLICATIONS_WRITE, "one", confined_by="object"))]


def show(context: AdminContext, application: Application) -> ApplicationView:
    """As it is shown."""
    tenant = context.principals.tenant(application.tenant)
    return ApplicationView(
        **application_fields(application),
        id=application.id,
        tenant=tenant.name if tenant else application.tenant,
        version=application.version,
    )


async def _require_department(context: AdminContext, unit: UnitOfWork, actor: Actor, body: ApplicationBody) -> None:
    """Refuse to put an application where the right does not hold."""
    found = await seen_department(context, unit, actor, body.department) if body.department else None
    require_place(actor, (found.id if found else None, None))


async def _check_use_cases(context: AdminContext, unit: UnitOfWork, body: ApplicationBody) -> None:
    for name in body.use_cases:
        await context.rooms.use_cases.get(unit, name)


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[ApplicationView]:
    """List applications."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_within(
            actor,
            lambda after, count: context.rooms.identity.applications.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda application: show(context, application),
            lambda application: (application.department_id, application.id),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: ApplicationBody, actor: Writer, response: Response) -> ApplicationView:
    """Create an application."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        if await context.rooms.identity.applications.find(unit, body.name) is not None:
            message = f"There is an application {body.name!r} already."
            raise AlreadyExists(message)
        await _check_use_cases(context, unit, body)
        await _require_department(context, unit, actor, body)
        application, _ = await context.rooms.identity.applications.put(unit, application_spec(body))
    tag(response, application.version)
    return show(context, application)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: OneReader, response: Response) -> ApplicationView:
    """Show an application."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        application = await seen_application(context, unit, actor, name)
    tag(response, application.version)
    return show(context, application)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: ApplicationBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> ApplicationView:
    """Change an application."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await seen_application(context, unit, actor, name)
        if body.name != present.spec.name:
            message = "An application cannot be renamed."
            raise InvalidRequest(message, param="name")
        await _check_use_cases(context, unit, body)
        if body.department != present.spec.department:
            await _require_department(context, unit, actor, body)
        application, _ = await context.rooms.identity.applications.put(
            unit, application_spec(body), expected_version(if_match)
        )
    tag(response, application.version)
    return show(context, application)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove an application and revoke its keys."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await seen_application(context, unit, actor, name)
        await context.rooms.identity.applications.remove(unit, name, expected_version(if_match))
