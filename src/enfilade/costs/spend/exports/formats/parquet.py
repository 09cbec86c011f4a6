"""Parquet, for data platforms."""

from enfilade.costs.spend.exports.columns import Format
from enfilade.costs.spend.exports.parquet_pipe import parquet_file

FORMAT = Format(
    name="parquet",
    meaning="Parquet with exact decimals and moments in UTC, zstd.",
    media_type="application/vnd.apache.parquet",
    suffix="parquet",
    tables=("lines", "daily"),
    encode=parquet_file,
)
