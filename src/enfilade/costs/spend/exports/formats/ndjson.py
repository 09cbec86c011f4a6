"""JSON lines."""

from enfilade.costs.spend.exports.columns import Format
from enfilade.costs.spend.exports.text import json_lines

FORMAT = Format(
    name="ndjson",
    meaning="One JSON object a line, all columns in each; decimals are texts.",
    media_type="application/x-ndjson",
    suffix="ndjson",
    tables=("lines", "daily"),
    encode=json_lines,
)
