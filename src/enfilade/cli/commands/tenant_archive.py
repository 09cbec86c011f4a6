"""`enfilade tenant export`, `import` and `erase`."""

import time
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from enfilade.cli.files import whole_file
from enfilade.cli.output import Exit, done, fail, note, print_json
from enfilade.cli.remote import AsJson, KeyOption, Url, remote, segment

Data = Annotated[str | None, typer.Option("--data", help="The data directory, where the database is embedded.")]
PassphraseFile = Annotated[
    Path, typer.Option("--passphrase-file", help="Holds the passphrase that seals the tenant's keys in the archive.")
]
LOOK_EVERY_S = 0.3
SHORTEST = 12
LOCAL = "enfilade.cli.local"
"""Loaded when it is needed: most commands need little of the program."""


def export(
    name: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="The archive, a tar file.")],
    passphrase_file: PassphraseFile,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write everything of a tenant into one archive. Works on the database; calls may go on meanwhile."""
    with whole_file(output) as file:
        manifest = uvloop.run(import_module(LOCAL).write_archive(data, name, _passphrase(passphrase_file), file))
    rows = sum(part.rows for part in manifest.tables.values())
    if as_json:
        print_json({"file": str(output), "rows": rows, "last_event": manifest.last_event, "signed": False})
    else:
        done(f"{rows} rows of {name} are in {output}. The archive is not signed.")


def import_(
    archive: Annotated[Path, typer.Argument(help="What `tenant export` wrote.")],
    passphrase_file: PassphraseFile,
    name: Annotated[str | None, typer.Option("--as", help="Another name.")] = None,
    isolation: Annotated[str | None, typer.Option(help="row, schema or database; as it was, if left out.")] = None,
    data: Data = None,
) -> None:
    """Restore a tenant from an archive: all of it, or nothing. Works on the database."""
    tenant = uvloop.run(import_module(LOCAL).read_archive(data, archive, _passphrase(passphrase_file), name, isolation))
    done(f"Tenant {tenant.name} is here; its keys work as before.")


def erase(
    name: str,
    confirm: Annotated[str, typer.Option(help="The name once more: nothing can undo this.")],
    force: Annotated[bool, typer.Option("--force", help="Also if it is not suspended.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Erase a tenant: its key, its rows, its cell, its name. What is left is a record."""
    server = remote(url, key)
    body = {"tenant": name, "confirm": confirm, "force": force}
    erasure = server.request("POST", "/tenant-erasures", json=body)
    while erasure["step"] != "done":
        time.sleep(LOOK_EVERY_S)
        erasure = server.get(f"/tenant-erasures/{segment(erasure['id'])}")
    if as_json:
        print_json(erasure)
        return
    done(f"Tenant {name} is erased: {sum(erasure['rows'].values())} rows.")
    note(f"The record's SHA-256 is {erasure['record_sha256']}; it stands in the platform's log.")
    if erasure["signature"] is None:
        note("The record is not signed: the installation has no master key.")


def _passphrase(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"The passphrase cannot be read from {path}: {error}.")
        raise typer.Exit(Exit.USAGE) from None
    if len(text) < SHORTEST:
        fail(f"An archive needs a passphrase of {SHORTEST} characters or more.")
        raise typer.Exit(Exit.USAGE)
    return text
