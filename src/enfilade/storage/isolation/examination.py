"""Examines the databases of an installation: every table, view, function, index and role of every cell."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import asyncpg

from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import PLATFORM_ID
from enfilade.storage.address import APP, LOGIN_ROLES, OPERATOR, WRITER
from enfilade.storage.cells import Cell, CellDirectory
from enfilade.storage.database import Database
from enfilade.storage.isolation.catalogue import ROLES, Catalogue, read_catalogue
from enfilade.storage.isolation.guards import judge_functions, judge_indexes, judge_relations, judge_role
from enfilade.storage.isolation.probes import TIMEOUTS, Probed, probe_functions, probe_relation, probe_roles, whose_rows
from enfilade.storage.isolation.types import Guarded
from enfilade.storage.migrations import PLATFORM_SCHEMA
from enfilade.storage.roles import GROUPS
from enfilade.storage.server_flaws import flaws_of, release_of

TENANTS_PROBED = 4
"""How many tenants of a cell are tried against each other."""
FIND_TENANTS = """
SELECT id::text FROM enfilade.tenants WHERE removed_at IS NULL AND id <> $2 ORDER BY id LIMIT $1
"""

Progress = Callable[[str], None]


@dataclass(slots=True)
class Examined:
    """What was found in the databases."""

    items: list[Guarded] = field(default_factory=list)
    servers: dict[str, str] = field(default_factory=dict)
    """The server's version by host."""


async def examine(cells: CellDirectory, progress: Progress = lambda _text: None) -> Examined:
    """Look at all cells and try them. Changes nothing: what is tried is taken back."""
    found = Examined()
    by_database: dict[Database, list[Cell]] = {host.database: [host.shared] for host in cells.hosts()}
    for cell in cells.all():
        group = by_database.setdefault(cell.database, [])
        if cell not in group:
            group.append(cell)
    for database, group in by_database.items():
        place = group[0].name
        progress(place)
        try:
            found.items += [item async for item in _examine_database(database, group, found)]
        except (EnfiladeError, asyncpg.PostgresError, OSError) as error:
            words = error.message if isinstance(error, EnfiladeError) else f"{type(error).__name__}: {error}"
            found.items.append(Guarded("database", place, database.address.database, "none", faults=(words,)))
    return found


async def _examine_database(database: Database, group: Sequence[Cell], found: Examined) -> AsyncIterator[Guarded]:
    place = group[0].name
    async with database.owner() as owner, _signed_in(database) as connections:
        await owner.execute("SET search_path = pg_catalog")
        major, minor = release_of(owner)
        found.servers[place] = f"{major}.{minor}"
        flaws = tuple(f"{flaw.name}: {flaw.what}" for flaw in flaws_of(major, minor))
        text = f"PostgreSQL {major}.{minor}"
        yield Guarded("server", place, text, "no known flaw of row-level security", faults=flaws)
        async for item in _roles(database, place, owner, connections):
            yield item
        logins = {role: database.address.login(role)[0] for role in LOGIN_ROLES}
        rows = await connections[OPERATOR].fetch(FIND_TENANTS, TENANTS_PROBED, PLATFORM_ID)
        tenants = [row["id"] for row in rows]
        for schema, where, known in [
            (PLATFORM_SCHEMA, place, tenants),
            *((cell.schema, cell.name, [cell.tenant] if cell.tenant else tenants) for cell in group),
        ]:
            catalogue = await read_catalogue(owner, schema, logins[APP], logins[WRITER])
            async for item in _examine_schema(catalogue, where, [PLATFORM_ID, *known], connections):
                yield item


@asynccontextmanager
async def _signed_in(database: Database) -> AsyncIterator[dict[str, asyncpg.Connection]]:
    async with AsyncExitStack() as stack:
        connections = {}
        for role in LOGIN_ROLES:
            connections[role] = connection = await database.connect(role)
            stack.push_async_callback(connection.close)
            await connection.execute(TIMEOUTS)
        yield connections


async def _roles(
    database: Database, place: str, owner: asyncpg.Connection, connections: dict[str, asyncpg.Connection]
) -> AsyncIterator[Guarded]:
    logins = {role: database.address.login(role)[0] for role in LOGIN_ROLES}
    wanted = {user: [f"enfilade_{role}"] for role, user in logins.items()}
    wanted |= {group: ["enfilade_app"] if group == "enfilade_operator" else [] for group in GROUPS}
    for role in await owner.fetch(ROLES, list(wanted)):
        yield judge_role(place, role, wanted[role["name"]])
    yield await probe_roles(connections[APP], place, logins[APP], None)
    yield await probe_roles(connections[WRITER], place, logins[WRITER], "enfilade_writer")


async def _examine_schema(
    catalogue: Catalogue, place: str, tenants: Sequence[str], connections: dict[str, asyncpg.Connection]
) -> AsyncIterator[Guarded]:
    outcomes = {}
    for probed in await whose_rows(connections[OPERATOR], catalogue, tenants):
        outcomes[_name(catalogue, probed)] = await probe_relation(connections[APP], connections[WRITER], probed)
    for item in judge_relations(place, catalogue):
        outcome = outcomes.get(item.name)
        if outcome is None:
            yield item
        else:
            yield replace(item, probe=", ".join(outcome.tried), faults=(*item.faults, *outcome.faults))
    for item in (*judge_functions(place, catalogue), *judge_indexes(place, catalogue)):
        yield item
    if catalogue.schema != PLATFORM_SCHEMA:
        own = [tenant for tenant in tenants if tenant != PLATFORM_ID]
        for item in await probe_functions(connections[APP], place, catalogue.schema, own):
            yield item


def _name(catalogue: Catalogue, probed: Probed) -> str:
    return f"{catalogue.schema}.{probed.relation['name']}"
