"""Bad calls change nothing, so those of a file share one house. They run in its event loop: see each file's `pytestmark`."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.house import House


@pytest_asyncio.fixture(loop_scope="module")
async def house(shared: House) -> AsyncIterator[House]:
    """That house; the test's own connections are closed after it."""
    yield shared
    await shared.close_clients()
