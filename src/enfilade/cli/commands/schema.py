"""`enfilade schema`: the configuration's JSON Schema."""

import typer

from enfilade.cli.output import print_json
from enfilade.configuration.document import document_schema

APP = typer.Typer(add_completion=False)


@APP.command()
def schema() -> None:
    """Print the configuration's JSON Schema, for editors."""
    print_json(document_schema())
