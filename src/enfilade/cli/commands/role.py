"""`enfilade role`."""

from typing import Annotated, Any

import typer

from enfilade.cli.nouns import add_remove, add_show
from enfilade.cli.output import Column, done, print_json, print_list
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Roles and who has them.")
Permissions = Annotated[
    list[str] | None, typer.Option("--permission", "-p", help="e.g. applications:read; repeat for several.")
]
User = Annotated[str | None, typer.Option(help="A user's e-mail address.")]
Group = Annotated[str | None, typer.Option(help="A group.")]
Department = Annotated[str | None, typer.Option(help="Only in this department, with what belongs to it.")]
AppOption = Annotated[str | None, typer.Option("--app", help="Only in this application.")]


def _where(assignment: dict[str, Any]) -> str:
    if assignment["department"]:
        return f"department {assignment['department']}"
    return f"application {assignment['application']}" if assignment["application"] else "the tenant"


ROLE: dict[str, Column] = {
    "tenant": "tenant",
    "role": "name",
    "kind": lambda role: "built in" if role["built_in"] else "own",
    "permissions#": lambda role: len(role["permissions"]),
    "description": "description",
}
ASSIGNMENT: dict[str, Column] = {
    "tenant": "tenant",
    "role": "role",
    "for": lambda assignment: assignment["user"] or assignment["group"],
    "where": _where,
    "source": "source",
    "id": "id",
}


@APP.command(name="list")
def list_(
    tenant: TenantOption = None,
    assignments: Annotated[bool, typer.Option("--assignments", help="Who has which role where.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List roles, or who has which."""
    if assignments:
        items = remote(url, key).pages("/role-assignments", tenant=tenant)
        print_list(items, ASSIGNMENT, empty="No role is assigned yet.", as_json=as_json)
    else:
        print_list(remote(url, key).pages("/roles", tenant=tenant), ROLE, empty="There is no role.", as_json=as_json)


add_show(APP, "/roles", "Show what a role includes.")


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


add_remove(
    APP,
    "/roles",
    "Remove a role that nobody has.",
    question="Remove the role {name}?",
    answer="Role {name} removed.",
)


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
