"""`enfilade up`: from nothing to the first answered call."""

import asyncio
import json
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.markup import escape
from rich.status import Status

from enfilade import __version__
from enfilade.bootstrap.up import Ready, StartOptions, start
from enfilade.cli.output import ERRORS, Exit, fail
from enfilade.cli.source import Source, read_sources
from enfilade.configuration.document import Document
from enfilade.configuration.errors import InvalidDocument, UnreadableSource
from enfilade.configuration.service import read_document
from enfilade.settings import PROVIDER_KEYS, Settings

APP = typer.Typer()

Port = Annotated[int | None, typer.Option(help="The port; 0 takes a free one. ENFILADE_PORT.", show_default="8080")]
Host = Annotated[str | None, typer.Option(help="The address. ENFILADE_HOST.", show_default="127.0.0.1")]
Data = Annotated[Path | None, typer.Option(help="The data directory. ENFILADE_DATA.", show_default=".enfilade")]
Config = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="Configuration files or folders, applied at every start.", show_default="demo"),
]
ReadyFile = Annotated[Path | None, typer.Option(help="Write a JSON object there once the server answers.")]


@APP.command()
def up(
    port: Port = None,
    host: Host = None,
    data: Data = None,
    config: Config = None,
    ready_file: ReadyFile = None,
) -> None:
    """Start everything: embedded database, configuration, server.

    Without --config, a demo configuration is applied at the first start.
    """
    settings = settings_with(port=port, host=host, data=data)
    document = load_document(config, settings) if config else None
    first = None if config else demo_document(settings)
    status = ERRORS.status("Starting") if ERRORS.is_terminal else None
    if status is not None:
        status.start()

    def progress(text: str) -> None:
        if status is not None:
            status.update(text)

    def ready(state: Ready) -> None:
        if status is not None:
            status.stop()
        if ready_file is not None:
            write_ready_file(ready_file, state)
        print_banner(state, settings)

    run(StartOptions(settings, ready, progress, document=document, first_document=first), status)


def run(options: StartOptions, status: Status | None = None) -> None:
    """Run a server until it is told to stop."""
    try:
        uvloop.run(start(options))
    except* KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except* asyncio.CancelledError:
        raise typer.Exit(Exit.FAILED) from None
    finally:
        if status is not None:
            status.stop()


def settings_with(**options: object) -> Settings:
    """The settings of the environment, with what was given on the command line."""
    return Settings(**{name: value for name, value in options.items() if value is not None})  # type: ignore[arg-type]


def load_document(paths: list[Path], settings: Settings) -> Document:
    """The document in configuration files; a fault ends the program with its file and line."""
    try:
        source = read_sources(paths)
        source.resolve_key_secrets(settings.environment())
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


def demo_document(settings: Settings) -> Document:
    """The configuration that comes with the program."""
    packaged = files("enfilade.cli").joinpath("demo.yaml")
    path = Path(str(packaged)) if packaged.is_file() else Path(__file__).parents[4] / "examples" / "demo.yaml"
    return load_document([path], settings)


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


def print_banner(state: Ready, settings: Settings) -> None:
    """The address, the keys, and three things to try."""
    url = state.listening.url
    ERRORS.print(f"\n[bold green]Enfilade {__version__}[/] is serving at [bold]{url}[/]", highlight=False)
    ERRORS.print(f"[dim]admin API {url}/api/docs · metrics {url}/metrics · database {state.database}[/]\n")
    print_keys(state)
    applications = [key for key in state.applied.keys if key.application is not None]
    print_examples(url, applications[0].secret if applications else "YOUR_KEY")
    found = settings.provider_keys()
    if found:
        kinds = ", ".join(sorted({PROVIDER_KEYS[name] for name in found}))
        ERRORS.print(
            f"[bold]{' and '.join(found)}[/] {'is' if len(found) == 1 else 'are'} set: to use {kinds} for real, take the "
            "commented provider in examples/demo.yaml as a pattern,\nthen [bold]enfilade apply -f FILE[/].\n"
        )
    ERRORS.print("[dim]Ctrl-C stops it cleanly.[/]\n")


def print_keys(state: Ready) -> None:
    """The keys that were made in this run, or where to make new ones."""
    made = state.applied.keys
    if state.admin_key is None and not made:
        ERRORS.print(
            "Keys were shown when they were made. New ones: [bold]enfilade key create[/], or, without any admin key, "
            "[bold]enfilade key first[/].\n"
        )
        return
    ERRORS.print("[bold]Keys[/] [dim](shown this once; only their hashes are kept)[/]")
    if state.admin_key is not None:
        ERRORS.print(f"  admin            {escape(state.admin_key)}", soft_wrap=True)
    for key in made:
        label = f"{key.tenant or 'platform'}/{key.application or key.name}"
        ERRORS.print(f"  {label:<16} {escape(key.secret)}", soft_wrap=True)
    ERRORS.print()


def print_examples(url: str, key: str) -> None:
    """curl, the OpenAI SDK, the Anthropic SDK."""
    body = '{"model": "simulated/echo", "messages": [{"role": "user", "content": "Hello"}]}'
    said = '[{"role": "user", "content": "Hello"}]'
    curl = f"curl {url}/v1/chat/completions -H 'Authorization: Bearer {key}' \\\n       -d '{body}'"
    openai = f'OpenAI(base_url="{url}/v1", api_key="{key}")\n       .chat.completions.create(model="gpt-4o-mini", messages={said})'
    anthropic = f'Anthropic(base_url="{url}", api_key="{key}")\n       .messages.create(model="claude-haiku", max_tokens=100, messages={said})'
    examples = (("curl", curl), ("OpenAI SDK", openai), ("Anthropic SDK", anthropic))
    ERRORS.print("[bold]Try[/]")
    for name, text in examples:
        ERRORS.print(f"  [cyan]{name}[/]")
        ERRORS.print(f"     {escape(text)}", soft_wrap=True)
    ERRORS.print()
