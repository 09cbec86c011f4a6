"""`enfilade spend export`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from enfilade.cli.files import whole_file
from enfilade.cli.output import Exit, done, fail, note
from enfilade.cli.remote import KeyOption, TenantOption, Url, remote

EMPTY = "x-enfilade-empty"


def export(
    form: Annotated[
        str, typer.Option("--format", "-f", help="csv, ndjson, parquet, focus_csv or focus_parquet.")
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; the output stream if left out.")
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="lines or daily; the FOCUS formats write focus. lines, if left out.")
    ] = None,
    granularity: Annotated[
        str | None, typer.Option(help="Of the FOCUS formats: day or hour. day, if left out.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="2026-11-02 or RFC 3339; the month's beginning.")] = None,
    to: Annotated[str | None, typer.Option(help="A date includes that day; now.")] = None,
    tenant: TenantOption = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Write the ledger of a period to a file: line by line, by day, or as FOCUS 1.2.

    A file is there once it is whole.
    """
    if output is None and "parquet" in form and sys.stdout.isatty():
        fail("Parquet is no text for a terminal.", "Name a file with --output, or redirect the output.")
        raise typer.Exit(Exit.USAGE)
    params: dict[str, Any] = {
        "format": form,
        "table": table,
        "granularity": granularity,
        "from": start,
        "to": to,
        "tenant": tenant,
    }
    with remote(url, key).download("/exports/spend", **params) as reply:
        if output is None:
            for chunk in reply.iter_bytes():
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        else:
            try:
                with whole_file(output) as file:
                    for chunk in reply.iter_bytes():
                        file.write(chunk)
            except OSError as error:
                fail(f"{output} cannot be written: {error.strerror}", "Choose another place with --output.")
                raise typer.Exit(Exit.FAILED) from None
        is_empty = reply.headers.get(EMPTY) == "true"
    if is_empty:
        note("There is nothing in this period; the file has no rows.")
    if output is not None:
        done(f"{output} written.")
