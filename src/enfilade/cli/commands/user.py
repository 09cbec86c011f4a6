"""`enfilade user`."""

from typing import Annotated

import typer

from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Users.")


@APP.command(name="list")
def list_(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List users."""
    items = remote(url, key).pages("/users", tenant=tenant)
    if as_json:
        print_json(items)
        return
    rows = ((u["tenant"], u["email"], u["department"], u["roles"]) for u in items)
    print_table(("tenant", "e-mail", "department", "roles"), rows, empty="There is no user yet.")


@APP.command()
def show(
    email: str, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Show a user."""
    user = remote(url, key).get(f"/users/{segment(email)}", tenant=tenant)
    print_json(user) if as_json else print_fields(user)


@APP.command()
def create(
    email: str,
    tenant: TenantOption = None,
    department: Annotated[str | None, typer.Option(help="Their department.")] = None,
    roles: Annotated[list[str] | None, typer.Option("--role", help="Repeat for several.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Create a user."""
    body = {"email": email, "department": department, "roles": roles or []}
    user = remote(url, key).request("POST", "/users", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(user)
    else:
        done(f"User {email} created.")


@APP.command()
def remove(
    email: str,
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Remove a user and revoke their keys."""
    confirm(f"Remove the user {email} and revoke their keys?", yes=yes)
    remote(url, key).request("DELETE", f"/users/{segment(email)}", params={"tenant": tenant})
    done(f"User {email} removed.")


@APP.command()
def erase(
    email: str,
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Erase a person for good, also one who was removed: what was kept of them can be read by nobody any more."""
    confirm(f"Erase {email} and all that is kept of them? Nobody can undo this.", yes=yes)
    found = remote(url, key).request("POST", f"/users/{segment(email)}/erase", params={"tenant": tenant})
    done(f"{email} is erased; what is left is the id {', '.join(found['ids'])}.")
