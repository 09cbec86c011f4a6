"""`enfilade spend explain` and `enfilade spend correct`."""

from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.text import Text

from enfilade.cli.output import CONSOLE, done, money, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, Url, remote, segment

CallArgument = Annotated[str, typer.Argument(metavar="CALL", help="The call's id: the `x-request-id` of its reply.")]


def explain(call: CallArgument, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Show why a call cost what it cost: each line with its tokens, its price and the price's version."""
    found = remote(url, key).get(f"/calls/{segment(call)}/costs")
    if as_json:
        print_json(found)
        return
    moment = found["started_at"][:19].replace("T", " ")
    CONSOLE.print(Text.assemble((f"{moment}  {found['tenant']}  {found['status']}", "dim")))
    for entry in found["entries"]:
        _print(entry, found)
    CONSOLE.print(Text.assemble("total  ", money(found["total_usd"])))


def correct(
    call: CallArgument,
    reason: Annotated[str, typer.Option(help="Why; it stays in the ledger.")],
    amount: Annotated[str, typer.Option(help="USD to add to what the tenant is charged; may be negative.")] = "0",
    provider: Annotated[str, typer.Option(help="USD to add to what the provider charges us.")] = "0",
    line: Annotated[int, typer.Option(help="The line to correct.")] = 0,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Correct what a call was charged, by a new line. For the platform's owner."""
    body = {"corrects": line, "amount_usd": amount, "provider_usd": provider, "reason": reason}
    found = remote(url, key).request("POST", f"/calls/{segment(call)}/corrections", json=body)
    done(f"Line {found['entries'][-1]['line']} corrects line {line}: the call now cost {found['total_usd']} USD.")


def _print(entry: dict[str, Any], call: dict[str, Any]) -> None:
    CONSOLE.print(Text.assemble("\n", (_heading(entry), "bold"), "  ", (entry["deployment"] or "", "dim")))
    if entry["price_version"]:
        CONSOLE.print(Text(f"price: {entry['price_version']}", style="dim"))
    if entry["lines"]:
        rows = (
            (line["kind"].replace("_", " "), line["quantity"], _price(line), _amount(line["amount_usd"]))
            for line in entry["lines"]
        )
        print_table(("kind", "quantity#", "price#", "amount#"), rows, empty="")
    CONSOLE.print(Text.assemble("charged ", money(entry["amount_usd"]), (_beside(entry), "dim")))
    if entry["reason"]:
        CONSOLE.print(Text(f"{entry['reason']} ({entry['source']})", style="dim"))
    for flag, remark in zip(entry["flags"], entry["remarks"], strict=False):
        told = remark
        if flag == "substituted":
            told += f" The answer came from {call['upstream_model']}."
        CONSOLE.print(Text.assemble(("! ", "yellow"), told))


def _heading(entry: dict[str, Any]) -> str:
    if entry["corrects"] is not None:
        return f"line {entry['line']}: correction of line {entry['corrects']}"
    if entry["source"]:
        return f"line {entry['line']}: {entry['source']}"
    if entry["line"]:
        return f"line {entry['line']}: attempt {entry['attempt']}, which was lost and may have been charged"
    return "line 0: the call" if entry["lines"] else "line 0: the call, which cost nothing"


def _price(line: dict[str, Any]) -> str:
    return f"{line['price_usd']} USD {line['per']}"


def _amount(text: str) -> str:
    """With all its digits: this is where they matter."""
    return f"{Decimal(text):f}"


def _beside(entry: dict[str, Any]) -> str:
    """The other amounts, where they differ."""
    words = []
    for name, field in (("provider charges", "provider_usd"), ("at list price", "list_usd")):
        if entry[field] != entry["amount_usd"] and entry["corrects"] is None:
            words.append(f"{name} {entry[field]}")
    if Decimal(entry["saved_usd"]):
        words.append(f"caches saved {entry['saved_usd']}")
    if Decimal(entry["overrun_usd"]):
        words.append(f"{entry['overrun_usd']} beyond the hold")
    return "  " + ", ".join(words) if words else ""
