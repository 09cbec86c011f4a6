"""CSV, for spreadsheets and everything else."""

from functools import partial

from enfilade.costs.spend.exports.columns import Format
from enfilade.costs.spend.exports.text import csv_lines

FORMAT = Format(
    name="csv",
    meaning="Comma-separated text with a header. Text that a spreadsheet would compute has an apostrophe in front.",
    media_type="text/csv; charset=utf-8",
    suffix="csv",
    tables=("lines", "daily"),
    encode=partial(csv_lines, guards=True),
)
