"""`enfilade group`."""

from typing import Annotated

import typer

from enfilade.cli.nouns import add_list, add_remove, add_show
from enfilade.cli.output import done, print_json
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Groups.")
Members = Annotated[list[str] | None, typer.Option("--member", help="An e-mail address. Repeat for several.")]


add_list(
    APP,
    "/groups",
    "List groups.",
    {"tenant": "tenant", "name": "name", "members#": lambda group: len(group["members"]), "source": "source"},
    empty="There is no group yet.",
)
add_show(APP, "/groups", "Show a group.")


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


add_remove(
    APP,
    "/groups",
    "Remove a group; its members stay.",
    question="Remove the group {name}?",
    answer="Group {name} removed.",
)
