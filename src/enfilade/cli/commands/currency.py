"""`enfilade currency`."""

from typing import Annotated

import typer

from enfilade.cli.output import done, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, Url, remote, segment

APP = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Exchange rates for display; the ledger stays in dollars."
)


@APP.command(name="list")
def list_(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Every rate that was ever declared, by currency and day."""
    items = remote(url, key).get("/currencies")
    if as_json:
        print_json(items)
        return
    rows = ((i["currency"], i["rate"], i["effective_from"], i["source"], i["set_by"]) for i in items)
    print_table(("currency", "for 1 USD#", "from", "source", "set by"), rows, empty="There is no exchange rate yet.")


@APP.command(name="set")
def set_(
    currency: Annotated[str, typer.Argument(help="An ISO 4217 code, e.g. EUR.")],
    rate: Annotated[str, typer.Argument(help="Units of the currency for one dollar, e.g. 0.92.")],
    effective_from: Annotated[str | None, typer.Option("--from", help="A day; today, if left out.")] = None,
    source: Annotated[str | None, typer.Option(help="Where it comes from, e.g. ECB.")] = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Declare what a dollar is worth from a day on."""
    body = {"rate": rate, "effective_from": effective_from, "source": source}
    remote(url, key).request("PUT", f"/currencies/{segment(currency)}", json=body)
    done(f"One dollar is {rate} {currency}.")
