"""Providers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.configuration.document import Provider as ProviderBody
from enfilade.configuration.specs import provider_fields, provider_spec
from enfilade.core.errors import InvalidRequest
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import CATALOGUE_READ, CATALOGUE_WRITE
from enfilade.providers.types import ProviderRecord


class ProviderView(ProviderBody):
    """A provider; its key as a reference only."""

    id: str
    version: int


def show(record: ProviderRecord) -> ProviderView:
    """A provider as it is shown."""
    return ProviderView(**provider_fields(record.spec), id=record.id, version=record.version)


ROUTER = APIRouter(prefix="/providers", tags=["catalogue"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(CATALOGUE_WRITE, "platform"))]


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[ProviderView]:
    """List providers."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(lambda after, count: context.rooms.providers.page(unit, after, count), cursor, limit, show)


@ROUTER.post("", status_code=201)
async def create(context: Context, body: ProviderBody, actor: Writer, response: Response) -> ProviderView:
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
    context: Context, name: str, body: ProviderBody, actor: Writer, response: Response, if_match: IfMatch = None
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


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove a provider that no model uses."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        record = await context.rooms.providers.get(unit, name)
        await context.rooms.catalogue.require_unused(unit, record.spec.name)
        await context.rooms.providers.remove(unit, name, expected_version(if_match))
