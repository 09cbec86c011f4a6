"""`enfilade tenant export`, `import`, `verify`, `signing-key` and `erase`."""

import base64
import os
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import IO, Annotated, Any

import typer
import uvloop

from enfilade.cli.files import whole_file
from enfilade.cli.output import Exit, done, fail, note, print_fields, print_json
from enfilade.cli.remote import AsJson, KeyOption, Url, remote, segment

Direct = Annotated[
    bool, typer.Option("--direct", help="Work on the database that the settings name, without a server.")
]
Data = Annotated[
    str | None,
    typer.Option("--data", help="With --direct: the data directory of an embedded database that no server uses."),
]
PassphraseFile = Annotated[
    Path, typer.Option("--passphrase-file", help="Holds the passphrase that seals the tenant's keys in the archive.")
]
TrustedKey = Annotated[
    str | None,
    typer.Option("--trusted-key", help="The public key that must have signed the archive, or a file with it."),
]
LOOK_EVERY_S = 0.3
SHORTEST = 12
CHUNK = 1 << 20
PATIENCE_S = 24 * 3600.0
"""A large tenant is restored for hours, and the reply comes at the end."""
LOCAL, FILES = "enfilade.cli.local", "enfilade.cli.archive_files"
"""Loaded when they are needed: most commands need little of the program."""


def export(
    name: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="The archive, a tar file.")],
    passphrase_file: PassphraseFile,
    direct: Direct = False,
    data: Data = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Write everything of a tenant into one archive, from one snapshot. Calls go on meanwhile."""
    passphrase = _passphrase(passphrase_file)
    try:
        with whole_file(output) as file:
            if direct:
                uvloop.run(import_module(LOCAL).write_archive(data, name, passphrase, file))
            else:
                with remote(url, key).download(
                    f"/tenants/{segment(name)}/archive", headers=_header(passphrase)
                ) as reply:
                    for chunk in reply.iter_bytes():
                        file.write(chunk)
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}.", "Choose another place with --output.")
        raise typer.Exit(Exit.FAILED) from None
    found = import_module(FILES).check(output)
    if as_json:
        print_json({"file": str(output)} | found)
        return
    done(f"{found['rows']} rows of {name} are in {output}.")
    _tell_signature(found)


def import_(
    archive: Annotated[Path, typer.Argument(help="What `tenant export` wrote.")],
    passphrase_file: PassphraseFile,
    name: Annotated[str | None, typer.Option("--as", help="Another name.")] = None,
    isolation: Annotated[str | None, typer.Option(help="row, schema or database; as it was, if left out.")] = None,
    cell: Annotated[str | None, typer.Option(help="Where it is to live; one with room, if left out.")] = None,
    trusted_key: TrustedKey = None,
    allow_unsigned: Annotated[
        bool, typer.Option("--allow-unsigned", help="Take an archive that nobody signed.")
    ] = False,
    direct: Direct = False,
    data: Data = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Restore a tenant from an archive: all of it, or nothing."""
    passphrase = _passphrase(passphrase_file)
    options = {"name": name, "isolation": isolation, "cell": cell, "trusted_key": _key(trusted_key)}
    options["allow_unsigned"] = "true" if allow_unsigned else None
    with _opened(archive) as file:
        if direct:
            imported = uvloop.run(import_module(LOCAL).read_archive(data, file, passphrase, options))
            found = import_module("enfilade.api.routes.tenant_archives").show(imported).model_dump()
        else:
            found = remote(url, key).request(
                "POST",
                "/tenant-archives",
                params=options,
                content=_chunks(file),
                headers=_header(passphrase)
                | {"content-type": "application/x-tar", "content-length": str(os.fstat(file.fileno()).st_size)},
                timeout=PATIENCE_S,
            )
    if as_json:
        print_json(found)
        return
    done(f"Tenant {found['name']} is here, {found['isolation']} in the cell {found['cell']}; its keys work as before.")
    if found["signed_by"] is None:
        note("Nobody signed the archive.")
    elif not found["is_known"]:
        note(f"It was signed by the key {found['signed_by']}, which nobody here has named: --trusted-key does.")


def verify(
    archive: Annotated[Path, typer.Argument(help="What `tenant export` wrote.")],
    trusted_key: TrustedKey = None,
    as_json: AsJson = False,
) -> None:
    """Check all hashes and the signature of an archive, and show what it holds. Needs no server."""
    with _opened(archive):
        found = import_module(FILES).check(archive, _key(trusted_key))
    print_json(found) if as_json else print_fields(found)


def signing_key(as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Show the public key by which the installation signs archives and records of erasure."""
    found = remote(url, key).get("/tenant-archives/signing-key")
    if as_json:
        print_json(found)
    elif found["public_key"] is None:
        note("Nothing is signed here: the installation has no master key.")
    else:
        print_fields(found)


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


def _tell_signature(found: dict[str, Any]) -> None:
    if found["signed_by"] is None:
        note("The archive is not signed: the installation has no master key.")
    else:
        note(
            f"It is signed by the key {found['signed_by']}. Whoever imports it may ask for that: {found['public_key']}"
        )


def _header(passphrase: str) -> dict[str, str]:
    return {"x-enfilade-passphrase": base64.b64encode(passphrase.encode()).decode()}


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}.")
        raise typer.Exit(Exit.USAGE) from None


def _key(given: str | None) -> str | None:
    """A public key, given itself or in a file."""
    if given is None or not Path(given).is_file():
        return given
    return Path(given).read_text(encoding="utf-8", errors="replace").strip()


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
