"""`enfilade spend`: who spent what. What else can be asked about money are its commands, each in a module of its own."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from enfilade.cli.commands.spend_explain import correct, explain
from enfilade.cli.commands.spend_export import export
from enfilade.cli.output import CONSOLE, money, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

APP = typer.Typer(add_completion=False, help="Who spent what.")
COMMANDS: tuple[Callable[..., None], ...] = (explain, correct, export)
"""The commands below it, in the order in which they are shown: functions named as they are typed."""

BAR_WIDTH = 24
Grouping = Literal["tenant", "department", "application", "user", "key", "model", "day"]


@APP.callback(invoke_without_command=True)
def spend(
    context: typer.Context,
    group_by: Annotated[Grouping, typer.Option("--by", "-b", help="What to sum up by.")] = "model",
    start: Annotated[str | None, typer.Option("--from", help="2026-11-02 or RFC 3339; the month's beginning.")] = None,
    to: Annotated[str | None, typer.Option(help="A date includes that day; now.")] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Who spent what."""
    if context.invoked_subcommand is not None:
        return
    params = {"group_by": group_by, "from": start, "to": to, "tenant": tenant}
    report = remote(url, key).request("GET", "/spend", params=params)
    if as_json:
        print_json(report)
        return
    heading = f"{report['from'][:10]} to {report['to'][:16].replace('T', ' ')}"
    CONSOLE.print(Text.assemble((heading, "dim"), "  ", money(report["total_usd"]), f"  {report['calls']} calls"))
    most = max((Decimal(group["cost_usd"]) for group in report["groups"]), default=Decimal(0))
    rows = (
        (
            group["name"],
            *([group["tenant"]] if group_by != "tenant" else []),
            group["calls"],
            group["tokens"],
            money(group["cost_usd"]),
            bar(group, most),
        )
        for group in report["groups"]
    )
    columns = (
        group_by,
        *(["tenant"] if group_by != "tenant" else []),
        "calls#",
        "tokens#",
        "cost#",
        "",
    )
    print_table(columns, rows, empty="Nothing was spent in this period.")


def bar(group: dict[str, Any], most: Decimal) -> Text:
    """A group's share of the largest one."""
    width = int(Decimal(group["cost_usd"]) / most * BAR_WIDTH) if most else 0
    return Text("█" * width, style="cyan")


for command in COMMANDS:
    APP.command()(command)
