"""What the commands of billing share: options for periods and rates, and documents as tables and files."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from enfilade.cli.output import CONSOLE, Exit, done, fail, print_fields, print_json, print_table
from enfilade.cli.remote import Remote

Period = Annotated[str | None, typer.Option("--period", "-p", help="2026-11, 2026-Q4 or 2026; last month.")]
FromDay = Annotated[str | None, typer.Option("--from", help="The first day, with --to.")]
ToDay = Annotated[str | None, typer.Option("--to", help="The last day, with --from.")]
RateOptions = Annotated[
    str | None,
    typer.Option("--rate", help="What a dollar is worth: EUR=0.92@2026-11-30, and if you like :SOURCE after it."),
]


def period_of(period: str | None, start: str | None, to: str | None) -> dict[str, Any]:
    """The parameters of a period, those that were given."""
    given = {"period": period, "from": start, "to": to}
    return {name: value for name, value in given.items() if value is not None}


def rate_of(text: str | None) -> dict[str, Any]:
    """The parameters of a rate such as EUR=0.92@2026-11-30:ECB. A wrong one ends the program."""
    if text is None:
        return {}
    currency, equals, rest = text.partition("=")
    rate, at, rest = rest.partition("@")
    day, _, source = rest.partition(":")
    if not (currency and equals and rate and at and day):
        fail(f"{text!r} is no rate.", "It looks like EUR=0.92@2026-11-30:ECB.")
        raise typer.Exit(Exit.USAGE)
    return {"currency": currency, "rate": rate, "rate_date": day, "rate_source": source or "given by hand"}


def print_paper(paper: dict[str, Any], *, as_json: bool) -> None:
    """A document for people, or as JSON."""
    if as_json:
        print_json(paper)
        return
    code = paper["currency"]["code"]
    corrects = paper["corrects"]
    print_fields(
        {
            paper["type"].replace("_", " "): paper["number"] or "not issued",
            "customer": paper["customer"]["name"],
            "for": paper["subject"] or paper["tenant"],
            "days": f"{paper['period']['first_day']} to {paper['period']['last_day']} ({paper['period']['time_zone']})",
            "provisional": paper["is_provisional"],
            "issued": paper["issue_date"],
            "due": paper["due_date"],
        }
        | ({"corrects": corrects["number"], "reason": corrects["reason"]} if corrects else {})
    )
    CONSOLE.print()
    rows = (
        (
            line["n"],
            line["model"],
            (line["kind"] or "not itemised") + {"usage": "", "correction": " (correction)"}.get(line["section"], ""),
            line["period"],
            line["quantity"],
            line["unit_price"] and f"{line['unit_price']} / {line['per']}",
            line["amount"],
        )
        for line in paper["lines"]
    )
    columns = ("line", "model", "kind", "earlier period", "quantity#", "unit price#", f"{code}#")
    print_table(columns, rows, empty="Nothing was used in this period.")
    CONSOLE.print()
    sums = [("usage", paper["subtotal"])]
    sums += [(f"credit: {credit['reason']}", f"-{credit['amount']}") for credit in paper["credits"]]
    sums += [("net", paper["net"])]
    sums += [(f"{tax['name']} {tax['rate']} %", tax["amount"]) for tax in paper["taxes"]]
    print_table(("sum", f"{code}#"), [*sums, ("total", paper["total"])], empty="")


def save(client: Remote, path: str, params: dict[str, Any], out: Path) -> None:
    """Write a reply to a file, or with `-` to the output stream."""
    with client.stream(path, **params) as chunks:
        content = b"".join(chunks)
    if str(out) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}")
        raise typer.Exit(Exit.USAGE) from None
    done(f"{out}: {len(content)} bytes")
