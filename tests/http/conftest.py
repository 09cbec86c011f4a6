"""A house for the tests of a file that leave it as it was: opening one takes longer than most of them."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.house import House, HouseOptions, furnished_template, open_house
from tests.support.postgres import TestServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(server: TestServer) -> AsyncIterator[House]:
    """One running house for all tests of a file."""
    async with (
        server.database(await furnished_template(server)) as address,
        open_house(address, HouseOptions(document=None)) as house,
    ):
        yield house
