"""`enfilade version`."""

import platform

import typer

from enfilade import __version__
from enfilade.cli.output import print_json
from enfilade.cli.remote import AsJson

APP = typer.Typer(add_completion=False)


@APP.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    if as_json:
        print_json({"enfilade": __version__, "python": platform.python_version(), "system": platform.platform()})
    else:
        typer.echo(__version__)
