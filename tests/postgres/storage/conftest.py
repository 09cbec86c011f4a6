"""Two tenants with rows in every table, and raw connections as each role."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import APP, Address
from tests.support.parts import open_parts
from tests.support.two_tenants import World, two_tenants


@pytest.fixture
async def world(database: Address) -> AsyncIterator[World]:
    """Two tenants with rows in every table that has a tenant."""
    async with open_parts(database, ManualClock()) as parts:
        yield await two_tenants(parts)


@pytest.fixture
async def app(world: World) -> AsyncIterator[asyncpg.Connection]:
    """A raw connection as the app role, with no tenant set."""
    connection = await world.role(APP)
    yield connection
    await connection.close()
