"""Tar files of the plainest kind, written and read as they come: regular files in one folder, and nothing else.

Archives come from other people. The library's reader follows links, long names and sparse files, and believes the sizes of
headers; here whatever is not as we write it is refused.
"""

import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from enfilade.storage.errors import ArchiveFault

BLOCK = tarfile.BLOCKSIZE
END = b"\0" * (2 * BLOCK)
NAME = re.compile(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?(\.[a-z0-9]+)*")
REGULAR = b"0"
MODE = 0o600


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a tar file: where its bytes are."""

    name: str
    offset: int
    size: int


def entry(name: str, body: bytes, written_at: int = 0) -> bytes:
    """A file, with its header and padding."""
    about = tarfile.TarInfo(name)
    about.size, about.mode, about.mtime = len(body), MODE, written_at
    return about.tobuf(tarfile.USTAR_FORMAT) + body + b"\0" * (-len(body) % BLOCK)


def entries(file: int) -> Iterator[Entry]:
    """The files in a tar file that is open as `file`, in their order. Raises ArchiveFault for any other kind of file."""
    size = os.fstat(file).st_size
    place = 0
    seen: set[str] = set()
    while True:
        header = os.pread(file, BLOCK, place)
        if len(header) < BLOCK:
            message = "The archive is cut off: it has no end."
            raise ArchiveFault(message)
        if not any(header):
            break
        found = _entry_of(header, place + BLOCK)
        if found.name in seen:
            message = f"The archive was altered: it holds {found.name} twice."
            raise ArchiveFault(message)
        seen.add(found.name)
        place = found.offset + found.size + -found.size % BLOCK
        if place > size:
            message = f"The archive is cut off in the middle of {found.name}."
            raise ArchiveFault(message)
        yield found
    if size != place + len(END) or any(os.pread(file, len(END), place)):
        message = "The archive is cut off, or something was added behind its end."
        raise ArchiveFault(message)


def _entry_of(header: bytes, offset: int) -> Entry:
    try:
        about = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        message = f"This is no archive of a tenant, or it is damaged: {error}."
        raise ArchiveFault(message) from None
    if about.type != REGULAR or not NAME.fullmatch(about.name) or about.size < 0:
        message = f"The archive was altered: {about.name[:100]!r} is nothing that belongs there."
        raise ArchiveFault(message)
    return Entry(about.name, offset, about.size)
