"""Users."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.configuration.people import user_fields, user_spec
from enfilade.configuration.people_parts import User as UserBody
from enfilade.core.errors import InvalidRequest
from enfilade.identity.permissions import PEOPLE_READ, PEOPLE_WRITE
from enfilade.identity.types import User


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
Reader = Annotated[Actor, Depends(Needs(PEOPLE_READ))]
OneReader = Annotated[Actor, Depends(Needs(PEOPLE_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(PEOPLE_WRITE, "one"))]


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


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[UserView]:
    """List users."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.rooms.identity.users.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda user: show(context, user),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: UserBody, actor: Writer, response: Response) -> UserView:
    """Create a user."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.identity.users.require_new(unit, body.email)
        user, _ = await context.rooms.identity.users.put(unit, user_spec(body))
    tag(response, user.version)
    return show(context, user)


@ROUTER.get("/{email}")
async def read(context: Context, email: str, actor: OneReader, response: Response) -> UserView:
    """Show a user."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        user = await context.rooms.identity.users.get(unit, email)
    tag(response, user.version)
    return show(context, user)


@ROUTER.put("/{email}")
async def change(
    context: Context, email: str, body: UserBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> UserView:
    """Change a user."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.rooms.identity.users.get(unit, email)
        if body.email.lower() != present.spec.email:
            message = "A user's address cannot be changed."
            raise InvalidRequest(message, param="email")
        user, _ = await context.rooms.identity.users.put(unit, user_spec(body), expected_version(if_match))
    tag(response, user.version)
    return show(context, user)


@ROUTER.delete("/{email}", status_code=204)
async def remove(context: Context, email: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove a user and revoke their keys."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.identity.users.remove(unit, email, expected_version(if_match))
