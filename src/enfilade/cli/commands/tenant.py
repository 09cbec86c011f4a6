"""`enfilade tenant`."""

from typing import Annotated

import typer

from enfilade.cli.commands.tenant_archive import erase, export, import_, signing_key, verify
from enfilade.cli.commands.tenant_move import move, moves
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
    columns = ("name", "isolation", "cell", "state", "region", "time zone", "models", "tokens per request#")
    shown = ("name", "isolation", "cell", "state", "region", "time_zone", "allowed_models", "max_tokens_per_request")
    rows = ([tenant[name] for name in shown] for tenant in items)
    print_table(columns, rows, empty="There is no tenant yet: `enfilade tenant create NAME`.")


@APP.command()
def show(
    name: str,
    size: Annotated[bool, typer.Option("--size", help="Count its rows and bytes: all of them are read.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Show a tenant."""
    server = remote(url, key)
    tenant = server.get(f"/tenants/{segment(name)}")
    if size:
        counted = server.get(f"/tenants/{segment(name)}/size")
        tables = counted.pop("tables")
        tenant |= counted | ({"tables": tables} if as_json else {})
    print_json(tenant) if as_json else print_fields(tenant)


@APP.command()
def create(
    name: str,
    isolation: Annotated[str, typer.Option(help="row, schema or database: how its rows are kept apart.")] = "row",
    cell: Annotated[str | None, typer.Option(help="Where it lives; one with room in its region, if left out.")] = None,
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
        "isolation": isolation,
        "cell": cell,
        "region": region,
        "time_zone": time_zone,
        "allowed_models": allowed_models or ["*"],
        "max_tokens_per_request": max_tokens_per_request,
    }
    tenant = remote(url, key).request("POST", "/tenants", json=body)
    if as_json:
        print_json(tenant)
    else:
        done(f"Tenant {name} created: {tenant['isolation']} in the cell {tenant['cell']}.")


@APP.command()
def suspend(
    name: str,
    reason: Annotated[str, typer.Option(help="Shown to whoever has a key of the tenant.")],
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Refuse everything to a tenant; its rows stay."""
    remote(url, key).request("POST", f"/tenants/{segment(name)}/suspend", json={"reason": reason})
    done(f"Tenant {name} suspended.")


@APP.command()
def resume(name: str, url: Url = None, key: KeyOption = None) -> None:
    """Let a suspended tenant in again."""
    remote(url, key).request("POST", f"/tenants/{segment(name)}/resume")
    done(f"Tenant {name} resumed.")


APP.command()(move)
APP.command()(moves)
APP.command()(export)
APP.command(name="import")(import_)
APP.command()(verify)
APP.command(name="signing-key")(signing_key)
APP.command()(erase)


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
