"""One embedded PostgreSQL server per test process, and a fresh database per test, copied from a migrated template."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import bring_up, shut
from enfilade.core.clock import SystemClock
from enfilade.storage.address import Address
from enfilade.storage.cells import own_name
from enfilade.storage.embedded.supervisor import EmbeddedPostgres
from enfilade.storage.roles import ensure_roles

TEMPLATE = "template_enfilade"
OF_TENANTS = "SELECT datname FROM pg_database WHERE datname LIKE 'enf\\_%'"
UNSAFE_BUT_FAST = ("fsync", "full_page_writes", "synchronous_commit")
"""What tests do without: they never pull the plug of this server. Those that do start one of their own."""


@dataclass(slots=True)
class TestServer:
    """A running server, with the owner's address on it."""

    __test__ = False

    address: Address
    _free: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _with_roles: set[str] = field(default_factory=set)
    furnished: set[str] = field(default_factory=set)
    """Templates beside the migrated one, by what they hold."""

    def at(self, database: str) -> Address:
        """The address of another database on this server."""
        return replace(self.address, url=urlunsplit(urlsplit(self.address.url)._replace(path=f"/{database}")))

    @asynccontextmanager
    async def maintenance(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection to make and remove databases with."""
        connection = await asyncpg.connect(self.at("postgres").url)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def database(self, template: str | None = TEMPLATE) -> AsyncIterator[Address]:
        """A database of the caller's own: a copy of the migrated template, or with None an empty one."""
        # Names are used again, because every name has sign-in roles of its own, which belong to the server.
        name = self._free.pop() if self._free else f"t{next(self._numbers)}"
        address = self.at(name)
        async with self.maintenance() as connection:
            # Copied file by file: the other strategy writes every page to the log, and takes twice as long.
            copy = f'TEMPLATE "{template or "template0"}" STRATEGY FILE_COPY'
            await connection.execute(f'CREATE DATABASE "{name}" {copy}')
            if template is not None and name not in self._with_roles:
                await ensure_roles(connection, address)
                self._with_roles.add(name)
        try:
            yield address
        finally:
            async with self.maintenance() as connection:
                for left in await self._of_tenants(connection, name):
                    await connection.execute(f'DROP DATABASE IF EXISTS "{left}" WITH (FORCE)')
                await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            self._free.append(name)

    async def _of_tenants(self, connection: asyncpg.Connection, name: str) -> list[str]:
        """The databases of tenants that are registered in one. Copies of a template have the same tenants."""
        there = {row["datname"] for row in await connection.fetch(OF_TENANTS)}
        if not there:
            return []
        registry = await asyncpg.connect(self.at(name).url)
        try:
            if not await registry.fetchval("SELECT to_regclass('enfilade.tenants') IS NOT NULL"):
                return []
            tenants = [str(row["id"]) for row in await registry.fetch("SELECT id FROM enfilade.tenants")]
        finally:
            await registry.close()
        return sorted(there & {own_name(tenant) for tenant in tenants})


@contextmanager
def running_server(data: Path) -> Iterator[TestServer]:
    """A server with a migrated template, until the block ends."""
    with asyncio.Runner() as runner:
        embedded = EmbeddedPostgres(data, SystemClock())
        server = TestServer(runner.run(embedded.start()))
        try:
            runner.run(_prepare(server))
            yield server
        finally:
            runner.run(embedded.stop())


async def _prepare(server: TestServer) -> None:
    async with server.maintenance() as connection:
        for name in UNSAFE_BUT_FAST:
            await connection.execute(f"ALTER SYSTEM SET {name} = off")
        # The log of what is thrown away anyhow is kept short: it may stand in memory.
        await connection.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
        await connection.execute("ALTER SYSTEM SET min_wal_size = '32MB'")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.execute(f'CREATE DATABASE "{TEMPLATE}"')
    parts = Parts(Ingredients(server.at(TEMPLATE), SystemClock()))
    await bring_up(parts, migrates=True)
    await shut(parts)
