"""`enfilade audit`."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from enfilade.cli.output import done, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="The audit log.")

From = Annotated[str | None, typer.Option("--from", help="2026-11-02 or RFC 3339.")]
To = Annotated[str | None, typer.Option(help="A date includes that day.")]
Type = Annotated[str | None, typer.Option("--type", help="e.g. CallSettled or KeyRevoked.")]


@APP.command(name="list")
def list_(
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many at most.")] = 50,
    kind: Type = None,
    start: From = None,
    to: To = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List events, oldest first."""
    filters = {"type": kind, "from": start, "to": to}
    items = remote(url, key).pages("/events", limit=limit, tenant=tenant, **filters)
    if as_json:
        print_json(items)
        return
    rows = (
        (
            e["at"][:19].replace("T", " "),
            e["seq"],
            e["type"],
            e["event"]["actor"],
            _short(e["event"]["data"]),
            e["leaf"][:12],
        )
        for e in items
    )
    print_table(("when", "seq#", "type", "actor", "data", "leaf"), rows, empty="There is no such event.")


def _short(data: object) -> str:
    text = msgspec.json.encode(data).decode()
    return text if len(text) <= 80 else text[:79] + "…"


@APP.command()
def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; the output stream if left out.")
    ] = None,
    kind: Type = None,
    start: From = None,
    to: To = None,
    tenant: TenantOption = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Write all events of a period, one JSON object per line, in the order of their leaves."""
    server = remote(url, key)
    count = 0
    params = {"type": kind, "from": start, "to": to, "tenant": tenant}
    with server.stream("/events/export", **params) as chunks:
        if output is None:
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
            return
        with output.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
                count += chunk.count(b"\n")
    done(f"{count} events written to {output}.")
