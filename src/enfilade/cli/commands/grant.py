"""`enfilade grant`."""

from typing import Annotated

import typer

from enfilade.cli.approvals import GRANT, Reason
from enfilade.cli.output import done, print_list
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Access for a time.")


@APP.command(name="list")
def list_(
    state: Annotated[str | None, typer.Option("--state", help="scheduled, active, ended or revoked.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List access for a time: your own, or with `approvals:read` all."""
    items = remote(url, key).pages("/access-grants", tenant=tenant, state=state, mine=mine or None)
    columns = GRANT | {"how": lambda item: "emergency" if item["emergency"] else "approved", "id": "id"}
    print_list(items, columns, empty="There is no access for a time.", as_json=as_json)


@APP.command()
def revoke(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="As `grant list` shows it.")],
    reason: Reason,
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """End access before its time: your own, what you approved, or with `approvals:write` any."""
    confirm(f"Revoke the access {identifier}?", yes=yes)
    address = f"/access-grants/{segment(identifier)}/revoke"
    remote(url, key).request("POST", address, params={"tenant": tenant}, json={"reason": reason})
    done("Access revoked.")
