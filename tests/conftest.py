"""Fixtures for all tests."""

import os
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import certifi
import httpcore2
import pytest

from enfilade.costs.prices import catalogue
from enfilade.costs.prices.book import decode_book
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, furnished_template, open_house
from tests.support.postgres import TestServer, running_server

MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 10**9


def _live_in_memory() -> None:
    """Keep what tests write in memory, where there is room: a database is made for most of them.

    On some machines' disks that takes a tenth of a second and more, in memory a hundredth.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


_live_in_memory()


@pytest.fixture(scope="session", autouse=True)
def price_book_is_read_once() -> Iterator[None]:
    """Every house would check the same thousand prices anew. What the book says does not depend on the house."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "decode_book", lru_cache(decode_book))
        yield


@pytest.fixture(scope="session", autouse=True)
def authorities_are_read_once() -> Iterator[None]:
    """Every client that is made would read all certificates of authorities anew, for 25 ms of processor time."""
    make, public = ssl.create_default_context, certifi.where()
    of_clients = lru_cache(make)

    def context(*values: Any, **named: Any) -> ssl.SSLContext:
        return (of_clients if not values and named == {"cafile": public} else make)(*values, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", context)
        patch.setattr(httpcore2, "default_ssl_context", lru_cache(httpcore2.default_ssl_context))
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """A PostgreSQL server for this test process."""
    with running_server(tmp_path_factory.mktemp("pg")) as running:
        yield running


@pytest.fixture
async def database(server: TestServer) -> AsyncIterator[Address]:
    """A migrated database of the test's own."""
    async with server.database() as address:
        yield address


@pytest.fixture
async def empty_database(server: TestServer) -> AsyncIterator[Address]:
    """A database with nothing in it."""
    async with server.database(template=None) as address:
        yield address


@pytest.fixture
async def world_database(server: TestServer) -> AsyncIterator[Address]:
    """A database of the test's own in which the world of `tests.support.world` stands."""
    async with server.database(await furnished_template(server)) as address:
        yield address


@pytest.fixture
async def house(world_database: Address) -> AsyncIterator[House]:
    """The whole program, running, with the world of `tests.support.world`."""
    async with open_house(world_database, HouseOptions(document=None)) as running:
        yield running
