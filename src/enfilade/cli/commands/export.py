"""`enfilade export`: the running state as a configuration file."""

import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from enfilade.cli.output import done, print_json
from enfilade.cli.remote import AsJson, KeyOption, Url, remote

APP = typer.Typer(add_completion=False)


@APP.command()
def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; the output stream if left out.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Write the running state as a configuration file that, applied, changes nothing. Secrets stay references."""
    document = remote(url, key).get("/configuration")
    if as_json:
        print_json(document)
        return
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        done(f"Written to {output}.")
