"""`enfilade up`: from nothing to the first answered call."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from enfilade import __version__
from enfilade.bootstrap.up import Ready, StartOptions
from enfilade.cli.output import CONSOLE, ERRORS, note
from enfilade.cli.starting import Data, Host, Port, ReadyFile, load_document, run, settings_with, write_ready_file
from enfilade.configuration.document import Document
from enfilade.settings import PROVIDER_KEYS, Settings

APP = typer.Typer(add_completion=False)

Config = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="Configuration files or folders, applied at every start.", show_default="demo"),
]


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

    def progress(text: str) -> None:
        if ERRORS.is_terminal:
            note(f"{text} …")

    def ready(state: Ready) -> None:
        print_banner(state, settings, document or first)
        if ready_file is not None:
            write_ready_file(ready_file, state)  # Whoever waits for it finds everything else done.

    run(StartOptions(settings, ready, progress, document=document, first_document=first))


def demo_document(settings: Settings) -> Document:
    """The configuration that comes with the program."""
    packaged = files("enfilade.cli").joinpath("demo.yaml")
    path = Path(str(packaged)) if packaged.is_file() else Path(__file__).parents[4] / "examples" / "demo.yaml"
    return load_document([path], settings)


def print_banner(state: Ready, settings: Settings, document: Document | None) -> None:
    """The address, the keys, and three things to try."""
    url = state.listening.url
    CONSOLE.print(f"\n[bold green]Enfilade {__version__}[/] is serving at [bold]{url}[/]", highlight=False)
    CONSOLE.print(
        f"[dim]admin API {url}/api/docs · metrics {url}/metrics · database {state.database}[/]\n", soft_wrap=True
    )
    print_keys(state)
    applications = [key for key in state.applied.keys if key.application is not None]
    print_examples(url, applications[0].secret if applications else "YOUR_KEY", document)
    found = settings.provider_keys()
    if found:
        kinds = ", ".join(sorted({PROVIDER_KEYS[name] for name in found}))
        CONSOLE.print(
            f"[bold]{' and '.join(found)}[/] {'is' if len(found) == 1 else 'are'} set: to use {kinds} for real, take the "
            "commented provider in examples/demo.yaml as a pattern,\nthen [bold]enfilade apply -f FILE[/].\n"
        )
    CONSOLE.print("[dim]Ctrl-C stops it cleanly; a second one does not wait for running calls.[/]\n")


def print_keys(state: Ready) -> None:
    """The keys that were made in this run, or where to make new ones."""
    made = state.applied.keys
    if state.admin_key is None and not made:
        CONSOLE.print(
            "Keys were shown when they were made. New ones: [bold]enfilade key create[/], or, without any admin key, "
            "[bold]enfilade key first[/].\n"
        )
        return
    CONSOLE.print("[bold]Keys[/] [dim](shown this once; only their hashes are kept)[/]")
    shown = [("admin", state.admin_key)] if state.admin_key is not None else []
    shown += [(f"{key.tenant or 'platform'}/{key.application or key.name}", key.secret) for key in made]
    width = max(len(label) for label, _ in shown)
    for label, secret in shown:
        CONSOLE.print(f"  {escape(label.ljust(width))}  {escape(secret)}", soft_wrap=True)
    CONSOLE.print()


def print_examples(url: str, key: str, document: Document | None) -> None:
    """curl, the OpenAI SDK, the Anthropic SDK, with models that there are."""
    declared = [model.name for model in document.models] if document is not None else []
    named = [name for name in declared if "*" not in name] or ["MODEL"]
    simple = "simulated/echo" if "simulated/*" in declared else named[0]
    chat = "gpt-4o-mini" if "gpt-4o-mini" in named else named[0]
    claude = "claude-haiku" if "claude-haiku" in named else chat
    said = '[{"role": "user", "content": "Hello"}]'
    body = f'{{"model": "{simple}", "messages": {said}}}'
    curl = f"curl {url}/v1/chat/completions -H 'Authorization: Bearer {key}' \\\n       -d '{body}'"
    openai = f'OpenAI(base_url="{url}/v1", api_key="{key}")\n       .chat.completions.create(model="{chat}", messages={said})'
    anthropic = f'Anthropic(base_url="{url}", api_key="{key}")\n       .messages.create(model="{claude}", max_tokens=100, messages={said})'
    examples = (("curl", curl), ("OpenAI SDK", openai), ("Anthropic SDK", anthropic))
    CONSOLE.print("[bold]Try[/]")
    for name, text in examples:
        CONSOLE.print(f"  [cyan]{name}[/]")
        CONSOLE.print(f"     {escape(text)}", soft_wrap=True)
    CONSOLE.print()
