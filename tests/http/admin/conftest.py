"""The owner of the house that the tests of a module share, and logs without colour."""

from collections.abc import Iterator

import pytest
import pytest_asyncio
import structlog
from httpx2 import AsyncClient

from tests.support.house import House


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
