"""Users."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.confinement import page_within, require_place
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.seen import seen_department, seen_user
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, tag
from enfilade.configuration.people import user_fields, user_spec
from enfilade.configuration.people_parts import User as UserBody
from enfilade.core.errors import InvalidRequest
from enfilade.identity.permissions import PEOPLE_READ, PEOPLE_WRITE
from enfilade.identity.types import User
from enfilade.storage.unit_of_work import UnitOfWork


class UserView(UserBody):
    """A user."""

    id: str
    tenant: str
    version: int
    source: str
    """Who looks after them: `local`, `scim`, or `oidc:` and an issuer's name."""
    external_id: str | None
    """What that calls them."""


ROUTER = APIRouter(prefix="/users", tags=["people"])
Reader = Annotated[Actor, Depends(Needs(PEOPLE_READ, confined_by="list", platform_too=True))]
OneReader = Annotated[Actor, Depends(Needs(PEOPLE_READ, "one", confined_by="object", platform_too=True))]
Writer = Annotated[Actor, Depends(Needs(PEOPLE_WRITE, "one", confined_by="object", platform_too=True))]


def show(context: AdminContext, user: User) -> UserView:
    """As it is shown."""
    tenant = context.principals.tenant(user.tenant)
    return UserView(
        **user_fields(user),
        id=user.id,
        tenant=tenant.name if tenant else user.tenant,
        version=user.version,
        source=user.origin.source,
        external_id=user.origin.external_id,
    )


async def _require_department(context: AdminContext, unit: UnitOfWork, actor: Actor, body: UserBody) -> None:
    """Refuse to put somebody where the right does not hold."""
    found = await seen_department(context, unit, actor, body.department) if body.department else None
    require_place(actor, (found.id if found else None, None))


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[UserView]:
    """List users."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_within(
            actor,
            lambda after, count: context.rooms.identity.users.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda user: show(context, user),
            lambda user: (user.department_id, None),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: UserBody, actor: Writer, response: Response) -> UserView:
    """Create a user."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await _require_department(context, unit, actor, body)
        await context.rooms.identity.users.require_new(unit, body.email)
        user, _ = await context.rooms.identity.users.put(unit, user_spec(body))
    tag(response, user.version)
    return show(context, user)


@ROUTER.get("/{email}")
async def read(context: Context, email: str, actor: OneReader, response: Response) -> UserView:
    """Show a user."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        user = await seen_user(context, unit, actor, email)
    tag(response, user.version)
    return show(context, user)


@ROUTER.put("/{email}")
async def change(
    context: Context, email: str, body: UserBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> UserView:
    """Change a user."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await seen_user(context, unit, actor, email)
        if body.email.lower() != present.spec.email:
            message = "A user's address cannot be changed."
            raise InvalidRequest(message, param="email")
        if body.department != present.spec.department:
            await _require_department(context, unit, actor, body)
        user, _ = await context.rooms.identity.users.put(unit, user_spec(body), expected_version(if_match))
    tag(response, user.version)
    return show(context, user)


@ROUTER.delete("/{email}", status_code=204)
async def remove(context: Context, email: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove a user and revoke their keys."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await seen_user(context, unit, actor, email)
        await context.rooms.identity.users.remove(unit, email, expected_version(if_match))
