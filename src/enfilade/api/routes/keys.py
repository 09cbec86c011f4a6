"""Keys. A secret is shown once, in the reply that made it."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, View, expected_version, page_of, tag
from enfilade.configuration.document import Key as KeyBody
from enfilade.configuration.specs import key_spec
from enfilade.configuration.values import Duration
from enfilade.core.errors import InvalidRequest
from enfilade.identity.permissions import KEYS_READ, KEYS_WRITE
from enfilade.identity.types import IssuedKey, Key


class KeyView(View):
    """A key without its secret, which nobody can read again."""

    id: str
    tenant: str
    name: str
    application: str | None
    user: str | None
    roles: list[str]
    expires: datetime | None
    allowed_ips: list[str]
    hints: Annotated[list[str], Field(description="The public beginnings of the valid secrets.")]
    version: int
    created_at: datetime


class IssuedKeyView(KeyView):
    """A key with its new secret; null when the caller set it."""

    secret: str | None


class Rotation(BaseModel):
    """How a key is to be rotated."""

    model_config = ConfigDict(extra="forbid")

    grace: Annotated[Duration, Field(description="How long the old secret stays valid.")] = 86_400.0


ROUTER = APIRouter(prefix="/keys", tags=["keys"])
Reader = Annotated[Actor, Depends(Needs(KEYS_READ))]
# A platform key that names no tenant works on the platform's own context.rooms.identity.keys.
Writer = Annotated[Actor, Depends(Needs(KEYS_WRITE))]


def show(context: AdminContext, key: Key, hints: list[str] | None = None) -> KeyView:
    """As it is shown."""
    tenant = context.principals.tenant(key.tenant)
    return KeyView(
        id=key.id,
        tenant=tenant.name if tenant else key.tenant,
        name=key.spec.name,
        application=key.spec.application,
        user=key.spec.user,
        roles=list(key.spec.roles),
        expires=key.spec.expires_at,
        allowed_ips=list(key.spec.allowed_ips),
        hints=hints or [],
        version=key.version,
        created_at=key.created_at,
    )


def show_issued(context: AdminContext, issued: IssuedKey, hints: list[str]) -> IssuedKeyView:
    """With its secret, this once."""
    return IssuedKeyView(**show(context, issued.key, hints).model_dump(), secret=issued.secret)


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[KeyView]:
    """List keys that are not revoked."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.rooms.identity.keys.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda key: show(context, key),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: KeyBody, actor: Writer, response: Response) -> IssuedKeyView:
    """Issue a key; its secret is shown this once."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        issued = await context.rooms.identity.keys.issue(unit, key_spec(body), _value(body))
        hints = await context.rooms.identity.keys.hints(unit, issued.key)
    tag(response, issued.key.version)
    return show_issued(context, issued, hints)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: Reader, response: Response) -> KeyView:
    """Show a key."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        key = await context.rooms.identity.keys.get(unit, name)
        hints = await context.rooms.identity.keys.hints(unit, key)
    tag(response, key.version)
    return show(context, key, hints)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: KeyBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> KeyView:
    """Change a key; its secret stays unless one is given."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.rooms.identity.keys.get(unit, name)
        if body.name != present.spec.name:
            message = "A key cannot be renamed."
            raise InvalidRequest(message, param="name")
        issued, _ = await context.rooms.identity.keys.put(
            unit, key_spec(body), _value(body), expected_version(if_match)
        )
        hints = await context.rooms.identity.keys.hints(unit, issued.key)
    tag(response, issued.key.version)
    return show(context, issued.key, hints)


@ROUTER.post("/{name}/rotate")
async def rotate(context: Context, name: str, actor: Writer, body: Rotation | None = None) -> IssuedKeyView:
    """Give a key a new secret; the old one stays valid for a while."""
    grace = timedelta(seconds=(body or Rotation()).grace)
    async with context.storage.unit_of_work(actor.scope) as unit:
        issued = await context.rooms.identity.keys.rotate(unit, name, grace)
        hints = await context.rooms.identity.keys.hints(unit, issued.key)
    return show_issued(context, issued, hints)


@ROUTER.delete("/{name}", status_code=204)
async def revoke(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Revoke a key: every process refuses it within a second."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.identity.keys.revoke(unit, name, expected_version(if_match))


def _value(body: KeyBody) -> str | None:
    if body.secret is None:
        return None
    if body.secret.value is None:
        message = "A key's secret is given as {value: …}; the server does not read it from elsewhere."
        raise InvalidRequest(message, param="secret")
    return body.secret.value
