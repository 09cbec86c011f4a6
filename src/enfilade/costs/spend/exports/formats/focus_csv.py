"""FOCUS 1.2 as CSV."""

from functools import partial

from enfilade.costs.spend.exports.columns import Format
from enfilade.costs.spend.exports.text import csv_lines

FORMAT = Format(
    name="focus_csv",
    meaning="FOCUS 1.2 as comma-separated text. Names stand as they are, as the specification wants it.",
    media_type="text/csv; charset=utf-8",
    suffix="focus.csv",
    tables=("focus",),
    encode=partial(csv_lines, guards=False),
)
