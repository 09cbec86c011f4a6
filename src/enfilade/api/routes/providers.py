"""Providers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.configuration.part import StrictPart
from enfilade.configuration.provider_parts import Provider as ProviderBody
from enfilade.configuration.secret_part import Secret
from enfilade.configuration.specs import provider_fields, provider_spec, secret_reference
from enfilade.configuration.values import Duration
from enfilade.core.errors import InvalidRequest
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import CATALOGUE_READ, CATALOGUE_WRITE
from enfilade.providers.key_rotation import MAX_GRACE_S, until_text
from enfilade.providers.types import ProviderRecord


class PreviousKeyView(StrictPart, BaseModel):
    """The key that a rotation replaced; a reference only."""

    env: str | None = None
    file: str | None = None
    vault: str | None = None
    sealed: str | None = None
    until: str
    """From then on it is forgotten."""


class ProviderChange(ProviderBody):
    """What is sent to declare or change a provider."""

    previous_api_key: Annotated[
        PreviousKeyView | None, Field(description="Shown while a rotated key's grace lasts; not read.")
    ] = None


class ProviderView(ProviderChange):
    """A provider; its key as a reference only."""

    id: str
    version: int


class KeyChange(StrictPart, BaseModel):
    """Another key for a provider."""

    api_key: Secret
    """The new key, which is used first from now on."""
    grace: Annotated[
        Annotated[Duration, Field(le=MAX_GRACE_S)],
        Field(description="How long the old key serves where the provider refuses the new one; 0 forgets it at once."),
    ] = 86_400.0


def show(record: ProviderRecord) -> ProviderView:
    """A provider as it is shown."""
    old = record.spec.previous_key
    previous = None if old is None else PreviousKeyView(**old.reference.shown(), until=until_text(old))
    fields = provider_fields(record.spec)
    return ProviderView(**fields, previous_api_key=previous, id=record.id, version=record.version)


ROUTER = APIRouter(prefix="/providers", tags=["catalogue"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(CATALOGUE_WRITE, "platform"))]


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[ProviderView]:
    """List providers."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(lambda after, count: context.rooms.providers.page(unit, after, count), cursor, limit, show)


@ROUTER.post("", status_code=201)
async def create(context: Context, body: ProviderChange, actor: Writer, response: Response) -> ProviderView:
    """Declare a provider."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        if await context.rooms.providers.find(unit, body.name) is not None:
            message = f"There is a provider {body.name!r} already."
            raise AlreadyExists(message)
        record, _ = await context.rooms.providers.put(unit, *provider_spec(body))
    tag(response, record.version)
    return show(record)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: Reader, response: Response) -> ProviderView:
    """Show a provider."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        record = await context.rooms.providers.get(unit, name)
    tag(response, record.version)
    return show(record)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: ProviderChange, actor: Writer, response: Response, if_match: IfMatch = None
) -> ProviderView:
    """Change a provider."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.rooms.providers.get(unit, name)
        if body.name != present.spec.name:
            message = "A provider cannot be renamed."
            raise InvalidRequest(message, param="name")
        record, _ = await context.rooms.providers.put(unit, *provider_spec(body), expected_version(if_match))
    tag(response, record.version)
    return show(record)


@ROUTER.post("/{name}/rotate-key")
async def rotate_key(
    context: Context, name: str, body: KeyChange, actor: Writer, response: Response, if_match: IfMatch = None
) -> ProviderView:
    """Give a provider another key without an outage."""
    secret = body.api_key
    key = secret.value if secret.value is not None else secret_reference(secret)
    async with context.storage.unit_of_work(actor.scope) as unit:
        expected = expected_version(if_match)
        record = await context.key_rotation.rotate(unit, name, key, body.grace, expected)
    tag(response, record.version)
    return show(record)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove a provider that no model uses."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        record = await context.rooms.providers.get(unit, name)
        await context.rooms.catalogue.require_unused(unit, record.spec.name)
        await context.rooms.providers.remove(unit, name, expected_version(if_match))
