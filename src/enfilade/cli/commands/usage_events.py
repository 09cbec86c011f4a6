"""`enfilade usage-events`."""

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from enfilade.cli.files import whole_file
from enfilade.cli.output import note
from enfilade.cli.remote import KeyOption, TenantOption, Url, remote

APP = typer.Typer(add_completion=False)
PAGE = 1000


@APP.command()
def usage_events(
    after: Annotated[
        str | None, typer.Option(help="The cursor of an earlier run: go on behind it. From the beginning if left out.")
    ] = None,
    cursor_file: Annotated[
        Path | None,
        typer.Option(help="Where the cursor is kept: read at the start, written after each page that was printed."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events come, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="With --follow: seconds between two looks.")] = 2.0,
    subject: Annotated[
        Literal["tenant", "application"], typer.Option(help="Whose usage it is to the receiver.")
    ] = "tenant",
    tenant: TenantOption = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Print usage as CloudEvents, one JSON object a line, in the order in which it was committed.

    Every entry of the ledger comes once: a call, an attempt that was lost, a correction. The cursor for the next run is
    told at the end, on the error stream.
    """
    server = remote(url, key)
    cursor = after or _kept(cursor_file)
    while True:
        page = server.get("/usage-events", after=cursor, limit=PAGE, subject=subject, tenant=tenant)
        for event in page["items"]:
            sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
        sys.stdout.buffer.flush()
        cursor = page["next"]
        if cursor_file is not None:
            with whole_file(cursor_file) as file:
                file.write(f"{cursor}\n".encode())
        if page["more"]:
            continue
        if not follow:
            break
        time.sleep(every)
    note(f"next: --after {cursor}")


def _kept(cursor_file: Path | None) -> str | None:
    if cursor_file is None or not cursor_file.exists():
        return None
    return cursor_file.read_text().strip() or None
