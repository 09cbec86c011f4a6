"""A second PostgreSQL server, and owners of databases who are no superusers."""

import asyncio
from collections.abc import Iterator
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest

from enfilade.core.clock import SystemClock
from enfilade.storage.address import Address, external_address
from enfilade.storage.embedded.supervisor import EmbeddedPostgres
from tests.support.postgres import UNSAFE_BUT_FAST, TestServer

OWNER, PASSWORD = "plain_owner", "a password"


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """A server on which Enfilade has never been."""
    with asyncio.Runner() as runner:
        embedded = EmbeddedPostgres(tmp_path_factory.mktemp("pg-elsewhere"), SystemClock())
        running = TestServer(runner.run(embedded.start()))
        try:
            runner.run(_hurry(running))
            yield running
        finally:
            runner.run(embedded.stop())


async def _hurry(server: TestServer) -> None:
    async with server.maintenance() as connection:
        for name in UNSAFE_BUT_FAST:
            await connection.execute(f"ALTER SYSTEM SET {name} = off")
        await connection.execute("SELECT pg_reload_conf()")


async def plainly_owned(server: TestServer, name: str) -> Address:
    """An empty database whose owner may make roles and databases, as the documentation says, and nothing more."""
    async with server.maintenance() as admin:
        if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", OWNER):
            rights = "LOGIN CREATEROLE CREATEDB NOSUPERUSER NOBYPASSRLS"
            await admin.execute(f"CREATE ROLE {OWNER} {rights} PASSWORD '{PASSWORD}'")
        await admin.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    place = urlsplit(server.at(name).url)
    return external_address(urlunsplit(place._replace(netloc=f"{OWNER}:{quote(PASSWORD)}@")), None)


async def as_superuser(server: TestServer, database: str, statement: str) -> list[asyncpg.Record]:
    """What an administrator of the server sees."""
    connection = await asyncpg.connect(server.at(database).url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()
