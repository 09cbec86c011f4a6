"""`enfilade apply`: make the platform as configuration files say."""

import json
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from rich.text import Text

from enfilade.cli.output import CONSOLE, ERRORS, Exit, done, fail, note, print_json
from enfilade.cli.remote import AsJson, KeyOption, Remote, Url, confirm, remote
from enfilade.cli.source import Source, read_sources
from enfilade.cli.vault import read_from_vault
from enfilade.configuration.errors import UnreadableSource
from enfilade.settings import Settings

APP = typer.Typer(add_completion=False)

SIGNS = {"create": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


@APP.command()
def apply(
    file: Annotated[list[Path], typer.Option("--file", "-f", help="Files or folders; several are merged.")],
    prune: Annotated[bool, typer.Option("--prune", help="Remove what the files no longer name.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Show what would change, and change it: all of it, or nothing.

    With --json but without --yes the plan is printed and nothing is changed; it exits with 8 if there is anything to do.
    """
    source = _read(file)
    server = remote(url, key)
    plan = _post(server, source, "plan", prune=prune)
    if not as_json:
        print_plan(plan["changes"])
    if dry_run or not plan["changes"] or (as_json and not yes):
        if as_json:
            print_json(plan)
        if plan["changes"] and not dry_run:
            note("Nothing was changed: with --json, changes are made with --yes only.")
            raise typer.Exit(Exit.UNCONFIRMED)
        return
    confirm("Apply these changes?", yes=yes)
    result = _post(server, source, "apply", prune=prune)
    if as_json:
        print_json(result)
        return
    done(f"{len(result['changes'])} changes applied; revision {result['revision']}.")
    print_new_keys(result["keys"])


def print_plan(changes: list[dict[str, Any]]) -> None:
    """One line each."""
    if not changes:
        done("Nothing to change.")
        return
    for change in changes:
        sign, colour = SIGNS[change["action"]]
        where = f"{change['tenant']}/" if change["tenant"] else ""
        CONSOLE.print(
            Text.assemble((f"{sign} {change['action']} ", colour), f"{change['kind']} {where}{change['name']}")
        )


def print_new_keys(keys: list[dict[str, Any]]) -> None:
    """Secrets that were made, on the output stream, so that they can be piped."""
    if keys:
        ERRORS.print("New keys [dim](shown this once)[/]")
    for key in keys:
        CONSOLE.print(f"{key['tenant'] or 'platform'}/{key['name']} {key['secret']}", soft_wrap=True)


def _read(paths: list[Path]) -> Source:
    try:
        source = read_sources(paths)
        settings = Settings()
        source.resolve_key_secrets(settings.environment(), lambda where: read_from_vault(settings, where))
    except UnreadableSource as error:
        fail(error.message, error.remedy)
        raise typer.Exit(Exit.REFUSED) from None
    return source


def _post(server: Remote, source: Source, action: str, *, prune: bool) -> Any:
    """Send the document; a fault in it is told with its file and line."""

    def place(reply: httpx2.Response) -> bool:
        problem = reply.json()
        path = (problem.get("details") or {}).get("path")
        faults = [(path, problem["detail"])] if path is not None else []
        faults += [(error["path"].removeprefix("body."), error["message"]) for error in problem.get("errors") or []]
        for fault, message in faults:
            fail(f"{source.place_of(fault)}: {message}")
        if faults:
            fail("Nothing was changed.")
        return bool(faults)

    content = json.loads(json.dumps(source.content))
    params = {"prune": str(prune).lower()}
    return server.request("POST", f"/configuration/{action}", params=params, json=content, explain=place)
