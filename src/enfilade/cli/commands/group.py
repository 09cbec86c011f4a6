"""`enfilade group`."""

from typing import Annotated

import typer

from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Groups.")
Members = Annotated[list[str] | None, typer.Option("--member", help="An e-mail address. Repeat for several.")]


@APP.command(name="list")
def list_(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List groups."""
    items = remote(url, key).pages("/groups", tenant=tenant)
    if as_json:
        print_json(items)
        return
    rows = ((group["tenant"], group["name"], len(group["members"]), group["source"]) for group in items)
    print_table(("tenant", "name", "members#", "source"), rows, empty="There is no group yet.")


@APP.command()
def show(
    name: str, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Show a group."""
    group = remote(url, key).get(f"/groups/{segment(name)}", tenant=tenant)
    print_json(group) if as_json else print_fields(group)


@APP.command()
def create(
    name: str,
    members: Members = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Create a group."""
    body = {"name": name, "members": members or []}
    group = remote(url, key).request("POST", "/groups", params={"tenant": tenant}, json=body)
    print_json(group) if as_json else done(f"Group {name} created.")


@APP.command()
def change(
    name: str,
    add: Annotated[list[str] | None, typer.Option("--add", help="An e-mail address. Repeat for several.")] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", help="An e-mail address. Repeat for several.")] = None,
    rename: Annotated[str | None, typer.Option("--rename", help="What it is called from now on.")] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Add and drop members, or rename a group."""
    server = remote(url, key)
    group = server.get(f"/groups/{segment(name)}", tenant=tenant)
    members = (set(group["members"]) | {email.lower() for email in add or []}) - {email.lower() for email in drop or []}
    changed = server.request(
        "PUT",
        f"/groups/{segment(name)}",
        params={"tenant": tenant},
        json={"name": rename or group["name"], "members": sorted(members)},
        headers={"if-match": f'"{group["version"]}"'},
    )
    print_json(changed) if as_json else done(f"Group {changed['name']} changed.")


@APP.command()
def remove(
    name: str,
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Remove a group; its members stay."""
    confirm(f"Remove the group {name}?", yes=yes)
    remote(url, key).request("DELETE", f"/groups/{segment(name)}", params={"tenant": tenant})
    done(f"Group {name} removed.")
