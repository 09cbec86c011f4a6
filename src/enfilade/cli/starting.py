"""What the commands that start something have in common."""

import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from enfilade import __version__
from enfilade.bootstrap.up import Ready, StartOptions, start
from enfilade.cli.output import Exit, fail
from enfilade.cli.source import Source, read_sources
from enfilade.cli.vault import read_from_vault
from enfilade.configuration.document import Document
from enfilade.configuration.errors import InvalidDocument, UnreadableSource
from enfilade.configuration.service import read_document
from enfilade.settings import Settings

Port = Annotated[int | None, typer.Option(help="The port; 0 takes a free one. ENFILADE_PORT.", show_default="8080")]
Host = Annotated[str | None, typer.Option(help="The address. ENFILADE_HOST.", show_default="127.0.0.1")]
Data = Annotated[Path | None, typer.Option(help="The data directory. ENFILADE_DATA.", show_default=".enfilade")]


def _with_a_directory(path: Path | None) -> Path | None:
    if path is not None and not os.access(path.parent, os.W_OK | os.X_OK):
        message = f"{path.parent} is no directory in which files can be made."
        raise typer.BadParameter(message)
    return path


ReadyFile = Annotated[
    Path | None,
    typer.Option(help="Write a JSON object there once the server answers.", callback=_with_a_directory),
]


def run(options: StartOptions) -> None:
    """Run a server until it is told to stop."""
    try:
        uvloop.run(start(options))
    except* KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except* asyncio.CancelledError:
        raise typer.Exit(Exit.FAILED) from None


def settings_with(**options: object) -> Settings:
    """The settings of the environment, with what was given on the command line."""
    return Settings(**{name: value for name, value in options.items() if value is not None})  # type: ignore[arg-type]


def load_document(paths: list[Path], settings: Settings) -> Document:
    """The document in configuration files; a fault ends the program with its file and line."""
    try:
        source = read_sources(paths)
        source.resolve_key_secrets(settings.environment(), lambda where: read_from_vault(settings, where))
        return validated(source)
    except UnreadableSource as error:
        fail(error.message, "Nothing was changed.")
        raise typer.Exit(Exit.REFUSED) from None


def validated(source: Source) -> Document:
    """The document, or the end of the program with the place of its first fault."""
    try:
        return read_document(source.content)
    except InvalidDocument as error:
        fail(f"{source.place_of(error.path)}: {error.message}", error.remedy)
        raise typer.Exit(Exit.REFUSED) from None


def write_ready_file(path: Path, state: Ready) -> None:
    """Tell a program that waits. The file appears whole, readable by its owner only."""
    applications = [key for key in state.applied.keys if key.application is not None]
    content = {
        "url": state.listening.url,
        "admin_key": state.admin_key,
        "app_key": applications[0].secret if applications else None,
        "pid": os.getpid(),
        "data_dir": str(state.data.resolve()) if state.data else None,
        "database": state.database,
        "version": __version__,
    }
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".ready-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    Path(temporary).replace(path)
