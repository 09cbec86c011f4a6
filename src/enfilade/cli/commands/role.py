"""`enfilade role`."""

from typing import Annotated, Any

import typer

from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Roles and who has them.")
Permissions = Annotated[
    list[str] | None, typer.Option("--permission", "-p", help="e.g. applications:read; repeat for several.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
User = Annotated[str | None, typer.Option(help="A user's e-mail address.")]
Group = Annotated[str | None, typer.Option(help="A group.")]
Department = Annotated[str | None, typer.Option(help="Only in this department, with what belongs to it.")]
AppOption = Annotated[str | None, typer.Option("--app", help="Only in this application.")]


@APP.command(name="list")
def list_(
    tenant: TenantOption = None,
    assignments: Annotated[bool, typer.Option("--assignments", help="Who has which role where.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List roles, or who has which."""
    items = remote(url, key).pages("/role-assignments" if assignments else "/roles", tenant=tenant)
    if as_json:
        print_json(items)
    elif assignments:
        rows = ((a["tenant"], a["role"], a["user"] or a["group"], _where(a), a["source"], a["id"]) for a in items)
        print_table(("tenant", "role", "for", "where", "source", "id"), rows, empty="No role is assigned yet.")
    else:
        roles = (
            (r["tenant"], r["name"], "built in" if r["built_in"] else "own", len(r["permissions"]), r["description"])
            for r in items
        )
        print_table(("tenant", "role", "kind", "permissions#", "description"), roles, empty="There is no role.")


@APP.command()
def show(
    name: str, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Show what a role includes."""
    found = remote(url, key).get(f"/roles/{segment(name)}", tenant=tenant)
    print_json(found) if as_json else print_fields(found)


@APP.command()
def create(
    name: str,
    tenant: TenantOption = None,
    permissions: Permissions = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Create a role. Nobody makes one that includes more than their own rights."""
    body = {"name": name, "permissions": permissions or [], "description": description}
    remote(url, key).request("POST", "/roles", params={"tenant": tenant}, json=body)
    done(f"Role {name} created.")


@APP.command()
def change(
    name: str,
    tenant: TenantOption = None,
    permissions: Permissions = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Change what a role includes. What is left out stays as it is."""
    client = remote(url, key)
    present = client.get(f"/roles/{segment(name)}", tenant=tenant)
    body = {
        "name": present["name"],
        "permissions": present["permissions"] if permissions is None else permissions,
        "description": present["description"] if description is None else description,
    }
    client.request("PUT", f"/roles/{segment(name)}", params={"tenant": tenant}, json=body)
    done(f"Role {name} changed.")


@APP.command()
def remove(name: str, tenant: TenantOption = None, yes: Yes = False, url: Url = None, key: KeyOption = None) -> None:
    """Remove a role that nobody has."""
    confirm(f"Remove the role {name}?", yes=yes)
    remote(url, key).request("DELETE", f"/roles/{segment(name)}", params={"tenant": tenant})
    done(f"Role {name} removed.")


@APP.command()
def assign(
    role: str,
    tenant: TenantOption = None,
    user: User = None,
    group: Group = None,
    department: Department = None,
    application: AppOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Give a role to a user or to a group, in the tenant or in a part of it."""
    body = {"role": role, "user": user, "group": group, "department": department, "application": application}
    made = remote(url, key).request("POST", "/role-assignments", params={"tenant": tenant}, json=body)
    print_json(made) if as_json else done(f"{role} assigned to {user or group} in {_where(made)}: {made['id']}")


@APP.command()
def unassign(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="From `role list --assignments`.")],
    tenant: TenantOption = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Take a role back."""
    remote(url, key).request("DELETE", f"/role-assignments/{segment(identifier)}", params={"tenant": tenant})
    done("The role was taken back.")


def _where(assignment: dict[str, Any]) -> str:
    if assignment["department"]:
        return f"department {assignment['department']}"
    return f"application {assignment['application']}" if assignment["application"] else "the tenant"
