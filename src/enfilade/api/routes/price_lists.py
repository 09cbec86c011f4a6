"""Price lists: imported whole or not at all."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from enfilade.api.admin.price_views import DifferenceView, ListToImport, difference_view
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View
from enfilade.configuration.price_lists import ListedPrice, entry_fields, read_entries
from enfilade.costs.prices.diff import differences, of_entries
from enfilade.costs.prices.imports import StoredList
from enfilade.identity.permissions import CATALOGUE_READ, CATALOGUE_WRITE

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$", description="Yours to choose.")]


class ListView(View):
    """One version of a price list."""

    name: str
    version: int
    entries: int
    imported_by: str
    imported_at: datetime


class WholeList(ListView):
    """One version of a price list, with its prices."""

    prices: list[ListedPrice]


class ImportView(View):
    """What an import did, or would do."""

    name: str
    version: Annotated[int, Field(description="The version that holds now; 0 if there is none.")]
    changed: bool
    differences: list[DifferenceView]


ROUTER = APIRouter(prefix="/price-lists", tags=["prices"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(CATALOGUE_WRITE, "platform"))]


@ROUTER.get("")
async def page(context: Context, actor: Reader) -> list[ListView]:
    """Every version of every list."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return [ListView(**_fields(stored)) for stored in await context.rooms.prices.imports.versions(unit)]


@ROUTER.get("/{name}")
async def read(
    context: Context, name: Name, actor: Reader, version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
) -> WholeList:
    """A list's newest version, or the one that is asked for."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        stored, entries = await context.rooms.prices.imports.read(unit, name, version)
    prices = [ListedPrice.model_validate(entry_fields(entry)) for entry in entries]
    return WholeList(**_fields(stored), prices=prices)


@ROUTER.get("/{name}/differences")
async def compare(
    context: Context,
    name: Name,
    actor: Reader,
    old: Annotated[int, Query(ge=1, le=2**31 - 1)],
    new: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The newest, if it is left out.")] = None,
) -> list[DifferenceView]:
    """What differs between two versions of a list."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        _, before = await context.rooms.prices.imports.read(unit, name, old)
        _, after = await context.rooms.prices.imports.read(unit, name, new)
    return [difference_view(found) for found in differences(of_entries(before), of_entries(after))]


@ROUTER.put("/{name}")
async def change(
    context: Context,
    name: Name,
    body: ListToImport,
    actor: Writer,
    *,
    prune: Annotated[bool, Query(description="End the prices of models that the list no longer names.")] = False,
    dry_run: Annotated[bool, Query(description="Tell what would change, and change nothing.")] = False,
) -> ImportView:
    """Import a list. The same list again changes nothing; one wrong entry refuses them all."""
    entries = read_entries(body.prices)
    async with context.storage.unit_of_work(actor.scope) as unit:
        done = await context.rooms.prices.imports.put(unit, name, entries, prune=prune, rehearse=dry_run)
    return ImportView(
        name=done.name,
        version=done.version,
        changed=done.changed,
        differences=[difference_view(difference) for difference in done.differences],
    )


def _fields(stored: StoredList) -> dict[str, Any]:
    return {
        "name": stored.name,
        "version": stored.version,
        "entries": stored.entries,
        "imported_by": stored.imported_by,
        "imported_at": stored.imported_at,
    }
