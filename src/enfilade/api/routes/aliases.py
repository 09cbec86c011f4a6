"""Aliases of the catalogue."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.configuration.model_parts import Alias as AliasBody
from enfilade.configuration.specs import alias_fields, alias_spec
from enfilade.core.errors import InvalidRequest
from enfilade.gateway.types import CatalogueRecord
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import CATALOGUE_READ, CATALOGUE_WRITE

Name = Annotated[str, Path(max_length=200)]


class AliasView(AliasBody):
    """An alias."""

    id: str
    version: int


def show(record: CatalogueRecord) -> AliasView:
    """An alias as it is shown."""
    return AliasView(**alias_fields(record.spec), id=record.id, version=record.version)


ROUTER = APIRouter(prefix="/aliases", tags=["catalogue"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(CATALOGUE_WRITE, "platform"))]


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[AliasView]:
    """List aliases."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.rooms.catalogue.page_aliases(unit, after, count), cursor, limit, show
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: AliasBody, actor: Writer, response: Response) -> AliasView:
    """Declare an alias."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        if await context.rooms.catalogue.find_alias(unit, body.name) is not None:
            message = f"There is an alias {body.name!r} already."
            raise AlreadyExists(message)
        record, _ = await context.rooms.catalogue.put_alias(unit, alias_spec(body))
    tag(response, record.version)
    return show(record)


@ROUTER.get("/{name:path}")
async def read(context: Context, name: Name, actor: Reader, response: Response) -> AliasView:
    """Show an alias."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        record = await context.rooms.catalogue.get_alias(unit, name)
    tag(response, record.version)
    return show(record)


@ROUTER.put("/{name:path}")
async def change(
    context: Context, name: Name, body: AliasBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> AliasView:
    """Change an alias."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.rooms.catalogue.get_alias(unit, name)
        if body.name != present.spec.name:
            message = "An alias cannot be renamed."
            raise InvalidRequest(message, param="name")
        record, _ = await context.rooms.catalogue.put_alias(unit, alias_spec(body), expected_version(if_match))
    tag(response, record.version)
    return show(record)


@ROUTER.delete("/{name:path}", status_code=204)
async def remove(context: Context, name: Name, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove an alias."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.catalogue.remove_alias(unit, name, expected_version(if_match))
