"""Rows on their way from one server to another: a stream into a table of the session, from there to where they belong."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from enfilade.storage.moving.places import Place
from enfilade.storage.moving.tables import Table, Unit

PIECES_AHEAD = 16
END = b""


@dataclass(slots=True)
class Carried:
    """What has travelled."""

    rows: int = 0
    bytes: int = 0


Report = Callable[[Carried], None]


async def copy_unit(source: Place, target: Place, unit: Unit, carried: Carried) -> int:
    """Copy what the source's transaction sees of a unit; rows that are there already stay as they are.

    Returns how many rows came. Everything lands in one statement, so that rows of a table may refer to one another.
    """
    table = unit.table
    name = target.table(table.name)
    query = f"SELECT {table.travelling()} FROM {source.table(table.name)} t WHERE {unit.condition(source.tenant)}"
    async with target.connection.transaction():
        staging = await stage(source, target, table, query, carried)
        done = await target.connection.execute(
            f"INSERT INTO {name} ({table.listed()}) SELECT {table.listed()} FROM {staging} "
            f"ON CONFLICT ({', '.join(table.key)}) DO NOTHING"
        )
        await target.connection.execute(f"DROP TABLE {staging}")
    rows = int(done.split()[-1])
    carried.rows += rows
    return rows


async def stage(source: Place, target: Place, table: Table, query: str, carried: Carried) -> str:
    """Bring the rows of a query to a table of the target's session, which must be in a transaction; returns its name."""
    staging = f"staged_{table.name}"
    await target.connection.execute(
        f"CREATE TEMP TABLE {staging} ON COMMIT DROP AS SELECT {table.listed()} FROM {target.table(table.name)} WITH NO DATA"
    )
    await pour(source, target, query, staging, table.columns, carried)
    return f"pg_temp.{staging}"


async def pour(
    source: Place, target: Place, query: str, staging: str, columns: tuple[str, ...], carried: Carried
) -> None:
    """Send the rows of a query into a table of the target's session, with little of them in memory at a time."""
    pieces: asyncio.Queue[bytes] = asyncio.Queue(PIECES_AHEAD)

    async def put(piece: bytes) -> None:
        carried.bytes += len(piece)
        await pieces.put(bytes(piece))

    async def read() -> None:
        await source.connection.copy_from_query(query, output=put, format="binary")
        await pieces.put(END)

    async def arriving() -> AsyncIterator[bytes]:
        while piece := await pieces.get():
            yield piece

    async def write() -> None:
        await target.connection.copy_to_table(
            staging, schema_name="pg_temp", columns=columns, source=arriving(), format="binary"
        )

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(write())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
