"""Files that are cut, pages that are missing or come twice, keys that are mapped, and large files."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date

import msgspec
import pytest

from enfilade.costs.errors import EmptyExport, UnreadableExport
from enfilade.costs.reconciliation import reading as module
from enfilade.costs.reconciliation.reading import FAILED, Failure
from enfilade.costs.reconciliation.sources import Peekable, table_in
from enfilade.costs.reconciliation.types import Reading
from tests.unit.costs.reconciliation.exports import (
    NOV_1,
    csv_of,
    openai_cost,
    openai_page,
    reading_of,
    sums,
    tar_of,
    text_of,
    zipped,
)
from tests.unit.costs.reconciliation.test_formats import LEGACY, LEGACY_ROWS, legacy_row

PAGE = text_of(openai_page([openai_cost("gpt-4o, input", "0.01")], [openai_cost("gpt-4o, output", "0.02")]))
REPORT = csv_of(LEGACY, *LEGACY_ROWS)


def cuts(content: bytes) -> Iterator[int]:
    """Places at which a file may be cut: every one near its ends, and some between."""
    return iter({*range(1, 40), *range(40, len(content) - 40, 37), *range(len(content) - 40, len(content))})


@pytest.mark.parametrize(
    "content", [PAGE, REPORT, zipped(PAGE), zipped(REPORT)], ids=["json", "csv", "json.gz", "csv.gz"]
)
def test_a_file_that_is_cut_anywhere_is_refused_whole(content: bytes) -> None:
    for cut in cuts(content):
        # A table that ends with a whole row looks whole.
        if content[cut - 1 : cut] != b"\n" or content[:1] in {b"{", b"\x1f"}:
            with pytest.raises(UnreadableExport):
                reading_of(content[:cut])


def test_a_report_that_is_cut_between_two_rows_cannot_be_told_but_within_one_is() -> None:
    whole_rows = csv_of(LEGACY, *LEGACY_ROWS[:2])
    assert len(reading_of(whole_rows).entries) == 2
    with pytest.raises(UnreadableExport, match=r"line 3: (expected 13 fields, found 6|the last line has no end)"):
        reading_of(whole_rows[:-60])


def test_an_archive_that_is_cut_is_refused() -> None:
    archive = tar_of({"a.csv": REPORT, "b.json": PAGE})
    for cut in (400, 900, 1536, 2048, 2560, 3000, 3584):
        with pytest.raises(UnreadableExport, match=r"cut|expected a line|expected 13 fields"):
            reading_of(archive[:cut])
    assert len(reading_of(archive[: 3584 + 512]).files) == 2


def test_only_files_are_taken_out_of_an_archive() -> None:
    entry = bytearray(tar_of({"a.csv": b""})[:512])
    entry[156:157] = b"2"
    entry[157:168] = b"/etc/passwd"
    entry[148:156] = b" " * 8
    entry[148:156] = b"%06o\x00 " % sum(entry)
    with pytest.raises(UnreadableExport, match=r"a\.csv: expected a file, found a link"):
        reading_of(bytes(entry) + bytes(1024))


def test_pages_that_follow_must_come_along() -> None:
    first = openai_page([openai_cost("gpt-4o, input", "0.01")], more=True)
    with pytest.raises(UnreadableExport, match="says that there is more"):
        reading_of(text_of(first))
    last = openai_page([openai_cost("gpt-4o, input", "0.02")], first=NOV_1 + 86_400)
    files = tar_of({"1.json": text_of(first), "2.json": text_of(last)})
    assert [entry.nano for entry in reading_of(files).entries] == [10_000_000, 20_000_000]
    assert [entry.nano for entry in reading_of(text_of(first, last)).entries] == [10_000_000, 20_000_000]
    assert [entry.nano for entry in reading_of(text_of([first, last])).entries] == [10_000_000, 20_000_000]


def test_the_same_page_in_two_files_is_refused() -> None:
    with pytest.raises(UnreadableExport, match=r"b\.json and a\.json hold the same results"):
        reading_of(tar_of({"a.json": PAGE, "b.json": PAGE.replace(b"0.02", b"0.03")}))


def test_the_same_report_twice_is_refused() -> None:
    with pytest.raises(UnreadableExport, match=r"b\.csv and a\.csv are the same file"):
        reading_of(tar_of({"a.csv": REPORT, "b.csv": REPORT}))


def test_keys_are_mapped_to_our_providers() -> None:
    page = openai_page(
        [
            openai_cost("gpt-4o, input", "1", project_id="proj_eu"),
            openai_cost("gpt-4o, input", "2", project_id="proj_us"),
            openai_cost("gpt-4o, input", "4", project_id="proj_else"),
            openai_cost("gpt-4o, input", "8", project_id="proj_eu", api_key_id="key_us"),
        ]
    )
    keys = {"proj_eu": "openai-eu", "proj_us": "openai-us", "key_us": "openai-us", "*": "-"}
    reading = reading_of(text_of(page), keys=keys)
    found = {entry.provider: entry.nano for entry in reading.entries}
    assert found == {"openai-eu": 1_000_000_000, "openai-us": 10_000_000_000}
    assert reading.left_out == {"keys that are not ours": (1, 4_000_000_000)}
    unmapped = {entry.provider for entry in reading_of(text_of(page), keys={"proj_eu": "openai-eu"}).entries}
    assert unmapped == {"openai-eu", "openai"}


def test_models_are_mapped_to_our_deployments() -> None:
    reading = reading_of(PAGE, models={"gpt-4o": "our-gpt-4o"})
    assert {entry.model for entry in reading.entries} == {"our-gpt-4o"}


def test_days_outside_the_period_are_counted_and_left() -> None:
    reading = reading_of(PAGE, start=date(2026, 11, 2), end=date(2026, 11, 5))
    assert list(sums(reading)) == [("02", "gpt-4o", "output")]
    assert reading.outside_rows == 1
    assert (reading.start, reading.end) == (date(2026, 11, 2), date(2026, 11, 5))
    with pytest.raises(EmptyExport, match="2 rows are of days outside the period"):
        reading_of(PAGE, start=date(2026, 12, 1), end=date(2026, 12, 5))


def test_the_smallest_unit_is_the_finest_that_is_shown_and_at_most_a_cent() -> None:
    assert reading_of(text_of(openai_page([openai_cost("gpt-4o, input", "3")]))).places == 2
    assert reading_of(text_of(openai_page([openai_cost("gpt-4o, input", "0.0625")]))).places == 4


def test_a_large_report_is_read_row_by_row() -> None:
    row = legacy_row("USE1-NovaPro-input-tokens", "1", "0.001")
    content = csv_of(LEGACY, *[row] * 10_000)
    source = io.BytesIO(content)
    table = table_in("a.csv", Peekable(source))
    width = len(content) // 10_000
    furthest = max(source.tell() - number * width for number, _ in table.rows)
    assert furthest < 100_000 < len(content)
    reading = reading_of(content, "bedrock")
    assert (reading.rows, [entry.nano for entry in reading.entries]) == (10_000, [10_000_000_000])


def test_the_reader_prints_sums_or_the_error() -> None:
    command = [sys.executable, "-m", module.__name__, json.dumps({"provider": "openai"})]
    good = subprocess.run(command, input=PAGE, capture_output=True, timeout=120, check=True)
    assert msgspec.json.decode(good.stdout, type=Reading) == reading_of(PAGE)
    bad = subprocess.run(command, input=PAGE[:-5], capture_output=True, timeout=120, check=False)
    assert bad.returncode == FAILED
    failure = msgspec.json.decode(bad.stdout, type=Failure)
    assert failure.code == "unreadable_export"
    assert "line 1, column" in failure.message
