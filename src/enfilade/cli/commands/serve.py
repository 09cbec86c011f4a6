"""`enfilade serve`: serve what is migrated and configured."""

import typer

from enfilade.bootstrap.up import Ready, StartOptions
from enfilade.cli.output import done
from enfilade.cli.starting import Data, Host, Port, ReadyFile, run, settings_with, write_ready_file

APP = typer.Typer(add_completion=False)


@APP.command()
def serve(port: Port = None, host: Host = None, data: Data = None, ready_file: ReadyFile = None) -> None:
    """Serve an installation that is migrated and configured.

    Set ENFILADE_DATABASE_URL for a PostgreSQL server of your own. The schema is checked, not changed: run
    `enfilade migrate` first.
    """

    def ready(state: Ready) -> None:
        if ready_file is not None:
            write_ready_file(ready_file, state)
        done(f"Serving at {state.listening.url}")

    run(StartOptions(settings_with(port=port, host=host, data=data), ready, prepares=False))
