"""Reads the files of an import from the input stream: `python -m enfilade.costs.reconciliation.reading OPTIONS`.

It runs in a process of its own: a report of hundreds of megabytes keeps a processor busy for a minute, and a server has
calls to relay meanwhile. What it prints is the sums, or the error.
"""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import IO, Any

import msgspec

from enfilade.core.errors import EnfiladeError
from enfilade.core.families import members
from enfilade.core.money import format_usd
from enfilade.costs.errors import EmptyExport, UnreadableExport
from enfilade.costs.reconciliation import formats as family
from enfilade.costs.reconciliation.fields import DAY
from enfilade.costs.reconciliation.sources import Peekable, SourceFile, files_of, is_json, pages_in, table_in, unpacked
from enfilade.costs.reconciliation.types import (
    CostItem,
    CsvFormat,
    Entry,
    Format,
    JsonFormat,
    LeftOut,
    Page,
    Reading,
    Row,
    Span,
    Sums,
)

MAX_ENTRIES = 200_000
MAX_KEYS = 200
NOT_OURS = "-"
ANY_KEY = "*"
FAILED = 3
"""The exit code when the error stands on the output stream."""


class ReadingOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How an export is to be understood."""

    provider: str
    """Our name of the provider, for rows whose key is not mapped."""
    keys: dict[str, str] = {}
    """The export's keys, projects, workspaces or accounts to our providers; `*` is any other, `-` is none of ours."""
    models: dict[str, str] = {}
    """The export's names of models to the names under which our deployments know them."""
    start: date | None = None
    end: date | None = None
    """Not in the period."""
    name: str = "export"
    """What a single file without a name is called in messages."""


class Failure(msgspec.Struct):
    """An error on its way from one process to the other."""

    code: str
    message: str


