"""Cells that are away for a while, as on a day of maintenance, and come back as they were."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from enfilade.storage.cells import own_name
from tests.support.house import House


@asynccontextmanager
async def schema_away(house: House, tenant: str) -> AsyncIterator[str]:
    """The tenant's schema is not where it was; gives the cell's name. Dropping it would wait for every job's locks."""
    schema = own_name(house.tenant_id(tenant))
    await _alter(house, f'ALTER SCHEMA "{schema}" RENAME TO "{schema}_away"')
    try:
        yield f"home/{schema}"
    finally:
        await _alter(house, f'ALTER SCHEMA "{schema}_away" RENAME TO "{schema}"')


@asynccontextmanager
async def database_away(house: House, tenant: str) -> AsyncIterator[str]:
    """The tenant's database takes no connections, and has ended those that there were; gives the cell's name."""
    database = own_name(house.tenant_id(tenant))
    await _alter(house, f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS false')
    await _alter(house, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    try:
        yield f"home/{database}"
    finally:
        await _alter(house, f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS true')


async def _alter(house: House, statement: str) -> None:
    connection = await asyncpg.connect(house.address.url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
