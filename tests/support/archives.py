"""Archives of tenants, made by hand and damaged on purpose."""

import gzip
import hashlib
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from enfilade.storage.moving.archive import HEADER, KIND, MANIFEST, SIGNATURE, schema_now
from enfilade.storage.moving.tar import END, entry

TENANT = "0192f0c1-0000-7000-8000-0000000000aa"
Files = dict[str, bytes]


def files_of(path: Path) -> Files:
    """What is in an archive, read with the library's reader: any tar will do."""
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar file, as we write them."""
    return b"".join(entry(name, body) for name, body in files.items()) + END


def small() -> Files:
    """An archive with a little in it that nobody signed, as files."""
    header = {
        "kind": KIND,
        "format": 2,
        "enfilade": "0.0.1",
        "written_at": "2026-11-02T12:00:00Z",
        "schema": schema_now(),
        "tenant": {"id": TENANT, "name": "acme", "isolation": "row", "time_zone": "UTC", "allowed_models": ["*"]},
        "salt": "",
        "keys": [],
    }
    rows = {"users": [{"tenant_id": TENANT, "id": number} for number in range(3)], "keys": []}
    return with_rows({HEADER: msgspec.json.encode(header)}, rows)


def with_rows(files: Files, rows: Mapping[str, list[Any]]) -> Files:
    """A header with rows and a manifest that fits both."""
    parts, made = [], {HEADER: files[HEADER]}
    for table, listed in rows.items():
        if listed:
            body = b"".join(msgspec.json.encode(row) + b"\n" for row in listed)
            parts.append(part_of(f"rows/{table}.000001.ndjson.gz", table, body))
            made[parts[-1]["name"]] = gzip.compress(body, mtime=0)
    manifest = {
        "kind": KIND,
        "format": 2,
        "header_sha256": hashlib.sha256(files[HEADER]).hexdigest(),
        "tables": {table: len(listed) for table, listed in rows.items()},
        "parts": parts,
        "next_seq": 0,
        "last_event": None,
        "moves": 0,
    }
    return made | {MANIFEST: msgspec.json.encode(manifest)}


def part_of(name: str, table: str, body: bytes) -> dict[str, Any]:
    """What a manifest says of a file with rows."""
    rows = body.count(b"\n")
    return {"name": name, "table": table, "rows": rows, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def rewritten(files: Files, change: Callable[[dict[str, list[Any]], dict[str, Any]], None]) -> Files:
    """An archive with other rows or another header, as somebody would forge it: all hashes fit, and nobody signed."""
    manifest = msgspec.json.decode(files[MANIFEST])
    rows: dict[str, list[Any]] = {table: [] for table in manifest["tables"]}
    for part in manifest["parts"]:
        rows[part["table"]] += [msgspec.json.decode(line) for line in gzip.decompress(files[part["name"]]).splitlines()]
    header = msgspec.json.decode(files[HEADER])
    change(rows, header)
    made = with_rows({HEADER: msgspec.json.encode(header)}, rows)
    kept = {name: manifest[name] for name in ("next_seq", "last_event", "moves")}
    return made | {MANIFEST: msgspec.json.encode(msgspec.json.decode(made[MANIFEST]) | kept)}


def altered_manifest(files: Files, **changes: Any) -> Files:
    """The same files with another manifest, unsigned."""
    manifest = msgspec.json.encode(msgspec.json.decode(files[MANIFEST]) | changes)
    return {name: body for name, body in files.items() if name != SIGNATURE} | {MANIFEST: manifest}
