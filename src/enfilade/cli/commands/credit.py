"""`enfilade credit`."""

from typing import Annotated

import typer

from enfilade.cli.nouns import add_list
from enfilade.cli.output import done, money, print_json
from enfilade.cli.remote import AsJson, KeyOption, Url, remote

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Credits: what later invoices are lessened by.")


@APP.command()
def grant(
    tenant: Annotated[str, typer.Argument(help="The tenant's name.")],
    amount_usd: Annotated[str, typer.Argument(help="Dollars, e.g. 250.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; it stands on invoices.")],
    expires: Annotated[str | None, typer.Option(help="The last day on which a period may begin that takes it.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Grant a tenant a credit."""
    body = {"tenant": tenant, "amount_usd": amount_usd, "reason": reason, "expires": expires}
    credit = remote(url, key).request("POST", "/credits", json=body)
    if as_json:
        print_json(credit)
    else:
        done(f"Credit granted: {credit['id']}")


add_list(
    APP,
    "/credits",
    "List credits, with what is left of each.",
    {
        "tenant": "tenant",
        "reason": "reason",
        "granted#": lambda credit: money(credit["amount_usd"]),
        "left#": lambda credit: money(credit["left_usd"]),
        "on": lambda credit: credit["granted_at"][:10],
        "expires": lambda credit: (credit["expires_at"] or "never")[:10],
        "id": "id",
    },
    empty="There is no credit yet.",
)
