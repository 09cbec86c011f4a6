"""`enfilade key`."""

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
import uvloop

from enfilade.cli.nouns import add_list, add_show
from enfilade.cli.output import CONSOLE, Column, Exit, done, fail, note, print_json, print_list
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, Yes, confirm, remote, segment
from enfilade.identity.secrets import SECRET, has_checksum, hint_in

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Keys.")


add_list(
    APP,
    "/keys",
    "List keys that are not revoked.",
    {
        "tenant": "tenant",
        "name": "name",
        "for": lambda found: found["application"] or found["user"],
        "roles": "roles",
        "expires": lambda found: (found["expires"] or "never")[:10],
        "networks": "allowed_ips",
        "scopes": "scopes",
        "last used": lambda found: (found["last_used_at"] or "never")[:16],
    },
    empty="There is no key yet.",
)
add_show(APP, "/keys", "Show a key; never its secret.")


@APP.command()
def create(
    name: str,
    tenant: TenantOption = None,
    application: Annotated[str | None, typer.Option("--app", help="The application that it stands for.")] = None,
    user: Annotated[str | None, typer.Option(help="The user that it stands for.")] = None,
    roles: Annotated[
        list[str] | None, typer.Option("--role", help="Roles in the admin API; repeat for several.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="e.g. 2027-06-30.")] = None,
    allowed_ips: Annotated[list[str] | None, typer.Option("--allow", help="Networks, e.g. 10.0.0.0/8.")] = None,
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", help="What of its rights it keeps: keys:read, calls:chat, model:gpt-*, …"),
    ] = None,
    confined_to: Annotated[
        str | None, typer.Option(help="Where its roles hold: department:NAME or application:NAME.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Issue a key. Its secret is printed this once, on the output stream."""
    body = {
        "name": name,
        "application": application,
        "user": user,
        "roles": roles or [],
        "expires": expires,
        "allowed_ips": allowed_ips or [],
        "scopes": scopes or [],
        "confined_to": confined_to,
    }
    issued = remote(url, key).request("POST", "/keys", params={"tenant": tenant}, json=body)
    _print_secret(issued, f"Key {name} issued; its secret is shown this once.", as_json=as_json)


@APP.command()
def rotate(
    name: str,
    tenant: TenantOption = None,
    grace: Annotated[str, typer.Option(help="How long the old secret stays valid.")] = "24h",
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Give a key a new secret; the old one stays valid for the grace period."""
    path = f"/keys/{segment(name)}/rotate"
    issued = remote(url, key).request("POST", path, params={"tenant": tenant}, json={"grace": grace})
    _print_secret(issued, f"Key {name} rotated; the old secret works for {grace} more.", as_json=as_json)


@APP.command()
def revoke(
    name: str,
    tenant: TenantOption = None,
    yes: Yes = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Revoke a key: every process refuses it within a second."""
    confirm(f"Revoke the key {name}?", yes=yes)
    remote(url, key).request("DELETE", f"/keys/{segment(name)}", params={"tenant": tenant})
    done(f"Key {name} revoked.")


@APP.command()
def identify(
    secret: Annotated[str, typer.Argument(help="A secret that turned up somewhere, or its beginning: enf_…")],
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Tell whose a leaked secret is or was. Only its public beginning is sent."""
    hint = hint_in(secret)
    if hint is None:
        fail("This does not begin like a secret of ours: enf_ and ten hexadecimal digits.")
        raise typer.Exit(Exit.USAGE)
    if SECRET.fullmatch(secret):
        note(
            "The checksum fits."
            if has_checksum(secret)
            else "The checksum does not fit: this was never a secret of ours."
        )
    columns: dict[str, Column] = {
        "tenant": "tenant",
        "name": "name",
        "for": lambda found: found["application"] or found["user"],
        "roles": "roles",
        "state": _state,
        "id": "id",
    }
    items = remote(url, key).pages("/keys", tenant=tenant, hint=hint)
    print_list(items, columns, empty="No key that you may see begins so.", as_json=as_json)


@APP.command()
def first(
    name: Annotated[str, typer.Option(help="Its name.")] = "recovery",
    data: Annotated[str | None, typer.Option(help="The data directory. ENFILADE_DATA.")] = None,
) -> None:
    """Make an owner's key for the platform directly in the database, where there is no other key left.

    It needs the data directory, or ENFILADE_DATABASE_URL. With the embedded database, stop the server first.
    """
    # The only command of this group that needs the server's parts, which take long to load.
    secret = uvloop.run(import_module("enfilade.cli.local").first_key(data, name))
    done("An owner's key for the platform; it is shown this once.")
    sys.stdout.write(f"{secret}\n")


def _state(key: dict[str, Any]) -> str:
    return f"revoked {key['revoked_at'][:19]}" if key["revoked_at"] else "in use"


def _print_secret(issued: dict[str, Any], message: str, *, as_json: bool) -> None:
    if as_json:
        print_json(issued)
        return
    done(message)
    if issued["secret"] is None:
        note("The secret is the one that you set.")
    else:
        CONSOLE.print(issued["secret"], soft_wrap=True)
