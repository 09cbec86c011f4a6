"""Price books that were in use here."""

from dataclasses import dataclass
from datetime import datetime

from enfilade.costs.errors import UnknownPriceList
from enfilade.costs.prices import store
from enfilade.costs.prices.book import FORM, PriceBook, decode_book
from enfilade.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class StoredBook:
    """One version of the published prices."""

    version: str
    compiled_at: datetime
    is_readable: bool
    """Whether it has the form that this program reads."""


class PriceBooks:
    """Every version that this database has seen."""

    async def versions(self, unit: UnitOfWork) -> list[StoredBook]:
        """The newest first."""
        rows = await unit.fetch(store.LIST_BOOKS)
        return [StoredBook(row["version"], row["compiled_at"], row["form"] == FORM) for row in rows]

    async def read(self, unit: UnitOfWork, version: str) -> PriceBook:
        """A book. Raises UnknownPriceList for one that is not there, or that an older program compiled."""
        text = await unit.fetch_value(store.READ_BOOK, version, FORM)
        if text is None:
            message = f"There is no price book {version!r} that this version of Enfilade reads."
            raise UnknownPriceList(message)
        return decode_book(text)