class Reader:
    """Adds up the rows of one import."""

    def __init__(self, options: ReadingOptions) -> None:
        """Nothing is read yet."""
        self._options = options
        self._formats: dict[str, Format] = members(family, "FORMAT")
        self._sums: dict[tuple[date, str, str, str | None], Sums] = {}
        self._reading = Reading(date.max, date.min)
        self._digests: dict[bytes, str] = {}
        self._results: dict[bytes, str] = {}
        self._ends: dict[str, tuple[bool, str]] = {}

    def take(self, file: SourceFile) -> None:
        """Read a file. Raises UnreadableExport, ExportCurrency."""
        with unpacked(file) as content:
            for row in self._rows(file.name, content):
                self._add(row)
            digest = content.digest()
        if digest in self._digests:
            message = f"{file.name} and {self._digests[digest]} are the same file; give each once."
            raise UnreadableExport(message)
        self._digests[digest] = file.name
        self._reading.files.append(file.name)

    def result(self) -> Reading:
        """What all files say together. Raises UnreadableExport when pages are missing, EmptyExport when nothing is said."""
        for title, (is_last, name) in self._ends.items():
            if not is_last:
                message = (
                    f"{name}: the last page of {title} says that there is more (`has_more`). Fetch the pages that follow "
                    "and import all of them together; nothing was stored."
                )
                raise UnreadableExport(message)
        found = self._reading
        found.start = self._options.start or found.start
        found.end = self._options.end or found.end
        if not self._sums:
            raise self._empty(found)
        found.entries = [
            Entry(day, model, provider, kind, sums.quantity, sums.nano, sums.rows)
            for (day, model, provider, kind), sums in sorted(self._sums.items(), key=lambda pair: _order(pair[0]))
        ]
        return found

    def _empty(self, found: Reading) -> EmptyExport:
        period = f" from {found.start} to {found.end - DAY}" if found.start < found.end else ""
        beside = "".join(
            f" {rows} rows are of {what} ({format_usd(nano)} USD)." for what, (rows, nano) in found.left_out.items()
        )
        outside = f" {found.outside_rows} rows are of days outside the period." if found.outside_rows else ""
        return EmptyExport(f"The export holds no costs of models{period}; nothing was stored.{beside}{outside}")

    def _rows(self, name: str, content: Peekable) -> Iterator[Row]:
        if not content.peek(1):
            message = f"{name}: the file is empty."
            raise UnreadableExport(message)
        if is_json(content):
            pages = pages_in(name, content)
            form = self._json_format(name, pages)
            for page in pages:
                self._note_page(form, page)
                yield from form.read(page)
            return
        table = table_in(name, content)
        columns = frozenset(column.strip().lower() for column in table.header)
        known = (form for form in self._formats.values() if isinstance(form, CsvFormat))
        csv_form = next((form for form in known if form.recognises(columns)), None)
        if csv_form is None:
            raise self._unknown(name, f"columns {', '.join(table.header[:8])}")
        self._note_format(csv_form)
        yield from csv_form.read(table)

    def _json_format(self, name: str, pages: Sequence[Page]) -> JsonFormat:
        buckets = [bucket for page in pages for bucket in page.document["data"] if isinstance(bucket, Mapping)]
        # A bucket without results is like any other's: one that has some decides.
        buckets.sort(key=lambda bucket: not bucket.get("results"))
        if not buckets:
            message = f"{name} holds no days; nothing was stored. Was the period asked for in the right order?"
            raise EmptyExport(message)
        known = (form for form in self._formats.values() if isinstance(form, JsonFormat))
        form = next((form for form in known if form.recognises(buckets[0])), None)
        if form is None:
            raise self._unknown(name, f"buckets with {', '.join(sorted(map(str, buckets[0]))[:8])}")
        self._note_format(form)
        return form

    def _unknown(self, name: str, found: str) -> UnreadableExport:
        known = "; ".join(form.title for form in self._formats.values())
        return UnreadableExport(f"{name}: not a format that is known, found {found}. Known are: {known}.")

    def _note_format(self, form: Format) -> None:
        if form.title not in self._reading.formats:
            self._reading.formats.append(form.title)

    def _note_page(self, form: JsonFormat, page: Page) -> None:
        """Refuse a result that another page holds, too: it would be counted twice."""
        is_last = not page.document.get("has_more")
        self._ends[form.title] = (is_last or self._ends.get(form.title, (False, ""))[0], page.name)
        for bucket in page.document["data"]:
            for result in _results(bucket):
                mark = _fingerprint(form, bucket, result)
                if (other := self._results.setdefault(mark, page.name)) != page.name:
                    message = f"{page.name} and {other} hold the same results; give each page once."
                    raise UnreadableExport(message)

    def _add(self, row: Row) -> None:
        found = self._reading
        if isinstance(row, Span):
            self._widen(row.start, row.end)
            return
        found.rows += 1
        if isinstance(row, LeftOut):
            self._leave_out(row.what, row.nano)
            return
        if (self._options.start and row.day < self._options.start) or (
            self._options.end and row.day >= self._options.end
        ):
            found.outside_rows += 1
            return
        provider = self._provider(row)
        nano = row.money.nano if row.money else 0
        if provider == NOT_OURS:
            self._leave_out("keys that are not ours", nano)
            return
        self._widen(row.day, row.day + DAY)
        if row.money:
            found.rounded_rows += row.money.is_rounded
            found.places = max(found.places, row.money.places)
        model = self._options.models.get(row.model, row.model)
        self._sums_of((row.day, model, provider, row.kind)).add(row)

    def _sums_of(self, group: tuple[date, str, str, str | None]) -> Sums:
        sums = self._sums.get(group)
        if sums is None:
            if len(self._sums) >= MAX_ENTRIES:
                message = (
                    f"The export has more than {MAX_ENTRIES} combinations of day, model and kind; import fewer days."
                )
                raise UnreadableExport(message)
            sums = self._sums[group] = Sums()
        return sums

    def _provider(self, item: CostItem) -> str:
        nano = item.money.nano if item.money else 0
        for key in item.keys:
            if key in self._reading.keys or len(self._reading.keys) < MAX_KEYS:
                self._reading.keys[key] = self._reading.keys.get(key, 0) + nano
        mapped = (self._options.keys[key] for key in item.keys if key in self._options.keys)
        return next(mapped, self._options.keys.get(ANY_KEY, self._options.provider))

    def _widen(self, start: date, end: date) -> None:
        self._reading.start = min(self._reading.start, start)
        self._reading.end = max(self._reading.end, end)

    def _leave_out(self, what: str, nano: int) -> None:
        rows, sum_nano = self._reading.left_out.get(what, (0, 0))
        self._reading.left_out[what] = (rows + 1, sum_nano + nano)


def _order(group: tuple[date, str, str, str | None]) -> tuple[date, str, str, str]:
    return (*group[:3], group[3] or "")


def _results(bucket: Any) -> Iterable[Mapping[str, Any]]:
    results = bucket.get("results") if isinstance(bucket, Mapping) else None
    return [result for result in results if isinstance(result, Mapping)] if isinstance(results, list) else []


def _fingerprint(form: JsonFormat, bucket: Mapping[str, Any], result: Mapping[str, Any]) -> bytes:
    """What a result is about, without its figures."""
    about = {name: str(value) for name, value in result.items() if isinstance(value, str | bool) and name != "amount"}
    times = {name: str(value) for name, value in bucket.items() if name != "results"}
    return hashlib.sha256(msgspec.json.encode([form.title, times, about], order="sorted")).digest()


def read(source: IO[bytes], options: ReadingOptions) -> Reading:
    """All that the files in a stream say. Raises UnreadableExport, ExportCurrency, EmptyExport."""
    reader = Reader(options)
    for file in files_of(source, options.name):
        reader.take(file)
    return reader.result()


def main(arguments: Sequence[str]) -> int:
    """Read the input stream; print the sums, or the error."""
    options = msgspec.json.decode(arguments[0], type=ReadingOptions)
    try:
        reading = read(sys.stdin.buffer, options)
    except EnfiladeError as error:
        sys.stdout.buffer.write(msgspec.json.encode(Failure(error.code, error.message)))
        return FAILED
    sys.stdout.buffer.write(msgspec.json.encode(reading))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
