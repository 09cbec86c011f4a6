"""`enfilade user`."""

import sys
from typing import Annotated, Any

import msgspec
import typer

from enfilade.cli.nouns import add_list
from enfilade.cli.output import Exit, done, fail, note, print_json, print_one
from enfilade.cli.password_sign_in import new_password
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, Yes, confirm, remote, segment

Name = Annotated[str | None, typer.Option("--name", help="What people call them.")]
Manager = Annotated[str | None, typer.Option("--manager", help="The e-mail address of whom they answer to.")]
Attributes = Annotated[
    list[str] | None,
    typer.Option("--attribute", help="NAME=VALUE for policies; a number, true or false as such. Repeat for several."),
]
FIELDS = ("email", "department", "roles", "display_name", "manager", "attributes", "active")
NONE = "-"

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Users.")


add_list(
    APP,
    "/users",
    "List users.",
    {
        "tenant": "tenant",
        "e-mail": "email",
        "name": "display_name",
        "department": "department",
        "roles": "roles",
        "active": "active",
        "source": "source",
    },
    empty="There is no user yet.",
)


@APP.command()
def show(
    email: str, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Show a user."""
    user = remote(url, key).get(f"/users/{segment(email)}", tenant=tenant)
    print_one(user, as_json=as_json)


@APP.command()
def create(
    email: str,
    tenant: TenantOption = None,
    department: Annotated[str | None, typer.Option(help="Their department.")] = None,
    roles: Annotated[list[str] | None, typer.Option("--role", help="Repeat for several.")] = None,
    name: Name = None,
    manager: Manager = None,
    attributes: Attributes = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Create a user. The platform's own people are those of `--tenant platform`."""
    body = {
        "email": email,
        "department": department,
        "roles": roles or [],
        "display_name": name,
        "manager": manager,
        "attributes": _attributes(attributes),
    }
    user = remote(url, key).request("POST", "/users", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(user)
    else:
        done(f"User {email} created.")


@APP.command()
def change(
    email: str,
    tenant: TenantOption = None,
    department: Annotated[str | None, typer.Option(help="Their department; `-` for none.")] = None,
    roles: Annotated[
        list[str] | None, typer.Option("--role", help="All their roles; repeat for several, `-` for none.")
    ] = None,
    name: Name = None,
    manager: Manager = None,
    attributes: Attributes = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Whether they may come in, and their keys work.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Change a user. What is not given stays as it is."""
    server = remote(url, key)
    user = server.get(f"/users/{segment(email)}", tenant=tenant)
    body = {field: user[field] for field in FIELDS}
    given = {"department": department, "display_name": name, "manager": manager}
    body |= {field: None if value == NONE else value for field, value in given.items() if value is not None}
    if roles is not None:
        body["roles"] = [role for role in roles if role != NONE]
    if active is not None:
        body["active"] = active
    body["attributes"] = {
        field: value for field, value in (body["attributes"] | _attributes(attributes)).items() if value is not None
    }
    changed = server.request(
        "PUT",
        f"/users/{segment(email)}",
        params={"tenant": tenant},
        json=body,
        headers={"if-match": f'"{user["version"]}"'},
    )
    print_json(changed) if as_json else done(f"User {email} changed.")


@APP.command()
def invite(
    email: str, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Issue what a user sets a password with, the first one or a new one. Nothing is sent: hand it over yourself."""
    issued = remote(url, key).request("POST", f"/users/{segment(email)}/password-link", params={"tenant": tenant})
    if as_json:
        print_json(issued)
        return
    done(f"For {email}, once, until {issued['expires_at']}; it is not shown again:")
    sys.stdout.write(f"{issued['secret']}\n")
    note("They run: enfilade login --local --link")


@APP.command(name="set-password")
def set_password(
    email: str,
    tenant: TenantOption = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Set a user's password, typed twice or read from standard input, and end their sessions."""
    server, body = remote(url, key), {"password": new_password()}
    server.request("PUT", f"/users/{segment(email)}/password", params={"tenant": tenant}, json=body)
    done(f"The password of {email} is set; their sessions have ended.")


@APP.command(name="reset-factors")
def reset_factors(
    email: str,
    tenant: TenantOption = None,
    yes: Yes = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Remove the second factors of a user who lost them, and end their sessions."""
    confirm(f"Remove all second factors of {email}? Make sure that it is them who ask.", yes=yes)
    reply = remote(url, key).request("DELETE", f"/users/{segment(email)}/second-factors", params={"tenant": tenant})
    done(f"{reply['removed']} second factors of {email} are removed.")


@APP.command()
def remove(
    email: str,
    tenant: TenantOption = None,
    yes: Yes = False,
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
    yes: Yes = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Erase a person for good, also one who was removed: what was kept of them can be read by nobody any more."""
    confirm(f"Erase {email} and all that is kept of them? Nobody can undo this.", yes=yes)
    found = remote(url, key).request("POST", f"/users/{segment(email)}/erase", params={"tenant": tenant})
    done(f"{email} is erased; what is left is the id {', '.join(found['ids'])}.")


def _attributes(given: list[str] | None) -> dict[str, Any]:
    """From NAME=VALUE; an empty value is none."""
    found: dict[str, Any] = {}
    for entry in given or []:
        name, sign, text = entry.partition("=")
        if not sign:
            fail(f"{entry!r} is no attribute.", "It looks like clearance=3.")
            raise typer.Exit(Exit.USAGE)
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            value = text
        found[name] = value if isinstance(value, int | str | list) else text or None
    return found
