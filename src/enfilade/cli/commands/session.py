"""`enfilade session`."""

from typing import Annotated

import typer

from enfilade.cli.output import Column, done, print_list
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Sessions of people who signed in.")
UserOption = Annotated[str | None, typer.Option("--user", help="Of this user only.")]


@APP.command(name="list")
def list_(
    user: UserOption = None,
    mine: Annotated[bool, typer.Option("--mine", help="One's own only; needs no permission.")] = False,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List live sessions."""
    server = remote(url, key)
    items = server.pages("/sessions/mine") if mine else server.pages("/sessions", tenant=tenant, user=user)
    columns: dict[str, Column] = {
        "id": "id",
        "user": "user",
        "by": "methods",
        "address": "address",
        "last used": "used_at",
        "ends": "expires_at",
    }
    print_list(items, columns, empty="Nobody is signed in.", as_json=as_json)


@APP.command()
def end(session: str, tenant: TenantOption = None, url: Url = None, key: KeyOption = None) -> None:
    """End a session."""
    remote(url, key).request("DELETE", f"/sessions/{segment(session)}", params={"tenant": tenant})
    done("The session is ended.")


@APP.command(name="end-all")
def end_all(user: str, tenant: TenantOption = None, url: Url = None, key: KeyOption = None) -> None:
    """End all sessions of a user."""
    found = remote(url, key).request("DELETE", "/sessions", params={"tenant": tenant, "user": user})
    done(f"Sessions ended: {found['ended']}.")
