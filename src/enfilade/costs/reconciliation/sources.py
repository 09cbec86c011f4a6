"""The files of an import, as they come out of one stream: a tar archive, or one file alone; packed with gzip or not."""

import codecs
import csv
import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

from enfilade.costs.errors import UnreadableExport
from enfilade.costs.reconciliation.types import Page, Table

MAX_JSON_BYTES = 64_000_000
MAX_FIELD = 1_000_000
TAR_MAGIC = slice(257, 262)
BLOCK = 512


class Peekable(io.RawIOBase):
    """A stream that can be looked into at its beginning, and that remembers what went through it."""

    def __init__(self, source: IO[bytes] | gzip.GzipFile) -> None:
        """Read from `source`, which need not be seekable."""
        self._source = source
        self._head = b""
        self._digest = hashlib.sha256()
        self.last = b""
        """The last byte that was read."""
        self.size = 0
        """How many bytes were read."""

    def peek(self, size: int) -> bytes:
        """The first bytes, which stay to be read; fewer only where the stream ends."""
        while len(self._head) < size and (more := self._source.read(size - len(self._head))):
            self._head += more
        return self._head[:size]

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See io.RawIOBase."""
        size = len(buffer)
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._source.read(size)
        buffer[: len(data)] = data
        self._digest.update(data)
        self.last = data[-1:] or self.last
        self.size += len(data)
        return len(data)

    def digest(self) -> bytes:
        """The SHA-256 of what was read."""
        return self._digest.digest()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of an import."""

    name: str
    stream: Peekable


def files_of(source: IO[bytes], name: str) -> Iterator[SourceFile]:
    """The files in a stream. Raises UnreadableExport for an archive that is cut or holds something else than files."""
    outer = Peekable(source)
    if outer.peek(BLOCK)[TAR_MAGIC] != b"ustar":
        yield SourceFile(name, outer)
        return
    try:
        with tarfile.open(fileobj=io.BufferedReader(outer), mode="r|") as archive:
            for member in archive:
                if member.isdir():
                    continue
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    message = f"{member.name}: expected a file, found a link or a device."
                    raise UnreadableExport(message)
                yield SourceFile(member.name, Peekable(content))
            # An archive ends with empty blocks; one that ends without them was cut between two files.
            if outer.size <= archive.offset:
                message = "The archive of files is cut: its end is missing. Send it again; nothing was stored."
                raise UnreadableExport(message)
    except (tarfile.TarError, EOFError, OSError) as error:
        message = f"The archive of files is cut or damaged: {error}. Send it again."
        raise UnreadableExport(message) from None


@contextmanager
def unpacked(file: SourceFile) -> Iterator[Peekable]:
    """The file's content, unpacked where it is packed. Raises UnreadableExport for one that is cut."""
    stream = file.stream
    try:
        if stream.peek(2) == b"PK":
            message = f"{file.name}: a ZIP archive; unpack it and give the files inside."
            raise UnreadableExport(message)
        if stream.peek(2) == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BufferedReader(stream)) as content:
                yield Peekable(content)
        else:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        message = f"{file.name}: the file is cut or damaged ({error}). Fetch it again; nothing was stored."
        raise UnreadableExport(message) from None


def is_json(stream: Peekable) -> bool:
    """Whether a file begins as JSON does."""
    return stream.peek(64).removeprefix(codecs.BOM_UTF8).lstrip()[:1] in {b"{", b"["}


def pages_in(name: str, stream: Peekable) -> list[Page]:
    """The pages in a JSON file: one, a list of them, or one after the other. Raises UnreadableExport."""
    data = io.BufferedReader(stream).read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        message = f"{name}: a JSON file may have {MAX_JSON_BYTES // 1_000_000} MB; export fewer days into each file."
        raise UnreadableExport(message)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{name}: expected UTF-8, found another byte at {error.start}."
        raise UnreadableExport(message) from None
    documents = list(_documents(name, text))
    if len(documents) == 1 and isinstance(documents[0], list):
        documents = documents[0]
    pages = []
    for number, document in enumerate(documents, 1):
        place = name if len(documents) == 1 else f"{name}: page {number}"
        if not isinstance(document, dict) or not isinstance(document.get("data"), list):
            message = f'{place}: expected a page such as {{"data": [...], "has_more": false}}.'
            raise UnreadableExport(message)
        pages.append(Page(place, document))
    return pages


def _documents(name: str, text: str) -> Iterator[Any]:
    def no_number(literal: str) -> Any:
        message = f"{name}: {literal} is no number."
        raise UnreadableExport(message)

    decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=no_number)
    at = 0
    while at < len(text) and (at := len(text) - len(text[at:].lstrip())) < len(text):
        try:
            document, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            message = (
                f"{name}: line {error.lineno}, column {error.colno}: expected JSON ({error.msg}); the file is cut or "
                "damaged. Fetch it again; nothing was stored."
            )
            raise UnreadableExport(message) from None
        except (RecursionError, ValueError):
            message = f"{name}: the JSON is nested too deep, or a number in it is too long."
            raise UnreadableExport(message) from None
        yield document


def table_in(name: str, stream: Peekable) -> Table:
    """A CSV file as a table. Raises UnreadableExport, also while its rows are read."""
    csv.field_size_limit(MAX_FIELD)
    lines = io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8-sig", newline="")
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, None)
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{name}: line 1: expected a line of column names in UTF-8 ({error})."
        raise UnreadableExport(message) from None
    if not header:
        message = f"{name}: the file is empty."
        raise UnreadableExport(message)
    return Table(name, header, _rows(name, stream, reader, len(header)))


def _rows(name: str, stream: Peekable, reader: Any, width: int) -> Iterator[tuple[int, list[str]]]:
    try:
        for row in reader:
            if not row:
                continue
            if len(row) != width:
                message = (
                    f"{name}: line {reader.line_num}: expected {width} fields, found {len(row)}; the file is cut or "
                    "damaged. Export it again; nothing was stored."
                )
                raise UnreadableExport(message)
            yield reader.line_num, row
    except csv.Error as error:
        message = f"{name}: line {reader.line_num}: no CSV ({error}). Export it again; nothing was stored."
        raise UnreadableExport(message) from None
    except UnicodeDecodeError as error:
        message = f"{name}: after line {reader.line_num}: expected UTF-8, found another byte ({error.reason})."
        raise UnreadableExport(message) from None
    if stream.last not in {b"\n", b"\r"}:
        message = (
            f"{name}: line {reader.line_num}: the last line has no end, so the file may be cut. Export it again; if it "
            "is whole, end it with a new line. Nothing was stored."
        )
        raise UnreadableExport(message)
