"""`enfilade app`."""

from typing import Annotated

import typer

from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Applications.")


@APP.command(name="list")
def list_(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List applications."""
    items = remote(url, key).pages("/applications", tenant=tenant)
    if as_json:
        print_json(items)
        return
    rows = (
        (a["tenant"], a["name"], a["department"], a["allowed_models"], a["cache"]["ttl"] if a["cache"] else None)
        for a in items
    )
    print_table(("tenant", "name", "department", "models", "cache"), rows, empty="There is no application yet.")


@APP.command()
def show(
    name: str, tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None
) -> None:
    """Show an application."""
    application = remote(url, key).get(f"/applications/{segment(name)}", tenant=tenant)
    print_json(application) if as_json else print_fields(application)


@APP.command()
def create(
    name: str,
    tenant: TenantOption = None,
    department: Annotated[str | None, typer.Option(help="Its department.")] = None,
    allowed_models: Annotated[list[str] | None, typer.Option("--model", help="Patterns; all if left out.")] = None,
    cache: Annotated[str | None, typer.Option(help="Answer identical requests from memory this long, e.g. 5m.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Create an application."""
    body = {
        "name": name,
        "department": department,
        "allowed_models": allowed_models or ["*"],
        "cache": {"ttl": cache} if cache else None,
    }
    application = remote(url, key).request("POST", "/applications", params={"tenant": tenant}, json=body)
    if as_json:
        print_json(application)
    else:
        done(f"Application {name} created. A key for it: enfilade key create NAME --app {name}")


@APP.command()
def remove(
    name: str,
    tenant: TenantOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Remove an application and revoke its keys."""
    confirm(f"Remove the application {name} and revoke its keys?", yes=yes)
    remote(url, key).request("DELETE", f"/applications/{segment(name)}", params={"tenant": tenant})
    done(f"Application {name} removed.")
