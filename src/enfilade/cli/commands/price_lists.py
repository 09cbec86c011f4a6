"""`enfilade price import`, `diff` and `books`."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from rich.text import Text

from enfilade.cli.output import Exit, done, fail, note, print_json, print_table
from enfilade.cli.price_files import read_price_list, with_places
from enfilade.cli.remote import AsJson, KeyOption, Remote, Url, confirm, remote, segment
from enfilade.cli.source import Source
from enfilade.configuration.errors import UnreadableSource

SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")]


def import_(
    file: Annotated[Path, typer.Argument(help="A price list: YAML, JSON or CSV.")],
    name: Annotated[str | None, typer.Option(help="The list's name; the file's, if left out.")] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="End the prices of models that the file no longer names.")
    ] = False,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Import a price list, whole or not at all; show first what would change. The same list again changes nothing."""
    source = _read(file)
    server = remote(url, key)
    path = f"/price-lists/{segment(name or re.sub('[^A-Za-z0-9_.-]', '-', file.stem))}"
    params = {"prune": str(prune).lower()}
    plan = _send(server, "PUT", path, source, params | {"dry_run": "true"})
    if not as_json:
        print_differences(plan["differences"])
    if dry_run or not plan["changed"]:
        if as_json:
            print_json(plan)
        return
    if as_json and not yes:
        print_json(plan)
        note("Nothing was imported: with --json, that is done with --yes only.")
        raise typer.Exit(Exit.UNCONFIRMED)
    confirm("Import these prices?", yes=yes)
    result = _send(server, "PUT", path, source, params)
    if as_json:
        print_json(result)
    else:
        done(f"Imported: {result['name']}, version {result['version']}.")


def diff(
    old: Annotated[str, typer.Argument(help="A price book's version, a list's (NAME@2), or a price list's file.")],
    new: Annotated[str | None, typer.Argument(help="Another version; the one in use, if left out.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """What differs between two price books, two versions of a list, or the book and a file."""
    server = remote(url, key)
    if Path(old).is_file():
        found = _send(server, "POST", "/price-books/differences", _read(Path(old)), {})
    elif "@" in old:
        name, _, version = old.rpartition("@")
        later = new.rpartition("@")[2] if new else None
        found = server.get(f"/price-lists/{segment(name)}/differences", old=version, new=later)
    else:
        found = server.get("/price-books/differences", old=old, new=new)
    if as_json:
        print_json(found)
    else:
        print_differences(found)


def books(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """The published price books that were ever in use here, and the price lists that were imported."""
    server = remote(url, key)
    found = {"books": server.get("/price-books"), "lists": server.get("/price-lists")}
    if as_json:
        print_json(found)
        return
    rows = ((b["version"], moment_text(b["compiled_at"]), b["in_use"], b["readable"]) for b in found["books"])
    print_table(("book", "compiled (UTC)", "in use", "readable"), rows, empty="There is no price book yet.")
    lists = (
        (f"{v['name']}@{v['version']}", v["entries"], moment_text(v["imported_at"]), v["imported_by"])
        for v in found["lists"]
    )
    print_table(("list", "entries#", "imported (UTC)", "by"), lists, empty="No price list was imported yet.")


def print_differences(differences: list[dict[str, Any]]) -> None:
    """One line each: old, new and per cent."""
    if not differences:
        done("The prices are the same.")
        return
    rows = []
    for entry in differences:
        sign, colour = SIGNS[entry["action"]]
        share = f"{entry['percent']}%" if entry["percent"] else None
        rows.append(
            (Text(sign, style=colour), entry["model"], entry["what"], entry["old"], entry["new"], share, entry["unit"])
        )
    print_table(("", "model", "for", "old#", "new#", "change#", ""), rows, empty="")


def _read(path: Path) -> Source:
    try:
        return read_price_list(path)
    except UnreadableSource as error:
        fail(error.message, error.remedy)
        raise typer.Exit(Exit.REFUSED) from None


def _send(server: Remote, method: str, path: str, source: Source, params: dict[str, str]) -> Any:
    """Send a price list; every fault in it is told with its file and line."""

    def place(reply: httpx2.Response) -> bool:
        problem = reply.json()
        faults = (problem.get("details") or {}).get("faults") or []
        for fault in faults:
            fail(f"{source.place_of(fault['path'])}: {with_places(fault['message'], source)}")
        if faults:
            fail("Nothing was imported.")
        return bool(faults)

    content = json.loads(json.dumps(source.content["prices"]))
    return server.request(method, path, params=params, json={"prices": content}, explain=place)


def moment_text(text: str | None) -> str | None:
    """A moment as tables show it."""
    return None if text is None else text[:19].replace("T", " ")
