"""`enfilade account-rules`."""

from enum import StrEnum
from typing import Annotated

import typer

from enfilade.cli.output import done, print_fields, print_json
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="What is demanded of local accounts.")


class Who(StrEnum):
    """Who needs a second factor."""

    NEVER = "never"
    ADMINISTRATORS = "administrators"
    EVERYONE = "everyone"


@APP.command()
def show(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Show a tenant's rules; the platform's are those of `--tenant platform`."""
    rules = remote(url, key).get("/account-rules", tenant=tenant)
    print_json(rules) if as_json else print_fields(rules)


@APP.command(name="set")
def set_(
    second_factor: Annotated[Who | None, typer.Option("--second-factor", help="Who needs a second factor.")] = None,
    local_accounts: Annotated[
        bool | None, typer.Option("--local-accounts/--no-local-accounts", help="Whether there are local accounts.")
    ] = None,
    tenant: TenantOption = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Change a tenant's rules; what is not given stays as it is."""
    server = remote(url, key)
    rules = server.get("/account-rules", tenant=tenant)
    if second_factor is not None:
        rules["require_second_factor"] = second_factor.value
    if local_accounts is not None:
        rules["local_accounts"] = local_accounts
    server.request("PUT", "/account-rules", params={"tenant": tenant}, json=rules)
    done("The rules hold from the next sign-in on.")


@APP.command()
def unset(tenant: TenantOption = None, url: Url = None, key: KeyOption = None) -> None:
    """Go by the defaults again."""
    remote(url, key).request("DELETE", "/account-rules", params={"tenant": tenant})
    done("The defaults hold again.")
