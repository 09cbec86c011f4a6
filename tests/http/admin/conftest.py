"""A house for the tests of a module that leave it as it was, so that a table of many cases needs only one."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog
from httpx2 import AsyncClient

from tests.support.house import House, open_house
from tests.support.postgres import TestServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(server: TestServer) -> AsyncIterator[House]:
    """One running house for all tests of a module."""
    async with server.database() as database, open_house(database) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def owner(shared: House) -> AsyncClient:
    """A client of that house with the platform owner's key."""
    return shared.admin()


@pytest.fixture(autouse=True, scope="module")
def plain_logs() -> Iterator[None]:
    """Log without rendering tracebacks: structlog's own default takes seconds for one of this program's depth."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()
