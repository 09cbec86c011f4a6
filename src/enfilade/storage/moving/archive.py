"""A tenant as one file: a tar archive with a manifest, and for each table its rows as NDJSON, compressed."""

import gzip
import hashlib
import io
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from enfilade.storage.cells import Cell
from enfilade.storage.errors import ArchiveFault
from enfilade.storage.migrations import load_set
from enfilade.storage.moving.copying import ADMIT_OWNER, EVER
from enfilade.storage.moving.places import Place, place_in
from enfilade.storage.moving.switch import (
    LOWEST,
    PUT_BASE,
    PUT_HEAD,
    READ_BASE,
    READ_HEAD,
    ROLL_UP_ARRIVALS,
    VALUES_A_DAY,
)
from enfilade.storage.moving.tables import Table, copied, read_tables

FORMAT = 1
MANIFEST = "manifest.json"
ROWS_AT_ONCE = 500
LAST_EVENT = "SELECT seq, encode(leaf, 'hex') AS leaf FROM events WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1"
READ_TENANT = "SELECT to_jsonb(t)::text FROM enfilade.tenants t WHERE id = $1"
DROP_PLACES = "DELETE FROM departures WHERE tenant_id = $1"
BEGIN_SPEND = "INSERT INTO spend_tenants (tenant_id, time_zone) VALUES ($1, $2) ON CONFLICT DO NOTHING"


class Part(msgspec.Struct, frozen=True):
    """A file of the archive."""

    rows: int
    sha256: str
    """Of the rows as they are before they are compressed."""


class Manifest(msgspec.Struct, frozen=True):
    """What the archive holds."""

    format: int
    schema: dict[str, str]
    """The migrations that made the cell, with the beginnings of their hashes."""
    tenant: dict[str, Any]
    next_seq: int
    last_event: dict[str, Any] | None
    moves: int
    tables: dict[str, Part]
    salt: str
    keys: list[dict[str, Any]]
    """The tenant's keys, sealed under a passphrase."""


def schema_now() -> dict[str, str]:
    """The migrations that this program carries."""
    return {f"{migration.number:04d}_{migration.name}": migration.checksum[:16] for migration in load_set("cell")}


async def write_archive(
    cell: Cell, tenant: str, home: Any, target: BinaryIO, salt: str, keys: list[dict[str, Any]]
) -> Manifest:
    """Write what one snapshot holds of a tenant. Calls go on meanwhile. Raises DatabaseUnavailable."""
    with tempfile.TemporaryDirectory() as folder:
        async with place_in(cell, tenant) as place:
            await place.connection.execute(ADMIT_OWNER)
            async with place.connection.transaction(isolation="repeatable_read", readonly=True):
                tables = copied(await read_tables(place.connection, cell.schema))
                parts = {table.name: await _write_table(place, table, Path(folder)) for table in tables}
                last = await place.connection.fetchrow(LAST_EVENT, tenant)
                manifest = Manifest(
                    format=FORMAT,
                    schema=schema_now(),
                    tenant=msgspec.json.decode(await home.fetchval(READ_TENANT, tenant)),
                    next_seq=await place.connection.fetchval(READ_HEAD, tenant) or 0,
                    last_event=None if last is None else dict(last),
                    moves=await place.connection.fetchval(READ_BASE, tenant),
                    tables=parts,
                    salt=salt,
                    keys=keys,
                )
        _pack(manifest, Path(folder), target)
    return manifest


async def _write_table(place: Place, table: Table, folder: Path) -> Part:
    rows, digest = 0, hashlib.sha256()
    query = f"SELECT to_jsonb(t)::text AS row FROM {place.table(table.name)} t WHERE t.tenant_id = {place.whose} ORDER BY {table.keyed()}"
    with gzip.open(folder / f"{table.name}.ndjson.gz", "wb", compresslevel=6) as file:
        async for row in place.connection.cursor(query, prefetch=ROWS_AT_ONCE):
            line = row["row"].encode() + b"\n"
            digest.update(line)
            file.write(line)
            rows += 1
    return Part(rows, digest.hexdigest())


