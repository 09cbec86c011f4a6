"""A tenant as one file: a tar file with a header, the rows of each table as NDJSON in compressed parts, and a manifest.

It is made while it is sent, from one snapshot, and takes no more room than a part: what is known at the end alone, the
manifest and its signature, stands at the end.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from enfilade.storage.cells import CellDirectory
from enfilade.storage.database import translated_faults
from enfilade.storage.errors import CellUnavailable
from enfilade.storage.migrations import load_set
from enfilade.storage.moving.copying import ADMIT_OWNER
from enfilade.storage.moving.places import Place, patiently, place_in
from enfilade.storage.moving.switch import READ_BASE, READ_HEAD, has_departed
from enfilade.storage.moving.tables import copied, read_tables
from enfilade.storage.moving.tar import END, entry

KIND, FORMAT = "enfilade tenant", 2
HEADER, MANIFEST, SIGNATURE = "header.json", "manifest.json", "signature.json"
PART_BYTES = 1_000_000
"""A part has a little more than that, before it is compressed; with one row, as much as the row has."""
LOOKS = 5
LAST_EVENT = "SELECT seq, encode(leaf, 'hex') AS leaf FROM events WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1"
# As pg_dump does: nobody removes a table, or gives it other columns, while it is read.
KEEP_TABLE = "LOCK TABLE {} IN ACCESS SHARE MODE"
BEGIN_SNAPSHOT = "SELECT pg_current_snapshot()::text"


class Header(msgspec.Struct, frozen=True):
    """What stands at the beginning."""

    kind: str
    format: int
    enfilade: str
    """The version of the program that wrote it."""
    written_at: datetime
    schema: dict[str, str]
    """The migrations that made the cell, with the beginnings of their hashes."""
    tenant: dict[str, Any]
    salt: str
    keys: list[dict[str, Any]]
    """The tenant's keys, sealed under a passphrase."""


class Part(msgspec.Struct, frozen=True):
    """A file with rows."""

    name: str
    table: str
    rows: int
    bytes: int
    sha256: str
    """Of the rows as they are before they are compressed, and how many bytes that is."""


class Manifest(msgspec.Struct, frozen=True):
    """What the archive holds. This is what is signed."""

    kind: str
    format: int
    header_sha256: str
    tables: dict[str, int]
    """Rows of each table."""
    parts: list[Part]
    next_seq: int
    """Where the tenant's log goes on."""
    last_event: dict[str, Any] | None
    moves: int

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self.tables.values())


class Signed(msgspec.Struct, frozen=True):
    """Who stands for the manifest; see `sealing.signing.Signature`."""

    algorithm: str
    key: str
    public_key: str
    signature: str


HeaderMaker = Callable[[], Awaitable[Header]]
Sign = Callable[[bytes], Awaitable[str | None]]
Put = Callable[[bytes], Awaitable[None]]


def schema_now() -> dict[str, str]:
    """The migrations that this program carries."""
    return {f"{migration.number:04d}_{migration.name}": migration.checksum[:16] for migration in load_set("cell")}


async def write_archive(cells: CellDirectory, tenant: str, header_of: HeaderMaker, sign: Sign, put: Put) -> None:
    """Give `put` the bytes of an archive of what one snapshot holds of a tenant. Calls go on meanwhile.

    The header is made once the snapshot is there: of keys, more may then be carried than are needed, and none is missing.
    Raises DatabaseUnavailable, and what the functions raise.
    """
    for _ in range(LOOKS):
        async with translated_faults(), place_in(cells.of(tenant), tenant) as place:
            await patiently(place.connection, partial(place.connection.execute, ADMIT_OWNER))
            async with place.connection.transaction(isolation="repeatable_read", readonly=True):
                await place.connection.fetchval(BEGIN_SNAPSHOT)
                if not await has_departed(place):
                    await _write(place, header_of, sign, put)
                    return
        await cells.find_again(tenant)
    message = "The tenant is being moved to another cell."
    raise CellUnavailable(message, retry_after=2)


async def _write(place: Place, header_of: HeaderMaker, sign: Sign, put: Put) -> None:
    connection = place.connection
    tables = copied(await read_tables(connection, place.cell.schema))
    for table in tables:
        await connection.execute(KEEP_TABLE.format(place.table(table.name)))
    header = await header_of()
    at = int(header.written_at.timestamp())
    encoded = msgspec.json.format(msgspec.json.encode(header))
    await put(entry(HEADER, encoded, at))
    writer = _Writer(at, put)
    for table in tables:
        query = (
            f"SELECT to_jsonb(t)::text FROM {place.table(table.name)} t WHERE t.tenant_id = {place.whose} "
            f"ORDER BY {table.keyed()}"
        )
        writer.begin(table.name)
        await connection.copy_from_query(query, output=writer.take, format="text")
        await writer.end()
    last = await connection.fetchrow(LAST_EVENT, place.tenant)
    manifest = Manifest(
        kind=KIND,
        format=FORMAT,
        header_sha256=hashlib.sha256(encoded).hexdigest(),
        tables=writer.tables,
        parts=writer.parts,
        next_seq=await connection.fetchval(READ_HEAD, place.tenant) or 0,
        last_event=None if last is None else dict(last),
        moves=await connection.fetchval(READ_BASE, place.tenant),
    )
    said = msgspec.json.format(msgspec.json.encode(manifest))
    await put(entry(MANIFEST, said, at))
    if (signature := await sign(said)) is not None:
        await put(entry(SIGNATURE, signature.encode(), at))
    await put(END)


@dataclass(slots=True)
class _Writer:
    """Takes what COPY gives of tables, and packs it part by part."""

    at: int
    put: Put
    tables: dict[str, int] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    table: str = ""
    number: int = 0
    lines: bytearray = field(default_factory=bytearray)

    def begin(self, table: str) -> None:
        """The rows of a table follow."""
        self.table, self.number = table, 0
        self.tables[table] = 0

    async def take(self, piece: bytes) -> None:
        """Some bytes of rows. The database waits until they are taken."""
        self.lines += piece
        if len(self.lines) >= PART_BYTES and (end := self.lines.rfind(b"\n") + 1):
            whole = bytes(self.lines[:end])
            del self.lines[:end]
            await self._pack(whole)

    async def end(self) -> None:
        """That was the table."""
        if self.lines:
            whole = bytes(self.lines)
            self.lines.clear()
            await self._pack(whole)

    async def _pack(self, lines: bytes) -> None:
        self.number += 1
        part, packed = await asyncio.to_thread(_packed, self.table, self.number, lines)
        self.parts.append(part)
        self.tables[self.table] += part.rows
        await self.put(entry(part.name, packed, self.at))


def _packed(table: str, number: int, lines: bytes) -> tuple[Part, bytes]:
    # JSON has no control characters; all that COPY had to escape are backslashes.
    rows = lines.replace(rb"\\", b"\\")
    name = f"rows/{table}.{number:06d}.ndjson.gz"
    part = Part(name, table, rows.count(b"\n"), len(rows), hashlib.sha256(rows).hexdigest())
    return part, gzip.compress(rows, 6, mtime=0)
