"""`enfilade tenant move` and `enfilade tenant moves`."""

import time
from typing import Annotated, Any

import typer
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from enfilade.cli.output import ERRORS, Exit, done, fail, note, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, Remote, Url, remote, segment

LOOK_EVERY_S = 0.3


def move(
    name: str,
    to: Annotated[str | None, typer.Option("--to", help="row, schema or database; as now, if left out.")] = None,
    cell: Annotated[str | None, typer.Option(help="The cell; the present one, if left out.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on watching the move that is under way.")] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Take the move back that is under way.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it has ended.")] = True,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Move a tenant to another cell, or to another strength of isolation. It goes on working meanwhile.

    A running server brings a move to its end by itself, also one that another process left when it died.
    """
    if ((to or cell) and (resume or abort)) or (resume and abort) or not (to or cell or resume or abort):
        fail("Say where to, or one of --resume and --abort.", "`enfilade tenant move NAME --to schema`")
        raise typer.Exit(Exit.USAGE)
    server = remote(url, key)
    address = f"/tenants/{segment(name)}/moves"
    if resume or abort:
        found = _open(server, address, name)
        if abort:
            found = server.request("POST", f"{address}/{found['id']}/abort")
    else:
        found = server.request("POST", address, json={"isolation": to, "cell": cell})
    if wait:
        found = _follow(server, address, found, quiet=as_json)
    if as_json:
        print_json(found)
    _tell(name, found, quiet=as_json, aborts=abort)


def moves(name: str, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """List the moves of a tenant."""
    items = remote(url, key).pages(f"/tenants/{segment(name)}/moves")
    if as_json:
        print_json(items)
        return
    columns = ("started", "from", "to", "step", "rows#", "bytes#", "waited ms#", "error")
    rows = (
        (
            m["started_at"],
            _place(m["from"]),
            _place(m["to"]),
            m["step"],
            m["rows"],
            m["bytes"],
            m["waited_ms"],
            m["error"],
        )
        for m in items
    )
    print_table(columns, rows, empty=f"The tenant {name} has not moved.")


def _open(server: Remote, address: str, name: str) -> Any:
    newest = server.pages(address, limit=1)
    if not newest or newest[0]["ended_at"]:
        fail(f"No move of {name} is under way.")
        raise typer.Exit(Exit.NOT_FOUND)
    return newest[0]


def _follow(server: Remote, address: str, found: Any, *, quiet: bool) -> Any:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[volume]}"))
    with Progress(*columns, console=ERRORS, disable=quiet) as progress:
        task = progress.add_task(found["step"], volume="")
        while not found["ended_at"]:
            time.sleep(LOOK_EVERY_S)
            found = server.get(f"{address}/{found['id']}")
            total = max(found["rows_expected"], found["rows"]) or None
            progress.update(
                task, description=found["step"], completed=found["rows"], total=total, volume=decimal(found["bytes"])
            )
    return found


def _tell(name: str, found: Any, *, quiet: bool, aborts: bool) -> None:
    if found["step"] == "done":
        if not quiet:
            waited = "" if found["waited_ms"] is None else f" Its writes waited for {found['waited_ms']:.0f} ms."
            done(f"Tenant {name} lives in {_place(found['to'])} now.{waited}")
    elif found["step"] == "aborted":
        if not aborts:
            fail(
                f"The move was taken back: {found['error'] or 'somebody asked for it'}.", f"{name} stays where it was."
            )
            raise typer.Exit(Exit.FAILED)
        if not quiet:
            done(f"The move was taken back; {name} stays where it was.")
    elif not quiet:
        note(f"The move goes on: {found['step']}.")


def _place(place: Any) -> str:
    return f"{place['isolation']}@{place['cell']}"
