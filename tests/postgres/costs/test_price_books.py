"""Price books over upgrades and faults, and prices that an earlier version stored."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock
from enfilade.costs.errors import PriceBookFault
from enfilade.costs.prices import catalogue, store
from enfilade.costs.prices.book import FORM, Match, PriceBook, PublishedModel, PublishedPrice, PublishedProvider
from enfilade.costs.prices.catalogue import PriceCatalogue
from enfilade.costs.prices.installed import book_version
from enfilade.costs.prices.overrides import override_of
from enfilade.costs.prices.tariffs import Tariff
from enfilade.storage import migrations
from enfilade.storage.address import Address
from enfilade.storage.migrations import SETS, load_set, migrate
from tests.support.parts import unit_in

EVENTS = "SELECT body FROM events WHERE type = $1 ORDER BY seq"
OLD_ROWS = """
INSERT INTO enfilade.price_overrides (model, effective_from, rates) VALUES
    ('chat', '2026-01-01', '{"input": 5, "output": 7}'), ('chat', '2026-02-01', NULL), ('gift', '2026-01-01', '{"free": 1}')
"""
OLD_BOOK = "INSERT INTO enfilade.price_books (version, body) VALUES ($1, 'a form that is no longer read')"


def book(version: str) -> PriceBook:
    """A book with one model."""
    model = PublishedModel("m", Match(equals="m"), (PublishedPrice({"input": 5}),))
    return PriceBook(version, (PublishedProvider("acme", "https://acme", (model,)),))


async def test_prices_and_books_that_an_earlier_version_stored_survive_the_upgrade(
    empty_database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {name: load_set(name) for name in SETS.values()}
    connection = await asyncpg.connect(empty_database.url)
    try:
        with monkeypatch.context() as before:
            before.setattr(migrations, "load_set", lambda name: own[name][:1])
            await migrate(connection, empty_database)
        await connection.execute(OLD_ROWS)
        await connection.execute(OLD_BOOK, book_version())
        await migrate(connection, empty_database)
        await connection.execute("SET search_path = enfilade")
        rows = [(row["model"], override_of(row).tariff) for row in await connection.fetch(store.LIST_OVERRIDES)]
        readable = await connection.fetchval(store.READ_BOOK, book_version(), FORM)
    finally:
        await connection.close()

    assert rows == [("chat", Tariff({"input": 5, "output": 7})), ("chat", None), ("gift", Tariff(free=True))]
    assert readable is None, "a book of another form is compiled anew"


async def test_a_book_that_cannot_be_made_leaves_the_last_good_one_in_use_and_raises_an_alarm(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> PriceBook:
        message = "The price data's entry for acme/m is not sane."
        raise PriceBookFault(message)

    monkeypatch.setattr(catalogue, "book_version", lambda: "genai-prices/9.9.9")
    monkeypatch.setattr(catalogue, "compile_installed_book", fail)
    good, broken = book("genai-prices/0.0.1"), b'{"version": "broken"'
    await _store(parts, good.version, FORM, msgspec.json.encode(good))
    await _store(parts, "genai-prices/0.0.2", FORM, broken)
    await _store(parts, "genai-prices/0.0.3", FORM + 1, msgspec.json.encode(good))
    await _forget(parts, book_version())

    prices = PriceCatalogue(parts.storage, ManualClock())
    await prices.prepare()

    assert prices.book == good
    assert prices.rejected == "The price data's entry for acme/m is not sane."
    (event,) = await _events(parts, "PriceBookRejected")
    assert event == {"version": "genai-prices/9.9.9", "reason": prices.rejected, "in_use": good.version}


async def test_a_stored_book_that_is_damaged_is_compiled_anew(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    good = book("genai-prices/9.9.9")

    async def compile_it() -> PriceBook:
        return good

    monkeypatch.setattr(catalogue, "book_version", lambda: good.version)
    monkeypatch.setattr(catalogue, "compile_installed_book", compile_it)
    await _store(parts, good.version, FORM, b"{")

    prices = PriceCatalogue(parts.storage, ManualClock())
    await prices.prepare()

    assert (prices.book, prices.rejected) == (good, None)


async def _store(parts: Parts, version: str, form: int, body: bytes) -> None:
    async with unit_in(parts) as unit:
        await unit.execute(store.STORE_BOOK, version, form, body.decode())


async def _forget(parts: Parts, version: str) -> None:
    """Nobody but the owner can take a book away."""
    async with parts.database.owner() as owner:
        await owner.execute("DELETE FROM enfilade.price_books WHERE version = $1", version)


async def _events(parts: Parts, kind: str) -> list[Mapping[str, Any]]:
    async with unit_in(parts) as unit:
        rows = await unit.fetch(EVENTS, kind)
    return [msgspec.json.decode(row["body"])["data"] for row in rows]
