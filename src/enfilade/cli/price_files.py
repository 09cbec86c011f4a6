"""Price lists as files: YAML, JSON or CSV, remembered by line, so that each wrong entry can be told with its place."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from enfilade.cli.source import MAX_FILE_BYTES, Located, Place, Source, read_sources
from enfilade.configuration.errors import UnreadableSource

TOP_KEYS = {"version", "prices"}
ENTRY = re.compile(r"prices\[(\d+)\]")


def read_price_list(path: Path) -> Source:
    """A price list with its places. Raises UnreadableSource."""
    if path.suffix in {".csv", ".yaml", ".yml"}:
        _require_last_line(path)
    if path.suffix == ".csv":
        return Source(Located({"prices": _read_csv(path)}, Place(str(path), 1)))
    source = read_sources([path])
    unknown = sorted(source.content.keys() - TOP_KEYS)
    if unknown:
        message = f"{source.place_of(unknown[0])}: unknown key {unknown[0]!r}; a price list has `prices`"
        raise UnreadableSource(message)
    if not isinstance(source.content.get("prices"), list):
        message = f"{path}: a price list is a mapping with `prices`, a list of entries"
        raise UnreadableSource(message)
    return source


def with_places(message: str, source: Source) -> str:
    """A message in which entries are named by file and line."""
    return ENTRY.sub(lambda match: str(source.place_of(match[0])), message)


def _require_last_line(path: Path) -> None:
    """A file that was only written in part mostly ends within a line: `0.1` may have been going to be `0.15`."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            message = f"{path}: the file is larger than {MAX_FILE_BYTES} bytes"
            raise UnreadableSource(message)
        content = path.read_bytes()
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise UnreadableSource(message) from None
    if not content.endswith(b"\n"):
        lines = content.count(b"\n") + 1
        message = (
            f"{path}:{lines}: the last line has no end, so the file may be incomplete; if it is whole, add a line break"
        )
        raise UnreadableSource(message)


def _read_csv(path: Path) -> Located:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{path}: not valid UTF-8 (byte {error.start})"
        raise UnreadableSource(message) from None
    reader = csv.reader(text.splitlines(), strict=True)
    entries: list[Located] = []
    columns: list[str] = []
    try:
        for row in reader:
            place = Place(str(path), reader.line_num)
            if not any(cell.strip() for cell in row):
                continue
            if not columns:
                columns = _columns(row, place)
            else:
                _add_row(entries, columns, row, place)
    except csv.Error as error:
        message = f"{path}:{reader.line_num}: {error}"
        raise UnreadableSource(message) from None
    return Located(entries, Place(str(path), 1))


def _columns(row: Sequence[str], place: Place) -> list[str]:
    columns = [cell.strip() for cell in row]
    if "model" not in columns or len(set(columns)) < len(columns):
        message = f"{place}: the first line names the columns, each once: model, input, output, …"
        raise UnreadableSource(message)
    return columns


def _add_row(entries: list[Located], columns: Sequence[str], row: Sequence[str], place: Place) -> None:
    """A row is an entry; one with `service_tier` or `above` adds to the entry before it, of the same model."""
    if len(row) != len(columns):
        message = f"{place}: {len(row)} cells for {len(columns)} columns"
        raise UnreadableSource(message)
    cells = {name: Located(cell.strip(), place) for name, cell in zip(columns, row, strict=True) if cell.strip()}
    tier, above = cells.pop("service_tier", None), cells.get("above")
    if tier is None and above is None:
        entries.append(Located(cells, place))
        return
    model = cells.pop("model", None)
    last = entries[-1].value if entries else {}
    if model is None or "model" not in last or last["model"].value != model.value:
        message = f"{place}: a row with `service_tier` or `above` stands below the row of its model"
        raise UnreadableSource(message)
    if tier is not None:
        tiers = last.setdefault("service_tiers", Located({}, place)).value
        last = tiers.setdefault(tier.value, Located({}, place)).value
    if above is None:
        last |= cells
    else:
        last.setdefault("long_context", Located([], place)).value.append(Located(cells, place))
