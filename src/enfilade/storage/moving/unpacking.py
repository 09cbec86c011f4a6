"""Reading an archive that somebody gives us: every byte of it is checked, and none of it is believed before."""

import hashlib
import os
import re
import zlib
from dataclasses import dataclass, field
from typing import IO, Any, TypeVar
from uuid import UUID

import msgspec

from enfilade.storage.errors import ArchiveFault
from enfilade.storage.migrations import load_set
from enfilade.storage.moving.archive import FORMAT, HEADER, KIND, MANIFEST, SIGNATURE, Header, Manifest, Part
from enfilade.storage.moving.tar import Entry, entries

MOST_ABOUT_BYTES = 64_000_000
"""A header or a manifest; the manifest of a terabyte has so many."""
MOST_PART_BYTES = 1 << 30
"""No row is larger in PostgreSQL."""
TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
OLDEST = 16
"""The first migration whose tables an owner may fill."""
MOST_MOVES = 31_000

Said = TypeVar("Said", Header, Manifest)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose header and manifest were read."""

    file: IO[bytes]
    header: Header
    manifest: Manifest
    said: bytes
    """The manifest as it was written."""
    signature: str | None
    files: dict[str, Entry] = field(repr=False)

    @property
    def tenant(self) -> str:
        """The id of the tenant."""
        return str(self.header.tenant["id"])

    @property
    def is_of_now(self) -> bool:
        """Whether the cell was made by the migrations that this program has."""
        return len(self.header.schema) == len(load_set("cell"))

    def parts_of(self, table: str) -> list[Part]:
        """The parts of a table, in their order."""
        return [part for part in self.manifest.parts if part.table == table]

    def rows(self, part: Part) -> bytes:
        """The rows of a part, as they were when they were written. Raises ArchiveFault."""
        rows = _unpacked(_body(self.file, self.files[part.name]), part)
        if hashlib.sha256(rows).hexdigest() != part.sha256 or rows.count(b"\n") != part.rows or rows[-1:] != b"\n":
            message = f"The archive is damaged or was altered: {part.name} is not as the manifest says."
            raise ArchiveFault(message)
        return rows

    def check(self) -> None:
        """Read all of it. Raises ArchiveFault unless every file is as it was written."""
        for part in self.manifest.parts:
            self.rows(part)


def open_archive(file: IO[bytes]) -> Archive:
    """An archive by its header and its manifest; its rows are not looked at yet.

    Raises ArchiveFault for a file that is none, is not whole, holds anything else, or is of a version that cannot be read.
    """
    found = list(entries(file.fileno()))
    files = {one.name: one for one in found}
    if [one.name for one in found[:1]] != [HEADER] or MANIFEST not in files:
        message = "This is no archive of a tenant: it has no header or no manifest."
        raise ArchiveFault(message)
    encoded, said = _body(file, files[HEADER]), _body(file, files[MANIFEST])
    header = _said(encoded, Header, HEADER)
    manifest = _said(said, Manifest, MANIFEST)
    if hashlib.sha256(encoded).hexdigest() != manifest.header_sha256:
        message = "The archive is damaged or was altered: its header is not as the manifest says."
        raise ArchiveFault(message)
    signature = _body(file, files[SIGNATURE]).decode("utf-8", "replace") if SIGNATURE in files else None
    _check_files(files, manifest)
    _check_tenant(header, manifest)
    check_schema(header)
    return Archive(file, header, manifest, said, signature, files)


def _said(encoded: bytes, kind: type[Said], name: str) -> Said:
    try:
        about = msgspec.json.decode(encoded, type=dict[str, Any])
        if about.get("kind") != KIND:
            message = "This is no archive of a tenant."
            raise ArchiveFault(message)
        if about.get("format") != FORMAT:
            by = about.get("enfilade", "another version")
            message = f"The archive has the format {about.get('format')!r}, of Enfilade {by}; this one reads {FORMAT}."
            raise ArchiveFault(message)
        return msgspec.convert(about, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        message = f"The archive is damaged or was altered: {name} cannot be understood: {error}"
        raise ArchiveFault(message) from None


def _check_files(files: dict[str, Entry], manifest: Manifest) -> None:
    named = [part.name for part in manifest.parts]
    expected = {HEADER, MANIFEST, *named}
    there = files.keys() - {SIGNATURE}
    if len(set(named)) != len(named) or there != expected:
        wrong = sorted(expected - there) or sorted(there - expected) or named
        what = "lacks" if expected - there else "holds, beside what its manifest names,"
        message = f"The archive was altered: it {what} {', '.join(wrong[:3])}."
        raise ArchiveFault(message)
    for table, rows in manifest.tables.items():
        parts = [part for part in manifest.parts if part.table == table]
        if not TABLE.fullmatch(table) or sum(part.rows for part in parts) != rows:
            message = f"The archive was altered: the manifest contradicts itself about {table[:70]!r}."
            raise ArchiveFault(message)
    for part in manifest.parts:
        # What was compressed is hardly ever longer than it was, and by little.
        fits = 0 < part.bytes <= MOST_PART_BYTES and files[part.name].size <= part.bytes * 1.01 + 1000
        if part.table not in manifest.tables or not fits or part.rows < 1:
            message = f"The archive was altered: the manifest contradicts itself about {part.name}."
            raise ArchiveFault(message)


def _check_tenant(header: Header, manifest: Manifest) -> None:
    try:
        identifier = UUID(str(header.tenant.get("id")))
    except ValueError:
        identifier = UUID(int=0)
    if not identifier.int or str(identifier) != header.tenant.get("id"):
        message = "The archive was altered: its header names no tenant."
        raise ArchiveFault(message)
    if not 0 <= manifest.moves <= MOST_MOVES or not 0 <= manifest.next_seq < 1 << 62:
        message = "The archive was altered: its log or its moves are out of all bounds."
        raise ArchiveFault(message)


def check_schema(header: Header) -> None:
    """Raise ArchiveFault unless our migrations lead on from those of the archive."""
    ours = load_set("cell")
    carried = {f"{migration.number:04d}_{migration.name}": migration.checksum[:16] for migration in ours}
    theirs = header.schema
    if unknown := sorted(theirs.keys() - carried.keys()):
        message = (
            f"The archive was written by Enfilade {header.enfilade}, which is newer: it has {', '.join(unknown[:3])}. "
            "Import it with that version, or a newer one."
        )
        raise ArchiveFault(message)
    if list(theirs) != list(carried)[: len(theirs)] or any(carried[name] != known for name, known in theirs.items()):
        message = (
            f"The archive was written by a build of Enfilade {header.enfilade} whose migrations are other ones than this "
            "one's. Import it with that build."
        )
        raise ArchiveFault(message)
    if len(theirs) < OLDEST:
        message = f"The archive was written by Enfilade {header.enfilade}, which is too old for this one."
        raise ArchiveFault(message)


def _body(file: IO[bytes], one: Entry) -> bytes:
    if not one.name.startswith("rows/") and one.size > MOST_ABOUT_BYTES:
        message = f"The archive was altered: {one.name} is too large."
        raise ArchiveFault(message)
    try:
        body = os.pread(file.fileno(), one.size, one.offset)
    except OSError as error:
        message = f"The archive cannot be read: {error.strerror}."
        raise ArchiveFault(message) from None
    if len(body) != one.size:
        message = f"The archive is cut off in the middle of {one.name}."
        raise ArchiveFault(message)
    return body


def _unpacked(packed: bytes, part: Part) -> bytes:
    """What was compressed; no more of it than the manifest announces is ever unpacked."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        rows = unpacker.decompress(packed, part.bytes + 1)
    except zlib.error as error:
        message = f"The archive is damaged: {part.name} cannot be unpacked: {error}."
        raise ArchiveFault(message) from None
    if len(rows) != part.bytes or not unpacker.eof or unpacker.unused_data:
        message = f"The archive is damaged or was altered: {part.name} is not as long as the manifest says."
        raise ArchiveFault(message)
    return rows
