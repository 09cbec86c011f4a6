"""`enfilade session`."""

from typing import Annotated

import typer

from enfilade.cli.output import done, print_json, print_table
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
    if as_json:
        print_json(items)
        return
    rows = ((s["id"], s["user"], s["methods"], s["address"], s["used_at"], s["expires_at"]) for s in items)
    columns = ("id", "user", "by", "address", "last used", "ends")
    print_table(columns, rows, empty="Nobody is signed in.")


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
