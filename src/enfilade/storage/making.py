"""Making cells of tenants' own, and unmaking them."""

from collections.abc import Sequence
from datetime import date

import asyncpg
import structlog

from enfilade.core.clock import Clock, to_datetime
from enfilade.storage.address import LOGIN_ROLES
from enfilade.storage.cells import DATABASE, HOME, ROW, SCHEMA, Cell, CellDirectory, Placement, own_name
from enfilade.storage.database import Database, translated_faults
from enfilade.storage.errors import CellUnavailable, StorageFault
from enfilade.storage.migrations import SHARED_SCHEMA, migrate, migrate_cell
from enfilade.storage.partitions import ensure_partitions
from enfilade.storage.roles import FIND_ROLES

IS_SUPERUSER = "SELECT current_setting('is_superuser')::boolean"

log = structlog.get_logger("enfilade.storage.making")


class CellMaker:
    """Makes the places in which tenants live."""

    def __init__(self, cells: CellDirectory, clock: Clock) -> None:
        """Make them among `cells`."""
        self.cells = cells
        self._clock = clock

    async def make(self, tenant: str, placement: Placement) -> Cell:
        """The cell, made unless it is there, with the newest schema. Nobody is sent there by this.

        Raises CellUnavailable when the host is not known or cannot be reached, StorageFault when it lets nothing be made.
        """
        cell = self.cells.cell_at(tenant, placement)
        if cell is None:
            message = f"The cell host {placement.host!r} is not known to this process, or its address leads nowhere."
            raise CellUnavailable(message, retry_after=2)
        if placement.host != HOME and placement.isolation != DATABASE:
            await self._prepare_host(cell)
        if placement.isolation == ROW:
            return cell
        if placement.isolation == DATABASE:
            await self._make_database(cell, own_name(tenant))
        async with cell.database.owner() as connection, connection.transaction():
            if placement.isolation == SCHEMA:
                await migrate_cell(connection, cell.schema)
            else:
                await ensure_partitions(connection, cell.schema, self._today())
        return cell

    def _today(self) -> date:
        return to_datetime(self._clock.now_ns()).date()

    async def _prepare_host(self, cell: Cell) -> None:
        """Bring the host's own database up to date: it may have been declared a moment ago."""
        host = self._host_of(cell)
        async with host.owner() as connection:
            await migrate(connection, host.address)
            await ensure_partitions(connection, SHARED_SCHEMA, self._today())

    async def _make_database(self, cell: Cell, name: str) -> None:
        host = self._host_of(cell)
        async with host.owner() as connection:
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
                try:
                    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
                except asyncpg.DuplicateDatabaseError:
                    log.info("database_made_meanwhile", name=name)
                except asyncpg.InsufficientPrivilegeError as error:
                    message = (
                        "The database user may not make databases: grant it CREATEDB, or use isolation row or schema."
                    )
                    raise StorageFault(message) from error
        async with cell.database.owner() as connection:
            await migrate(connection, cell.database.address, together=True)

    async def drop(self, tenant: str, placement: Placement) -> None:
        """Remove a cell of a tenant's own with everything in it. Does nothing where there is none."""
        cell = self.cells.cell_at(tenant, placement)
        if cell is None or placement.isolation == ROW:
            return
        name = own_name(tenant)
        if placement.isolation == SCHEMA:
            async with translated_faults(), cell.database.owner() as connection, connection.transaction():
                await connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')
                await connection.execute("DELETE FROM enfilade.migrations WHERE schema_name = $1", name)
        else:
            await self.cells.forget(cell)
            async with translated_faults(), self._host_of(cell).owner() as connection:
                await _drop_database(connection, name, [cell.database.address.login(role)[0] for role in LOGIN_ROLES])

    def _host_of(self, cell: Cell) -> Database:
        host = self.cells.host(cell.host)
        assert host is not None, "a cell is always on a known host"
        return host.database


async def _drop_database(connection: asyncpg.Connection, name: str, users: Sequence[str]) -> None:
    """Drop a database and the sign-in roles that were made for it."""
    if not await connection.fetchval(IS_SUPERUSER):
        # Other processes may be connected, and only a member of their roles may end that. The membership goes with the roles.
        for row in await connection.fetch(FIND_ROLES, users):
            await connection.execute(f'GRANT "{row["rolname"]}" TO CURRENT_USER')
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    for user in users:
        await connection.execute(f'DROP ROLE IF EXISTS "{user}"')
