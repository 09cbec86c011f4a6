"""`enfilade whoami`."""

import typer

from enfilade.cli.output import print_fields, print_json
from enfilade.cli.remote import AsJson, KeyOption, Url, remote

APP = typer.Typer(add_completion=False)


@APP.command()
def whoami(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Whom the key or the session stands for, and what they may do."""
    found = remote(url, key).get("/whoami")
    print_json(found) if as_json else print_fields(found)
