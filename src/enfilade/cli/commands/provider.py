"""`enfilade provider`."""

from typing import Annotated

import typer

from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, Url, confirm, remote, segment

APP = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Providers. New ones are declared in a file: `enfilade apply`."
)


@APP.command(name="list")
def list_(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List providers."""
    items = remote(url, key).pages("/providers")
    if as_json:
        print_json(items)
        return
    rows = ((p["name"], p["kind"], p["base_url"], p["region"], p["zone"], _reference(p["api_key"])) for p in items)
    print_table(("name", "kind", "address", "region", "zone", "key"), rows, empty="There is no provider yet.")


def _reference(secret: dict[str, str | None] | None) -> str | None:
    if secret is None:
        return None
    return next((f"{name}: {value}" for name, value in secret.items() if value), None)


@APP.command()
def show(name: str, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Show a provider."""
    provider = remote(url, key).get(f"/providers/{segment(name)}")
    print_json(provider) if as_json else print_fields(provider)


@APP.command()
def remove(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Remove a provider that no model uses."""
    confirm(f"Remove the provider {name}?", yes=yes)
    remote(url, key).request("DELETE", f"/providers/{segment(name)}")
    done(f"Provider {name} removed.")