def _pack(manifest: Manifest, folder: Path, target: BinaryIO) -> None:
    with tarfile.open(fileobj=target, mode="w|") as archive:
        body = msgspec.json.format(msgspec.json.encode(manifest))
        about = tarfile.TarInfo(MANIFEST)
        about.size = len(body)
        archive.addfile(about, io.BytesIO(body))
        for name in manifest.tables:
            path = folder / f"{name}.ndjson.gz"
            about = tarfile.TarInfo(path.name)
            about.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(about, file)


def read_manifest(path: Path) -> Manifest:
    """What an archive says of itself. Raises ArchiveFault for one that is none, or of another version's schema."""
    try:
        with tarfile.open(path, "r:") as archive:
            found = archive.extractfile(MANIFEST)
            manifest = msgspec.json.decode(found.read() if found else b"", type=Manifest)
    except (tarfile.TarError, KeyError, msgspec.DecodeError, OSError) as error:
        message = f"{path.name} is no archive of a tenant: {error}"
        raise ArchiveFault(message) from None
    if manifest.format != FORMAT or manifest.schema != schema_now():
        unknown = sorted(manifest.schema.keys() - schema_now().keys())
        message = (
            f"The archive was written by a newer version, with {', '.join(unknown)}."
            if unknown
            else "The archive was written by another version of Enfilade; write it again with this one."
        )
        raise ArchiveFault(message)
    return manifest


def check_hashes(path: Path, manifest: Manifest) -> None:
    """Raise ArchiveFault unless every file is there and as it was written."""
    for name, part in manifest.tables.items():
        rows, digest = 0, hashlib.sha256()
        for line in lines_of(path, name):
            digest.update(line)
            rows += 1
        if Part(rows, digest.hexdigest()) != part:
            message = f"The archive is damaged or was altered: {name} is not as the manifest says."
            raise ArchiveFault(message)


def lines_of(path: Path, name: str) -> Iterator[bytes]:
    """The rows of a table, as they stand in the archive. Raises ArchiveFault."""
    try:
        with (
            tarfile.open(path, "r:") as archive,
            gzip.GzipFile(fileobj=archive.extractfile(f"{name}.ndjson.gz"), mode="rb") as file,
        ):
            yield from file
    except (tarfile.TarError, zlib.error, KeyError, OSError, EOFError, TypeError) as error:
        message = f"The archive is damaged: {name} cannot be read: {error}"
        raise ArchiveFault(message) from None


async def restore(place: Place, path: Path, manifest: Manifest) -> None:
    """Put an archive's rows into a cell, all or nothing; roll-ups are made anew."""
    connection, tenant = place.connection, place.tenant
    async with connection.transaction():
        await connection.execute(DROP_PLACES, tenant)
        await connection.execute(BEGIN_SPEND, tenant, manifest.tenant["time_zone"])
        tables = copied(await read_tables(connection, place.cell.schema))
        for table in tables:
            await _restore_table(place, table, path)
        await connection.execute(PUT_HEAD, tenant, manifest.next_seq)
        await connection.execute(PUT_BASE, tenant, manifest.moves + 1)
        await connection.execute(ROLL_UP_ARRIVALS, tenant, LOWEST, 0, EVER, VALUES_A_DAY)


async def _restore_table(place: Place, table: Table, path: Path) -> None:
    """Through a table of the session, in one statement: rows of a table may refer to one another."""
    name = place.table(table.name)
    await place.connection.execute(f"CREATE TEMP TABLE restored_{table.name} (row jsonb) ON COMMIT DROP")
    put = f"INSERT INTO pg_temp.restored_{table.name} SELECT r::jsonb FROM unnest($1::text[]) AS r"
    batch: list[str] = []
    for line in lines_of(path, table.name):
        batch.append(line.decode())
        if len(batch) == ROWS_AT_ONCE:
            await place.connection.execute(put, batch)
            batch = []
    if batch:
        await place.connection.execute(put, batch)
    await place.connection.execute(
        f"INSERT INTO {name} ({table.listed()}) SELECT {table.travelling()} "
        f"FROM pg_temp.restored_{table.name} s CROSS JOIN LATERAL jsonb_populate_record(NULL::{name}, s.row) AS t"
    )
