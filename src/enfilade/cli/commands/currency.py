"""`enfilade currency`."""

from typing import Annotated

import typer

from enfilade.cli.output import Column, done, print_list
from enfilade.cli.remote import AsJson, KeyOption, Url, remote, segment

APP = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Exchange rates for display; the ledger stays in dollars."
)


@APP.command(name="list")
def list_(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Every rate that was ever declared, by currency and day."""
    columns: dict[str, Column] = {
        "currency": "currency",
        "for 1 USD#": "rate",
        "from": "effective_from",
        "source": "source",
        "set by": "set_by",
    }
    print_list(remote(url, key).get("/currencies"), columns, empty="There is no exchange rate yet.", as_json=as_json)


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
