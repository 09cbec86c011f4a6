"""Versions of policies, for `enfilade access`."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from enfilade.cli.access_files import FileArgument, print_problems, read_access
from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, remote

Number = Annotated[int, typer.Argument(metavar="VERSION", min=1)]
NoteOption = Annotated[str, typer.Option("--note", "-n", help="Why; it stays with the version.")]


def versions(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List the versions of the policies, newest first."""
    items = remote(url, key).pages("/access/versions", tenant=tenant)
    if as_json:
        print_json(items)
        return
    rows = (
        (
            v["version"],
            v["state"],
            v["policies"],
            v["rows"],
            v["author"],
            v["approver"],
            v["changed_at"][:19],
            v["note"],
        )
        for v in items
    )
    columns = ("version#", "state", "policies#", "rows#", "author", "approver", "changed", "note")
    print_table(columns, rows, empty="There is no version yet.")


def show(
    number: Number, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Show a version."""
    found = remote(url, key).get(f"/access/versions/{number}", tenant=tenant)
    print_json(found) if as_json else print_fields(found)


def diff(
    number: Number,
    against: Annotated[int | None, typer.Option(help="Another version; without it what is in force.")] = None,
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Show what a version changes."""
    found = remote(url, key).get(f"/access/versions/{number}/diff", tenant=tenant, against=against)
    if as_json:
        print_json(found)
        return
    typer.echo(found["text"] or "The policies are the same.")
    for name, (before, after) in found["settings"].items():
        typer.echo(f"{name}: {before} -> {after}")


def draft(
    file: FileArgument,
    note: NoteOption = "",
    tenant: TenantOption = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Write a draft from a file; nothing is in force by it."""
    body = {"content": read_access(file)[0], "note": note}
    made = remote(url, key).request("POST", "/access/versions", params={"tenant": tenant}, json=body)
    _told(made, as_json=as_json)


def approve(
    number: Number, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Approve a version that somebody else wrote."""
    made = remote(url, key).request("POST", f"/access/versions/{number}/approve", params={"tenant": tenant})
    _told(made, as_json=as_json)


def publish(
    number: Number, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Put a version in force, everywhere within a second."""
    made = remote(url, key).request("POST", f"/access/versions/{number}/publish", params={"tenant": tenant})
    _told(made, as_json=as_json)


def rollback(
    number: Number, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Go back to a version that was in force."""
    made = remote(url, key).request("POST", f"/access/versions/{number}/rollback", params={"tenant": tenant})
    _told(made, as_json=as_json)


def discard(number: Number, tenant: TenantOption = None, url: Url = None, key: KeyOption = None) -> None:
    """Give up a draft."""
    remote(url, key).request("DELETE", f"/access/versions/{number}", params={"tenant": tenant})
    done(f"Version {number} is discarded.")


def _told(version: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(version)
        return
    print_problems(version["problems"], {})
    done(f"Version {version['version']} is {version['state']}.")


COMMANDS: dict[str, Callable[..., None]] = {
    "versions": versions,
    "show": show,
    "diff": diff,
    "draft": draft,
    "approve": approve,
    "publish": publish,
    "rollback": rollback,
    "discard": discard,
}
