"""`enfilade credit`."""

from typing import Annotated

import typer

from enfilade.cli.output import done, money, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

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


@APP.command(name="list")
def list_(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List credits, with what is left of each."""
    items = remote(url, key).pages("/credits", tenant=tenant)
    if as_json:
        print_json(items)
        return
    rows = (
        (
            item["tenant"],
            item["reason"],
            money(item["amount_usd"]),
            money(item["left_usd"]),
            item["granted_at"][:10],
            (item["expires_at"] or "never")[:10],
            item["id"],
        )
        for item in items
    )
    columns = ("tenant", "reason", "granted#", "left#", "on", "expires", "id")
    print_table(columns, rows, empty="There is no credit yet.")
