"""`enfilade budget`."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from enfilade.cli.output import NOTHING, done, money, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote

Window = Literal["minute", "hour", "day", "week", "month", "quarter", "year", "total"]
Action = Literal["block", "cut", "warn"]
APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Budgets, with what is spent and held.")


@APP.command(name="list")
def list_(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List budgets with what is spent and held now."""
    items = remote(url, key).pages("/budgets", tenant=tenant)
    if as_json:
        print_json(items)
        return
    rows = (
        (
            b["tenant"],
            b["scope"],
            b["window"],
            money(b["limit_usd"]),
            money(b["spent_usd"]),
            money(b["held_usd"]),
            used(b),
            b["action"],
            (b["resets_at"] or "never")[:16].replace("T", " "),
            b["id"],
        )
        for b in items
    )
    columns = ("tenant", "scope", "per", "limit#", "spent#", "held#", "used#", "action", "resets (UTC)", "id")
    print_table(columns, rows, empty="There is no budget yet.")


def used(budget: dict[str, Any]) -> Text:
    """How much of a budget is spent, coloured as it comes near."""
    limit, spent = Decimal(budget["limit_usd"]), Decimal(budget["spent_usd"])
    if not limit:
        return Text(NOTHING if not spent else "∞", style="dim")
    share = spent / limit
    return Text(f"{share:.0%}", style="red" if share >= 1 else "yellow" if share >= Decimal("0.8") else "green")


@APP.command(name="set")
def set_(
    scope: Annotated[str, typer.Argument(help="tenant, application:NAME, user:*, …")],
    limit_usd: Annotated[str, typer.Argument(help="Dollars, e.g. 5000.")],
    window: Annotated[Window, typer.Option("--per", help="The window.")] = "month",
    tenant: TenantOption = None,
    alerts: Annotated[
        list[str] | None, typer.Option("--alert", help="A share such as 0.8; repeat for several.")
    ] = None,
    action: Annotated[Action, typer.Option(help="What happens when it is used up.")] = "block",
    model: Annotated[str | None, typer.Option(help="Only for this model.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Set a budget."""
    body = {
        "scope": scope,
        "window": window,
        "limit_usd": limit_usd,
        "alerts": alerts or [],
        "action": action,
        "model": model,
    }
    budget = remote(url, key).request("POST", "/budgets", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(budget)
    else:
        done(f"Budget set: {budget['id']}")


@APP.command()
def remove(
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Lift a budget; the ledger keeps what was spent under it."""
    confirm(f"Lift the budget {identifier}?", yes=yes)
    remote(url, key).request("DELETE", f"/budgets/{identifier}", params={"tenant": tenant})
    done("Budget lifted.")
