"""Two tenants with rows in every table, and raw connections as each role."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock
from enfilade.storage.address import APP, Address
from tests.support.parts import make_tenant, open_parts
from tests.support.two_tenants import World, two_tenants


@pytest.fixture
async def parts(database: Address) -> AsyncIterator[Parts]:
    """A process's parts with a clock that stands still; the writer is running."""
    async with open_parts(database, ManualClock()) as opened:
        yield opened


@pytest.fixture
async def tenant(parts: Parts) -> str:
    """A tenant's id."""
    return (await make_tenant(parts, "acme")).id


@pytest.fixture
async def world(parts: Parts) -> World:
    """Two tenants with rows in every table that has a tenant."""
    return await two_tenants(parts)


@pytest.fixture
async def app(world: World) -> AsyncIterator[asyncpg.Connection]:
    """A raw connection as the app role, with no tenant set."""
    connection = await world.role(APP)
    yield connection
    await connection.close()
