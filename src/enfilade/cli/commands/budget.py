"""`enfilade budget`."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from enfilade.cli.output import NOTHING, done, money, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote, segment

Window = Literal["minute", "hour", "day", "week", "month", "quarter", "year", "total"]
Action = Literal["block", "cut", "warn"]
Identifier = Annotated[str, typer.Argument(metavar="ID", help="As `budget list` shows it.")]
APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Budgets, with what is spent, held and left.")
BAR = 10
NEAR = Decimal("0.8")


@APP.command(name="list")
def list_(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List budgets with what is spent, held and left now."""
    items = remote(url, key).pages("/budgets", tenant=tenant)
    if as_json:
        print_json(items)
        return
    columns = ("tenant", "scope", "per", "limit#", "raised#", "carried#", "spent#", "held#", "left#", "used")
    rows = (
        (
            b["tenant"],
            b["scope"],
            b["window"],
            money(b["limit_usd"]),
            extra(b["raised_usd"]),
            extra(b["carried_usd"]),
            money(b["spent_usd"]),
            money(b["held_usd"]),
            NOTHING if b["left_usd"] is None else money(b["left_usd"]),
            used(b),
            b["action"],
            short(b["window_start"]),
            short(b["resets_at"]) if b["resets_at"] else "never",
            b["id"],
        )
        for b in items
    )
    print_table((*columns, "action", "since (UTC)", "resets (UTC)", "id"), rows, empty="There is no budget yet.")


@APP.command()
def show(
    identifier: Identifier,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Show a budget; of one for `KIND:*`, also what each one has used."""
    budget = remote(url, key).get(f"/budgets/{segment(identifier)}", tenant=tenant)
    if as_json:
        print_json(budget)
        return
    subjects = budget.pop("subjects")
    amounts = {name: money(value) for name, value in budget.items() if name.endswith("_usd") and value is not None}
    print_fields(budget | amounts | {"used": used(budget)})
    if subjects is not None:
        rows = (
            (
                each["subject"],
                money(each["effective_limit_usd"]),
                money(each["spent_usd"]),
                money(each["held_usd"]),
                money(each["left_usd"]),
                bar(each["effective_limit_usd"], each["spent_usd"]),
            )
            for each in subjects
        )
        print_table(("subject", "limit#", "spent#", "held#", "left#", "used"), rows, empty="Nobody has used it yet.")


def short(moment: str | None) -> str | None:
    """A moment to the minute."""
    return None if moment is None else moment[:16].replace("T", " ")


def extra(amount: str | None) -> Text | str:
    """What is added to a limit, where something is."""
    return money(amount) if amount is not None and Decimal(amount) else NOTHING


def used(budget: dict[str, Any]) -> Text:
    """How much of a budget is spent. Of one for each of a kind, how much the one has spent who spent most."""
    if budget.get("subjects") is None:
        return bar(budget["effective_limit_usd"] or budget["limit_usd"], budget["spent_usd"])
    bars = [(each["effective_limit_usd"], each["spent_usd"]) for each in budget["subjects"]]
    return bar(*max(bars, key=lambda pair: share(*pair))) if bars else bar(budget["limit_usd"], "0")


def share(limit: str, spent: str) -> Decimal:
    """Which part of a limit is spent; of nothing anything is more than all."""
    if Decimal(limit):
        return Decimal(spent) / Decimal(limit)
    return Decimal("Infinity") if Decimal(spent) else Decimal(0)


def bar(limit: str, spent: str) -> Text:
    """A bar and a percentage, coloured as the limit comes near."""
    part = share(limit, spent)
    filled = BAR if part >= 1 else int(part * BAR)
    percent = f"{part:.0%}" if part.is_finite() else "∞"
    style = "red" if part >= 1 else "yellow" if part >= NEAR else "green"
    return Text(f"{'█' * filled}{'░' * (BAR - filled)} {percent:>4}", style=style)


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
    month_starts_on: Annotated[int, typer.Option(help="The day on which months begin, 1 to 28.")] = 1,
    year_starts_in: Annotated[int, typer.Option(help="The month in which years begin, 1 to 12.")] = 1,
    carry_over: Annotated[bool, typer.Option("--carry-over", help="Add what was left of the window before.")] = False,
    carry_over_limit: Annotated[str | None, typer.Option(help="The most that is carried over, in dollars.")] = None,
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
        "month_starts_on": month_starts_on,
        "year_starts_in": year_starts_in,
        "carry_over": carry_over,
        "carry_over_limit_usd": carry_over_limit,
    }
    budget = remote(url, key).request("POST", "/budgets", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(budget)
    else:
        done(f"Budget set: {budget['id']}")


@APP.command(name="raise")
def raise_(
    identifier: Identifier,
    until: Annotated[str, typer.Option(help="A day, which counts whole, or a moment: 2026-12-31.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit log.")],
    by: Annotated[str | None, typer.Option(help="So many dollars more.")] = None,
    to: Annotated[str | None, typer.Option(help="Up to this limit, in dollars.")] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Raise a budget for a time; it passes by itself."""
    body = {"by_usd": by, "to_usd": to, "until": until, "reason": reason}
    made = remote(url, key).request(
        "POST", f"/budgets/{segment(identifier)}/raises", params={"tenant": tenant}, json=body
    )
    if as_json:
        print_json(made)
    else:
        amount = money(made["amount_usd"]).plain
        done(f"Budget raised by {amount} until {short(made['until'])} UTC: {made['id']}")


@APP.command()
def raises(
    identifier: Identifier,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List the raises of a budget, also those that have passed."""
    items = remote(url, key).pages(f"/budgets/{segment(identifier)}/raises", tenant=tenant)
    if as_json:
        print_json(items)
        return
    rows = (
        (
            money(entry["amount_usd"]),
            entry["state"],
            short(entry["starts_at"]),
            short(entry["ended_at"] or entry["until"]),
            entry["actor"],
            entry["reason"],
            entry["id"],
        )
        for entry in items
    )
    columns = ("amount#", "state", "from (UTC)", "until (UTC)", "by", "reason", "id")
    print_table(columns, rows, empty="This budget was never raised.")


@APP.command(name="end-raise")
def end_raise(
    identifier: Identifier,
    which: Annotated[str, typer.Argument(metavar="RAISE", help="As `budget raises` shows it.")],
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """End a raise before its time."""
    confirm(f"End the raise {which}?", yes=yes)
    remote(url, key).request(
        "DELETE", f"/budgets/{segment(identifier)}/raises/{segment(which)}", params={"tenant": tenant}
    )
    done("Raise ended.")


@APP.command()
def remove(
    identifier: Identifier,
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Lift a budget; the ledger keeps what was spent under it."""
    confirm(f"Lift the budget {identifier}?", yes=yes)
    remote(url, key).request("DELETE", f"/budgets/{segment(identifier)}", params={"tenant": tenant})
    done("Budget lifted.")
