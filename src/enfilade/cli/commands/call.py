"""`enfilade call`."""

from typing import Annotated, Literal

import typer
from rich.text import Text

from enfilade.cli.output import money, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Calls.")
Status = Literal["ok", "failed", "cut", "abandoned", "interrupted", "refused"]
COLOURS = {"ok": "green", "refused": "yellow", "cut": "yellow"}


@APP.command(name="list")
def list_(
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many at most.")] = 20,
    status: Annotated[Status | None, typer.Option(help="How it ended.")] = None,
    model: Annotated[str | None, typer.Option(help="The model.")] = None,
    application: Annotated[str | None, typer.Option("--app", help="The application; with --tenant.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="2026-11-02 or RFC 3339.")] = None,
    to: Annotated[str | None, typer.Option(help="A date includes that day.")] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List calls, newest first."""
    filters = {"status": status, "model": model, "application": application, "from": start, "to": to}
    items = remote(url, key).pages("/calls", limit=limit, tenant=tenant, **filters)
    if as_json:
        print_json(items)
        return
    rows = (
        (
            c["created_at"][:19].replace("T", " "),
            Text(c["status"], style=COLOURS.get(c["status"], "red")),
            f"{c['tenant']}/{c['application'] or c['user'] or '?'}",
            c["model"],
            c["usage"]["total_tokens"],
            money(c["cost_usd"]),
            f"{c['latency_ms']:.0f}",
            c["error"],
            c["id"],
        )
        for c in items
    )
    columns = ("when", "status", "who", "model", "tokens#", "cost#", "ms#", "error", "id")
    print_table(columns, rows, empty="There is no such call.")


@APP.command()
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Show a call; its id is the `x-request-id` of its reply."""
    found = remote(url, key).get(f"/calls/{segment(identifier)}")
    print_json(found) if as_json else print_fields(found)
