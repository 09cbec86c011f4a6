"""`enfilade spend`: who spent what. What else can be asked about money are its commands, each in a module of its own."""

import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from enfilade.cli.commands.spend_explain import correct, explain
from enfilade.cli.commands.spend_export import export
from enfilade.cli.commands.spend_outlook import alerts, forecast, movers, savings
from enfilade.cli.commands.spend_rebuild import rebuild
from enfilade.cli.output import CONSOLE, Exit, fail, money, note, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

APP = typer.Typer(add_completion=False, help="Who spent what.")
COMMANDS: tuple[Callable[..., None], ...] = (explain, correct, forecast, movers, savings, alerts, export, rebuild)
"""The commands below it, in the order in which they are shown: functions named as they are typed."""

BAR_WIDTH = 24
Grain = Literal["hour", "day", "week", "month", "quarter"]
GRAINS = ("hour", "day", "week", "month", "quarter")
SHORT = {"app": "application", "dept": "department"}
METADATA = "metadata:"
DIMENSIONS = (
    *("tenant", "department", "application", "user", "key", "model", "provider", "deployment"),
    *("region", "use_case", "prompt"),
)
BY = (
    "tenant, department, application (app), user, key, model, provider, deployment, region, use_case, prompt, "
    "metadata:NAME, hour, day, week, month or quarter; twice for both of two."
)


def _groupings(values: list[str] | None) -> list[str] | None:
    for by in values or ():
        is_metadata = by.startswith(METADATA) and by != METADATA
        if not is_metadata and SHORT.get(by, by) not in (*DIMENSIONS, *GRAINS):
            message = f"{by!r} is no grouping; use one of {', '.join((*DIMENSIONS, 'metadata:NAME', *GRAINS))}."
            raise typer.BadParameter(message)
    return values


@APP.callback(invoke_without_command=True)
def spend(
    context: typer.Context,
    group_by: Annotated[
        list[str] | None, typer.Option("--by", "-b", callback=_groupings, help=f"What to sum up by: {BY}")
    ] = None,
    grain: Annotated[Grain | None, typer.Option(help="The same as --by with a length of time, as time goes.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", "-w", help="Only calls with it: application=NAME, model=NAME …; nothing after = for none."
        ),
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="2026-11-02 or RFC 3339; the month's beginning.")] = None,
    to: Annotated[str | None, typer.Option(help="A date includes that day; now.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="How many groups; 100, and all for --csv.")] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Who spent what."""
    if context.invoked_subcommand is not None:
        return
    keys = [SHORT.get(by, by) for by in group_by or ([] if grain else ["model"])] + ([grain] if grain else [])
    params: dict[str, Any] = {"group_by": ",".join(keys), "from": start, "to": to, "tenant": tenant, "limit": limit}
    if any(by in GRAINS for by in keys):
        params["sort"] = "time"
    params |= dict(_condition(text) for text in where or [])
    server = remote(url, key)
    report = server.get("/spend", **params)
    if as_csv:
        while limit is None and report["next"]:
            following = server.get("/spend", **params | {"cursor": report["next"]})
            report = following | {"groups": report["groups"] + following["groups"]}
        print_csv(keys, report["groups"])
    elif as_json:
        print_json(report)
    else:
        show(keys, report)


def _condition(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        fail(f"{text!r} is no condition.", "It looks like application=copilot.")
        raise typer.Exit(Exit.USAGE)
    return SHORT.get(name, name), value


def show(keys: Sequence[str], report: dict[str, Any]) -> None:
    """A heading and a table with bars."""
    total, groups = report["total"], report["groups"]
    heading = f"{report['from'][:16]} to {report['to'][:16]}".replace("T", " ")
    parts: list[str | Text] = ["  ", money(report["total_usd"]), f"  {report['calls']} calls"]
    if saved := Decimal(total["saved_usd"]):
        parts += ["  saved by caches ", money(str(saved))]
    CONSOLE.print(Text.assemble((heading, "dim"), *parts), soft_wrap=True)
    most = max((Decimal(group["cost_usd"]) for group in groups), default=Decimal(0))
    shows_tenant = "tenant" not in keys
    # A group that has calls and no tokens is a riddle without it.
    shows_refused = any(group["refused"] for group in groups)
    counts = ("calls", *(["refused"] if shows_refused else []), "failures", "tokens")
    columns = (*keys, *(["tenant"] if shows_tenant else []), *(f"{count}#" for count in counts), "cost#", "")
    rows = (
        (
            *(part["name"] for part in group["keys"]),
            *([group["tenant"]] if shows_tenant else []),
            *(group[count] for count in counts),
            money(group["cost_usd"]),
            bar(group, most),
        )
        for group in groups
    )
    print_table(columns, rows, empty="Nothing was spent in this period.")
    if report["next"]:
        note("There are more groups; ask for them with --limit or --csv.")


def print_csv(keys: Sequence[str], groups: Iterable[dict[str, Any]]) -> None:
    """The groups with all their sums; kinds that no group has are no columns."""
    rows = [_flat(keys, group) for group in groups]
    columns = list(dict.fromkeys(name for row in rows for name in row)) or list(keys)
    writer = csv.DictWriter(sys.stdout, columns, restval="0", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _flat(keys: Sequence[str], group: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(keys, (part["name"] for part in group["keys"]), strict=True))
    row.setdefault("tenant", group["tenant"])
    for name, value in group.items():
        if isinstance(value, dict):
            kind = "cost_usd" if name == "cost_by_kind_usd" else "quantity"
            row |= {f"{entry}_{kind}": amount for entry, amount in value.items()}
        elif name not in {"keys", "tenant"}:
            row[name] = value
    return row


def bar(group: dict[str, Any], most: Decimal) -> Text:
    """A group's share of the largest one."""
    width = max(0, int(Decimal(group["cost_usd"]) / most * BAR_WIDTH)) if most > 0 else 0
    return Text("█" * width, style="cyan")


for command in COMMANDS:
    APP.command()(command)
