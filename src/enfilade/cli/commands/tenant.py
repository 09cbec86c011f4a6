"""`enfilade tenant`."""

from typing import Annotated

import typer

from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, Url, confirm, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="Tenants.")


@APP.command(name="list")
def list_(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List tenants."""
    items = remote(url, key).pages("/tenants")
    if as_json:
        print_json(items)
        return
    columns = ("name", "isolation", "region", "time zone", "models", "tokens per request#")
    rows = (
        (t["name"], t["isolation"], t["region"], t["time_zone"], t["allowed_models"], t["max_tokens_per_request"])
        for t in items
    )
    print_table(columns, rows, empty="There is no tenant yet: `enfilade tenant create NAME`.")


@APP.command()
def show(name: str, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Show a tenant."""
    tenant = remote(url, key).get(f"/tenants/{segment(name)}")
    print_json(tenant) if as_json else print_fields(tenant)


@APP.command()
def create(
    name: str,
    region: Annotated[str | None, typer.Option(help="Data location.")] = None,
    time_zone: Annotated[str, typer.Option(help="For the windows of budgets.")] = "UTC",
    allowed_models: Annotated[list[str] | None, typer.Option("--model", help="Patterns; all if left out.")] = None,
    max_tokens_per_request: Annotated[int | None, typer.Option(help="Input and output together.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Create a tenant."""
    body = {
        "name": name,
        "region": region,
        "time_zone": time_zone,
        "allowed_models": allowed_models or ["*"],
        "max_tokens_per_request": max_tokens_per_request,
    }
    tenant = remote(url, key).request("POST", "/tenants", json=body)
    if as_json:
        print_json(tenant)
    else:
        done(f"Tenant {name} created.")


@APP.command()
def remove(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Remove a tenant: its keys end at once, its records stay."""
    confirm(f"Remove the tenant {name} and end all of its keys?", yes=yes)
    remote(url, key).request("DELETE", f"/tenants/{segment(name)}")
    done(f"Tenant {name} removed.")
