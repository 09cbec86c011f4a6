"""Bad calls change nothing, so those of a file share one house. They run in its event loop: see each file's `pytestmark`."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.house import House, HouseOptions, furnished_template, open_house
from tests.support.postgres import TestServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_house(server: TestServer) -> AsyncIterator[House]:
    """One house for the tests of a file."""
    async with (
        server.database(await furnished_template(server)) as address,
        open_house(address, HouseOptions(document=None)) as running,
    ):
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def house(shared_house: House) -> AsyncIterator[House]:
    """That house; the test's own connections are closed after it."""
    yield shared_house
    await shared_house.close_clients()
