"""`enfilade invoice`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from enfilade.cli.output import done, print_json, print_table
from enfilade.cli.papers import FromDay, Period, RateOptions, ToDay, period_of, print_paper, rate_of, save
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote, segment

Number = Annotated[str, typer.Argument(help="The number or the id.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write it; `-` is the output stream.")]
APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Invoices and credit notes.")


@APP.command()
def preview(
    period: Period = None,
    start: FromDay = None,
    to: ToDay = None,
    tenant: TenantOption = None,
    rate: RateOptions = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """The invoice that would be issued now, or the one that was."""
    params = period_of(period, start, to) | rate_of(rate) | {"tenant": tenant}
    print_paper(remote(url, key).request("GET", "/invoices/preview", params=params), as_json=as_json)


@APP.command()
def issue(
    tenant: Annotated[str, typer.Argument(help="The tenant's name.")],
    period: Period = None,
    start: FromDay = None,
    to: ToDay = None,
    zero: Annotated[bool, typer.Option("--zero", help="Also when nothing is owed.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Replace one that was credited in full.")] = False,
    rate: RateOptions = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Issue the invoice of a period that is over; asked again, the same one is shown."""
    body: dict[str, Any] = {"tenant": tenant, "zero": zero, "again": again} | period_of(period, start, to)
    given = rate_of(rate)
    if given:
        body["exchange_rate"] = {
            "currency": given["currency"],
            "rate": given["rate"],
            "date": given["rate_date"],
            "source": given["rate_source"],
        }
    invoice = remote(url, key).request("POST", "/invoices", json=body)
    if as_json:
        print_json(invoice)
    else:
        done(f"{invoice['number']}: {invoice['currency']} {invoice['total']}")


@APP.command(name="list")
def list_(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List invoices and credit notes."""
    items = remote(url, key).pages("/invoices", tenant=tenant)
    if as_json:
        print_json(items)
        return
    numbers = {item["id"]: item["number"] for item in items}
    rows = (
        (
            item["number"],
            item["type"].replace("_", " "),
            item["tenant"],
            item["period_start"][:10],
            item["issued_at"][:10],
            item["currency"],
            item["total"],
            numbers.get(item["corrects"] or item["replaces"], item["corrects"] or item["replaces"]),
        )
        for item in items
    )
    columns = ("number", "type", "tenant", "period from (UTC)", "issued", "currency", "total#", "corrects or replaces")
    print_table(columns, rows, empty="Nothing was issued yet.")


@APP.command()
def show(number: Number, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Show an invoice or credit note."""
    print_paper(remote(url, key).get(f"/invoices/{segment(number)}"), as_json=as_json)


@APP.command()
def pdf(number: Number, out: Out = None, url: Url = None, key: KeyOption = None) -> None:
    """Save an invoice or credit note as PDF."""
    save(remote(url, key), f"/invoices/{segment(number)}", {"format": "pdf"}, out or Path(f"{number}.pdf"))


@APP.command()
def csv(number: Number, out: Out = None, url: Url = None, key: KeyOption = None) -> None:
    """Save the lines of an invoice or credit note as CSV."""
    save(remote(url, key), f"/invoices/{segment(number)}", {"format": "csv"}, out or Path(f"{number}.csv"))


@APP.command(name="credit-note")
def credit_note(
    number: Annotated[str, typer.Argument(help="The invoice's number or id.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; it stands on the credit note.")],
    lines: Annotated[list[int] | None, typer.Option("--line", help="Only this line; repeat for several.")] = None,
    late: Annotated[bool, typer.Option("--late", help="Only what was corrected since it was billed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Credit an invoice: all that is left of it, some lines, or late corrections."""
    what = "late corrections of" if late else f"lines {', '.join(map(str, lines))} of" if lines else "all of"
    confirm(f"Credit {what} {number}? A credit note cannot be taken back.", yes=yes)
    body = {"reason": reason, "lines": lines or None, "late": late}
    note = remote(url, key).request("POST", f"/invoices/{segment(number)}/credit-notes", json=body)
    if as_json:
        print_json(note)
    else:
        done(f"{note['number']}: {note['currency']} {note['total']} credited")
