"""The register of use cases."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from enfilade.access.use_cases import UseCase
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.configuration.access import use_case_fields, use_case_spec
from enfilade.configuration.access_parts import UseCase as UseCaseBody
from enfilade.core.errors import InvalidRequest
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import USE_CASES_READ, USE_CASES_WRITE


class UseCaseView(UseCaseBody):
    """A use case."""

    id: str
    tenant: str
    version: int
    is_overdue: bool


ROUTER = APIRouter(prefix="/use-cases", tags=["access"])
Reader = Annotated[Actor, Depends(Needs(USE_CASES_READ))]
OneReader = Annotated[Actor, Depends(Needs(USE_CASES_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(USE_CASES_WRITE, "one"))]
Overdue = Annotated[bool, Query(description="Only those whose review is late.")]


def show(context: AdminContext, use_case: UseCase) -> UseCaseView:
    """As it is shown."""
    tenant = context.principals.tenant(use_case.tenant)
    return UseCaseView(
        **use_case_fields(use_case.spec),
        id=use_case.id,
        tenant=tenant.name if tenant else use_case.tenant,
        version=use_case.version,
        is_overdue=use_case.is_overdue(context.rooms.use_cases.today()),
    )


@ROUTER.get("")
async def page(
    context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None, *, overdue: Overdue = False
) -> Page[UseCaseView]:
    """List use cases."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.rooms.use_cases.page(unit, after, count, actor.tenant, overdue=overdue),
            cursor,
            limit,
            lambda use_case: show(context, use_case),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: UseCaseBody, actor: Writer, response: Response) -> UseCaseView:
    """Register a use case."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        if await context.rooms.use_cases.find(unit, body.name) is not None:
            message = f"There is a use case {body.name!r} already."
            raise AlreadyExists(message)
        use_case, _ = await context.rooms.use_cases.put(unit, use_case_spec(body))
    tag(response, use_case.version)
    return show(context, use_case)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: OneReader, response: Response) -> UseCaseView:
    """Show a use case."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        use_case = await context.rooms.use_cases.get(unit, name)
    tag(response, use_case.version)
    return show(context, use_case)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: UseCaseBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> UseCaseView:
    """Change a use case, e.g. after its review."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.rooms.use_cases.get(unit, name)
        if body.name != present.spec.name:
            message = "A use case cannot be renamed: calls were recorded under its name."
            raise InvalidRequest(message, param="name")
        use_case, _ = await context.rooms.use_cases.put(unit, use_case_spec(body), expected_version(if_match))
    tag(response, use_case.version)
    return show(context, use_case)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Take a use case off the register."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.use_cases.remove(unit, name, expected_version(if_match))
