"""Archives from other people: whatever is not as we write it is refused, and nothing of it is unpacked."""

import gzip
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from enfilade.storage.errors import ArchiveFault
from enfilade.storage.moving.archive import HEADER, MANIFEST, SIGNATURE, schema_now
from enfilade.storage.moving.tar import BLOCK, END, entry
from enfilade.storage.moving.unpacking import open_archive
from tests.support.archives import TENANT, Files, altered_manifest, packed, part_of, rewritten, small

GZIP_HEADER = 10
USERS = "rows/users.000001.ndjson.gz"


def read(path: Path, data: bytes) -> int:
    """Read all of an archive; returns how many rows it has."""
    path.write_bytes(data)
    with path.open("rb") as file:
        archive = open_archive(file)
        archive.check()
        return archive.manifest.rows


def test_an_archive_is_read_and_any_tar_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "acme.tar"
    assert read(path, packed(small())) == 3
    with tarfile.open(path) as archive:
        assert [member.name for member in archive] == [HEADER, USERS, MANIFEST]
    with path.open("rb") as file:
        assert open_archive(file).tenant == TENANT


def _without(name: str) -> Callable[[Files], bytes]:
    return lambda files: packed({one: body for one, body in files.items() if one != name})


def _with(name: str, body: bytes = b"{}") -> Callable[[Files], bytes]:
    return lambda files: packed(files | {name: body})


def _manifest(**changes: object) -> Callable[[Files], bytes]:
    return lambda files: packed(altered_manifest(files, **changes))


def _header(**changes: object) -> Callable[[Files], bytes]:
    return lambda files: packed(rewritten(files, lambda _rows, header: header.update(changes)))


def _linked(kind: bytes) -> Callable[[Files], bytes]:
    def make(files: Files) -> bytes:
        about = tarfile.TarInfo("rows/link")
        about.type, about.linkname = kind, "/etc/passwd"
        return about.tobuf(tarfile.USTAR_FORMAT) + packed(files)

    return make


def _long_name(files: Files) -> bytes:
    about = tarfile.TarInfo("rows/" + "a" * 300)
    return packed(files)[: -len(END)] + about.tobuf(tarfile.PAX_FORMAT) + END


def _bomb(files: Files) -> bytes:
    """A gigabyte of nothing that says it were a few bytes."""
    return packed(files | {USERS: gzip.compress(bytes(1 << 24), mtime=0)})


def _another_line(files: Files) -> bytes:
    rows = gzip.decompress(files[USERS]).replace(b'"id":1', b'"id":7')
    return packed(files | {USERS: gzip.compress(rows, mtime=0)})


def _behind_the_rows(files: Files) -> bytes:
    return packed(files | {USERS: files[USERS] + b"something"})


