"""`enfilade spend forecast`, `movers`, `savings` and `alerts`."""

from decimal import Decimal
from typing import Annotated, Literal

import typer
from rich.text import Text

from enfilade.cli.outlook import (
    bar,
    change,
    explain,
    furthest,
    named,
    reach,
    rounded,
    said,
    span,
    stacked,
    swing,
    until,
    used_up,
)
from enfilade.cli.output import CONSOLE, NOTHING, note, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

By = Literal["tenant", "department", "application", "user", "key", "model", "budget"]
Moving = Literal["tenant", "department", "application", "user", "key", "model"]
Window = Literal["day", "week", "month", "quarter", "year"]
Period = Literal["day", "week", "month", "quarter"]


def forecast(
    by: Annotated[By, typer.Option("--by", "-b", help="What to foretell the spending of.")] = "tenant",
    window: Annotated[
        Window, typer.Option(help="Until the end of which; budgets have windows of their own.")
    ] = "month",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="How many.")] = 20,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Show what will have been spent at the end of the month, with a range, and when budgets are used up."""
    found = remote(url, key).get("/forecast", by=by, window=window, limit=limit, tenant=tenant)
    if as_json:
        print_json(found)
        return
    items = found["items"]
    most = max((furthest(item) for item in items), default=Decimal(0))
    shows_tenant = by != "tenant"
    columns = [by, *(["tenant"] if shows_tenant else []), "until", "spent#", "expected#", "range#", ""]
    if by == "budget":
        columns[-1:] = ["limit#", "used up", ""]
    rows = []
    for item in items:
        row = [named(item), *([item["tenant"]] if shows_tenant else []), until(item["window_end"])]
        row += [rounded(item["spent_usd"]), rounded(item["expected_usd"]), reach(item)]
        if by == "budget":
            row += [rounded(item["budget"]["limit_usd"]), used_up(item)]
        # A budget fills its own limit.
        rows.append([*row, bar(item, Decimal(item["budget"]["limit_usd"]) if item["budget"] else most)])
    print_table(columns, rows, empty="Nothing was spent lately, so there is nothing to foretell.")
    explain(items, found["left_out"])


def movers(
    by: Annotated[Moving, typer.Option("--by", "-b", help="Whose spending to compare.")] = "application",
    period: Annotated[Period, typer.Option(help="The running one, with the same part of the one before.")] = "month",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="How many.")] = 20,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Show whose spending has changed most, and whether because of prices or because of use."""
    found = remote(url, key).get("/movers", by=by, period=period, limit=limit, tenant=tenant)
    if as_json:
        print_json(found)
        return
    before, after = found["before"], found["after"]
    CONSOLE.print(Text.assemble((f"{span(before)}  ", "dim"), rounded(before["total_usd"])), soft_wrap=True)
    CONSOLE.print(
        Text.assemble(
            (f"{span(after)}  ", "dim"),
            rounded(after["total_usd"]),
            "  ",
            change(found["difference_usd"]),
        ),
        soft_wrap=True,
    )
    items = [item for item in found["items"] if item["status"] != "same"]
    most = max((abs(Decimal(item["difference_usd"])) for item in items), default=Decimal(0))
    shows_tenant = by != "tenant"
    columns = (
        *(by, *(["tenant"] if shows_tenant else [])),
        *("before#", "now#", "change#", "%#", "by use#", "by prices#", "", ""),
    )
    rows = (
        (
            item["name"],
            *([item["tenant"]] if shows_tenant else []),
            rounded(item["before_usd"]),
            rounded(item["after_usd"]),
            change(item["difference_usd"]),
            "" if item["percent"] is None else f"{item['percent']:+.1f}",
            change(item["volume_usd"]),
            change(item["price_usd"]),
            Text(item["status"] if item["status"] in {"new", "gone"} else " ", style="bold"),
            swing(item["difference_usd"], most),
        )
        for item in items
    )
    print_table(columns, rows, empty="Nothing has changed.")
    if found["left_out"]:
        note(f"{found['left_out']} more have changed by {Decimal(found['left_out_usd']):+.2f} USD in sum.")


def savings(
    start: Annotated[str | None, typer.Option("--from", help="2026-11-02 or RFC 3339; the month's beginning.")] = None,
    to: Annotated[str | None, typer.Option(help="A date includes that day; now.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")] = 20,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Show what caches saved, and what they could save."""
    params = {"from": start, "to": to, "limit": limit, "tenant": tenant}
    found = remote(url, key).request("GET", "/savings", params=params)
    if as_json:
        print_json(found)
        return
    CONSOLE.print(Text.assemble((span(found), "dim"), "  spent ", rounded(found["cost_usd"])), soft_wrap=True)
    parts = ("saved_by_provider_usd", "saved_by_replies_usd", "could_save_usd")
    for field, words in zip(
        parts,
        ("saved by providers' prompt caches", "saved by the reply cache", "a reply cache could save"),
        strict=True,
    ):
        CONSOLE.print(Text.assemble(rounded(found[field]).plain.rjust(12), "  ", (words, "dim")))
    most = max(
        (sum((Decimal(item[part]) for part in parts), Decimal(0)) for item in found["items"]), default=Decimal(0)
    )
    rows = (
        (
            item["application"],
            item["tenant"],
            item["model"],
            item["calls"],
            rounded(item["cost_usd"]),
            *(rounded(item[part]) for part in parts),
            stacked([Decimal(item[part]) for part in parts], most),
        )
        for item in found["items"]
    )
    columns = ("application", "tenant", "model", "calls#", "cost#", "by provider#", "by replies#", "could save#", "")
    print_table(columns, rows, empty="Nothing was spent in this period.")
    for item in found["items"]:
        if item["what_to_do"]:
            where = f"{item['application'] or NOTHING} · {item['model'] or NOTHING}: "
            CONSOLE.print(Text.assemble(("→ ", "yellow"), where, item["what_to_do"]), soft_wrap=True)


def alerts(
    kind: Annotated[
        str | None, typer.Option("--type", help="One or several, with commas: CostAnomalyDetected …")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="2026-11-02 or RFC 3339.")] = None,
    to: Annotated[str | None, typer.Option(help="A date includes that day.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, the newest first.")] = 20,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List alerts: thresholds, used-up budgets, hours out of the ordinary, odd settlements, differences."""
    params = {"type": kind, "from": start, "to": to, "tenant": tenant}
    items = remote(url, key).pages("/alerts", limit, **params)
    if as_json:
        print_json(items)
        return
    rows = (
        (item["at"][:19].replace("T", " "), item["tenant"], Text(item["type"], style="bold"), said(item))
        for item in items
    )
    print_table(("at (UTC)", "tenant", "alert", "what"), rows, empty="No alerts.")
