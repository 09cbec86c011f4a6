"""FOCUS 1.2 as Parquet."""

from enfilade.costs.spend.exports.columns import Format
from enfilade.costs.spend.exports.parquet_pipe import parquet_file

FORMAT = Format(
    name="focus_parquet",
    meaning="FOCUS 1.2 as Parquet with exact decimals, zstd.",
    media_type="application/vnd.apache.parquet",
    suffix="focus.parquet",
    tables=("focus",),
    encode=parquet_file,
)