FUTURE = schema_now() | {"0999_later": "00"}
OTHER = dict.fromkeys(schema_now(), "0" * 16)
ONE_PART = [part_of(USERS, "users", b"{}\n")]
DAMAGES: dict[str, tuple[Callable[[Files], bytes], str]] = {
    "nothing": (lambda _: b"", "no end"),
    "text": (lambda _: b"not an archive" * 100, "no archive of a tenant"),
    "cut in a file": (lambda files: packed(files)[:1300], "cut off"),
    "cut before its end": (lambda files: packed(files)[: -len(END)], "no end"),
    "half of its end": (lambda files: packed(files)[:-BLOCK], "cut off"),
    "something behind its end": (lambda files: packed(files) + b"x", "behind its end"),
    "a file is missing": (_without(USERS), "lacks"),
    "no manifest": (_without(MANIFEST), "no manifest"),
    "no header": (_without(HEADER), "no header"),
    "a file was added": (_with("rows/more.000001.ndjson.gz"), "beside what its manifest names"),
    "a file twice": (lambda files: packed(files)[: -len(END)] + entry(USERS, b"") + END, "twice"),
    "a way out": (_with("../../etc/passwd"), "nothing that belongs there"),
    "an absolute name": (_with("/etc/passwd"), "nothing that belongs there"),
    "a link": (_linked(tarfile.SYMTYPE), "nothing that belongs there"),
    "a hard link": (_linked(tarfile.LNKTYPE), "nothing that belongs there"),
    "a device": (_linked(tarfile.CHRTYPE), "nothing that belongs there"),
    "a long name": (_long_name, "nothing that belongs there"),
    "a line was changed": (_another_line, "not as the manifest says"),
    "not compressed": (_with(USERS, b"plain"), "cannot be unpacked"),
    "cut in the rows": (lambda files: packed(files | {USERS: files[USERS][:-9]}), "not as long"),
    "something behind the rows": (_behind_the_rows, "not as long"),
    "a bomb": (_bomb, "contradicts itself|not as long"),
    "another header": (_with(HEADER, b'{"kind":"enfilade tenant","format":2}'), "cannot be understood"),
    "no JSON": (_with(MANIFEST, b"\xff"), "cannot be understood"),
    "deep JSON": (_with(MANIFEST, b"[" * 100_000), "cannot be understood"),
    "another kind": (_manifest(kind="something"), "no archive of a tenant"),
    "another format": (_manifest(format=3), "format 3"),
    "counts that do not add up": (_manifest(tables={"users": 2, "keys": 0}), "contradicts itself"),
    "a table that is none": (_manifest(tables={'users"; --': 3}, parts=[]), "beside what its manifest names"),
    "another hash": (_manifest(parts=[part_of(USERS, "users", b"{}\n" * 3)]), "contradicts itself|not as long"),
    "a part too large": (_manifest(parts=[ONE_PART[0] | {"rows": 3, "bytes": 1 << 40}]), "contradicts itself"),
    "moves without end": (_manifest(moves=1 << 40), "out of all bounds"),
    "a log before its beginning": (_manifest(next_seq=-1), "out of all bounds"),
    "the platform itself": (_header(tenant={"id": "00000000-0000-0000-0000-000000000000"}), "names no tenant"),
    "no tenant": (_header(tenant={"id": "x'; DROP TABLE users"}), "names no tenant"),
    "a newer version": (_header(schema=FUTURE), "is newer: it has 0999_later"),
    "another build": (_header(schema=OTHER), "whose migrations are other ones"),
    "an old version": (_header(schema=dict(list(schema_now().items())[:5])), "too old"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_archive_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    damage, reason = DAMAGES[name]
    with pytest.raises(ArchiveFault, match=reason):
        read(tmp_path / "acme.tar", damage(small()))


def test_every_byte_of_an_archive_counts(tmp_path: Path) -> None:
    """Turned over one by one, none goes unnoticed but padding, and what headers say of times, owners and programs."""
    whole = bytearray(packed(small()))
    sizes = [BLOCK + len(body) for body in small().values()]
    places: list[int] = []
    start = 0
    for size in sizes:
        places += range(start + BLOCK + GZIP_HEADER, start + size, 7)
        start += size + -size % BLOCK
    unnoticed = []
    for place in places:
        altered = bytearray(whole)
        altered[place] ^= 0x20
        try:
            read(tmp_path / "acme.tar", bytes(altered))
        except ArchiveFault:
            continue
        unnoticed.append(place)
    # The manifest is what everything else is measured by: it is signed, see the tests of imports.
    beginning_of_manifest = len(packed({name: body for name, body in small().items() if name != MANIFEST})) - len(END)
    assert all(place >= beginning_of_manifest for place in unnoticed)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    data = _bomb(small())
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveFault):
            read(tmp_path / "acme.tar", data)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_a_signature_is_part_of_an_archive_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "acme.tar"
    path.write_bytes(packed(small() | {SIGNATURE: msgspec.json.encode("signed")}))
    with path.open("rb") as file:
        assert open_archive(file).signature == '"signed"'
