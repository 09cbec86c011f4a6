"""`enfilade provider`."""

import sys
from getpass import getpass
from typing import Annotated

import typer

from enfilade.cli.output import Column, done, print_json, print_list, print_one
from enfilade.cli.remote import AsJson, KeyOption, Url, Yes, confirm, remote, segment

APP = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Providers. New ones are declared in a file: `enfilade apply`."
)


@APP.command(name="list")
def list_(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List providers."""
    columns: dict[str, Column] = {
        "name": "name",
        "kind": "kind",
        "address": "base_url",
        "region": "region",
        "zone": "zone",
        "key": lambda provider: _reference(provider["api_key"]),
    }
    items = remote(url, key).pages("/providers")
    print_list(items, columns, empty="There is no provider yet.", as_json=as_json)


def _reference(secret: dict[str, str | None] | None) -> str | None:
    if secret is None:
        return None
    return next((f"{name}: {value}" for name, value in secret.items() if value), None)


@APP.command()
def show(name: str, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Show a provider."""
    provider = remote(url, key).get(f"/providers/{segment(name)}")
    print_one(provider, as_json=as_json)


@APP.command("rotate-key")
def rotate_key(
    name: str,
    env: Annotated[str | None, typer.Option(help="The variable, on the server, that holds the new key.")] = None,
    file: Annotated[str | None, typer.Option(help="The file, on the server, that holds it.")] = None,
    vault: Annotated[str | None, typer.Option(help="Where it is in Vault, as PATH#FIELD.")] = None,
    value: Annotated[
        bool, typer.Option("--value", help="Give the key itself: it is asked for, or read from standard input.")
    ] = False,
    grace: Annotated[str, typer.Option(help="How long the old key still serves, e.g. 24h; 0 forgets it now.")] = "24h",
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Give a provider another key without an outage.

    The new key is used first. While the grace lasts, a call that the provider refuses for its key is tried again with
    the old one.
    """
    given = {"env": env, "file": file, "vault": vault, "value": _typed() if value else None}
    secret = {way: text for way, text in given.items() if text is not None}
    if len(secret) != 1:
        message = "Give one of --env NAME, --file PATH, --vault PATH#FIELD and --value."
        raise typer.BadParameter(message)
    body = {"api_key": secret, "grace": grace}
    provider = remote(url, key).request("POST", f"/providers/{segment(name)}/rotate-key", json=body)
    if as_json:
        print_json(provider)
        return
    previous = provider["previous_api_key"]
    done(f"Provider {name} has a new key.")
    if previous is not None:
        done(f"The old one serves where the new one is refused, until {previous['until']}.")


def _typed() -> str:
    """A secret that is in no list of processes and no shell's history."""
    text = getpass("The new key: ") if sys.stdin.isatty() else sys.stdin.read()
    if not text.strip():
        message = "No key was given on standard input."
        raise typer.BadParameter(message)
    return text.strip()


@APP.command()
def remove(
    name: str,
    yes: Yes = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Remove a provider that no model uses."""
    confirm(f"Remove the provider {name}?", yes=yes)
    remote(url, key).request("DELETE", f"/providers/{segment(name)}")
    done(f"Provider {name} removed.")
