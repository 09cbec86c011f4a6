"""`enfilade cell`."""

from typing import Annotated, Any

import typer

from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, Url, confirm, remote, segment

APP = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Cells: the databases in which, and next to which, tenants live."
)


@APP.command(name="list")
def list_(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List the declared cells."""
    items = remote(url, key).pages("/cells")
    if as_json:
        print_json(items)
        return
    rows = ((c["name"], c["region"], ", ".join(c["isolation"]), c["tenants"], c["capacity"], c["fault"]) for c in items)
    columns = ("name", "region", "isolation", "tenants#", "capacity#", "fault")
    print_table(columns, rows, empty="No cell is declared: all tenants live in, or next to, the installation's own.")


@APP.command()
def show(name: str, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Show a cell."""
    cell = remote(url, key).get(f"/cells/{segment(name)}")
    print_json(cell) if as_json else print_fields(cell)


@APP.command()
def add(
    name: str,
    env: Annotated[str | None, typer.Option(help="The variable, on the server, that holds its address.")] = None,
    file: Annotated[str | None, typer.Option(help="The file, on the server, that holds it.")] = None,
    vault: Annotated[str | None, typer.Option(help="Where it is in Vault, as PATH#FIELD.")] = None,
    region: Annotated[str | None, typer.Option(help="Where the database is.")] = None,
    capacity: Annotated[int | None, typer.Option(help="How many tenants it takes; any number if left out.")] = None,
    isolation: Annotated[
        list[str] | None, typer.Option(help="What it offers: row, schema, database; all if left out.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Declare a cell. `home` stands for the installation's own database, and takes no address."""
    address = {way: text for way, text in (("env", env), ("file", file), ("vault", vault)) if text is not None}
    body: dict[str, Any] = {"name": name, "region": region, "capacity": capacity, "address": address or None}
    if isolation:
        body["isolation"] = isolation
    cell = remote(url, key).request("POST", "/cells", json=body)
    if as_json:
        print_json(cell)
        return
    done(f"Declared the cell {name}.")


@APP.command()
def remove(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Remove a cell in which nobody lives. Its database stays as it is."""
    confirm(f"Remove the cell {name}?", yes=yes)
    remote(url, key).request("DELETE", f"/cells/{segment(name)}")
    done(f"Removed the cell {name}.")
