"""Keys. A secret is shown once, in the reply that made it."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.confinement import is_seen, page_within
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.seen import key_place, seen_key
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, View, expected_version, tag
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
    scopes: list[str]
    confined_to: str | None
    last_used_at: Annotated[datetime | None, Field(description="The minute of its last use; null before the first.")]
    revoked_at: datetime | None
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
Reader = Annotated[Actor, Depends(Needs(KEYS_READ, confined_by="list"))]
# A platform key that names no tenant works on the platform's own context.rooms.identity.keys.
Writer = Annotated[Actor, Depends(Needs(KEYS_WRITE, confined_by="object"))]


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
        scopes=list(key.spec.scopes),
        confined_to=key.spec.confined_to,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
        hints=hints or [],
        version=key.version,
        created_at=key.created_at,
    )


def show_issued(context: AdminContext, issued: IssuedKey, hints: list[str]) -> IssuedKeyView:
    """With its secret, this once."""
    return IssuedKeyView(**show(context, issued.key, hints).model_dump(), secret=issued.secret)


@ROUTER.get("")
async def page(
    context: Context,
    actor: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    hint: Annotated[
        str | None,
        Query(
            pattern=r"^enf_[0-9a-f]{10}$",
            description="The public beginning of a secret, e.g. of one that leaked: only the key whose it is or was, "
            "even if it was revoked.",
        ),
    ] = None,
) -> Page[KeyView]:
    """List keys that are not revoked."""
    keys = context.rooms.identity.keys
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        if hint is not None:
            found = [key for key in await keys.with_hint(unit, hint) if is_seen(actor, key_place(context, key))]
            return Page(items=[show(context, key, [hint]) for key in found])
        return await page_within(
            actor,
            lambda after, count: keys.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda key: show(context, key),
            lambda key: key_place(context, key),
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
        key = await seen_key(context, unit, actor, name)
        hints = await context.rooms.identity.keys.hints(unit, key)
    tag(response, key.version)
    return show(context, key, hints)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: KeyBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> KeyView:
    """Change a key; its secret stays unless one is given."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await seen_key(context, unit, actor, name)
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
        await seen_key(context, unit, actor, name)
        issued = await context.rooms.identity.keys.rotate(unit, name, grace)
        hints = await context.rooms.identity.keys.hints(unit, issued.key)
    return show_issued(context, issued, hints)


@ROUTER.delete("/{name}", status_code=204)
async def revoke(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Revoke a key: every process refuses it within a second."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await seen_key(context, unit, actor, name)
        await context.rooms.identity.keys.revoke(unit, name, expected_version(if_match))


def _value(body: KeyBody) -> str | None:
    if body.secret is None:
        return None
    if body.secret.value is None:
        message = "A key's secret is given as {value: …}; the server does not read it from elsewhere."
        raise InvalidRequest(message, param="secret")
    return body.secret.value
