"""Published price books, and what differs between them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from enfilade.api.admin.price_views import DifferenceView, ListToImport, difference_view
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View
from enfilade.configuration.price_lists import read_entries
from enfilade.core.clock import to_datetime
from enfilade.costs.prices.diff import differences, of_book, of_book_now, of_entries
from enfilade.identity.permissions import CATALOGUE_READ

Version = Annotated[str, Query(max_length=100, description="As the list of books names it.")]


class BookView(View):
    """One version of the published prices."""

    version: str
    compiled_at: datetime
    readable: bool
    in_use: bool


ROUTER = APIRouter(prefix="/price-books", tags=["prices"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ, "platform"))]


@ROUTER.get("")
async def page(context: Context, actor: Reader) -> list[BookView]:
    """Every book that was ever in use here, the newest first."""
    prices = context.rooms.prices
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return [
            BookView(
                version=stored.version,
                compiled_at=stored.compiled_at,
                readable=stored.is_readable,
                in_use=stored.is_readable and stored.version == prices.book.version,
            )
            for stored in await prices.books.versions(unit)
        ]


@ROUTER.get("/differences")
async def compare(
    context: Context,
    actor: Reader,
    old: Version,
    new: Annotated[Version | None, Query(description="The one in use, if it is left out.")] = None,
) -> list[DifferenceView]:
    """What differs between two books."""
    prices = context.rooms.prices
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        before = await prices.books.read(unit, old)
        after = prices.book if new is None else await prices.books.read(unit, new)
    return [difference_view(found) for found in differences(of_book(before), of_book(after))]


@ROUTER.post("/differences")
async def compare_list(context: Context, body: ListToImport, actor: Reader) -> list[DifferenceView]:
    """What a price list whose models are named `PROVIDER/MODEL` as in the book says otherwise than the book says now."""
    del actor
    entries = of_entries(read_entries(body.prices))
    moment = to_datetime(context.clock.now_ns())
    published = of_book_now(context.rooms.prices.book, list(entries), moment)
    return [difference_view(found) for found in differences(published, entries)]
