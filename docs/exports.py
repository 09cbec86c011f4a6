"""The reference page on exports: formats, and the columns of each table."""

from docs.pages import code, page, table
from enfilade.costs.spend.exports.columns import Table
from enfilade.costs.spend.exports.service import FORMATS, TABLES

TYPES = {
    "text": "text",
    "json": "JSON object as text",
    "integer": "64-bit integer",
    "moment": "moment, microseconds, UTC",
    "second": "moment, seconds, UTC",
    "date": "date",
    "flag": "true or false",
}


def exports() -> str:
    """Formats and columns of exports."""
    formats = sorted(FORMATS.values(), key=lambda form: form.name)
    rows = ((code(f.name), ", ".join(map(code, f.tables)), code(f.media_type), f.meaning) for f in formats)
    parts = [
        (
            "`enfilade spend export` and `GET /api/v1/exports/spend` write the ledger of a period to a file. "
            "[How to export spend](../how-to/export-spend.md) says which one to take."
        ),
        "## Formats",
        table(("format", "tables, the first unless another is asked for", "media type", "what it is"), rows),
        (
            "In CSV an empty cell is nothing, a decimal has all of its digits and no exponent. In Parquet a decimal is "
            "`decimal128(38, places)`, a moment `timestamp(us, UTC)`."
        ),
    ]
    for name in ("lines", "daily", "focus"):
        parts += [f"## The table {name}", TABLES[name].meaning, _columns(TABLES[name])]
    return page("Exports of spend", *parts)


def _columns(given: Table) -> str:
    rows = (
        (
            code(column.name),
            f"decimal, {column.scale} places" if column.kind == "decimal" else TYPES[column.kind],
            "yes" if column.optional else "",
            column.meaning,
        )
        for column in given.columns
    )
    return table(("column", "type", "may be empty", "meaning"), rows)
