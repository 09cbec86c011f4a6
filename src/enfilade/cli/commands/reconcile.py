"""`enfilade reconcile`."""

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from enfilade.cli.output import CONSOLE, Exit, done, fail, money, note, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, Remote, Url, remote, segment

APP = typer.Typer(no_args_is_help=True, add_completion=False, help="The ledger beside providers' exports.")
CHUNK = 1 << 20
BLOCK = tarfile.BLOCKSIZE
PATIENCE_S = 1000.0
NO_EXPORT = "No export was imported yet."
GROUP_COLUMNS = ("day", "provider", "model", "export#", "ledger#", "difference#", "status", "causes")

Only = Annotated[bool, typer.Option("--differs", help="Only what differs.")]
Groups = Annotated[int, typer.Option("--limit", "-n", min=0, max=10_000, help="How many groups at most.")]


@APP.command(name="import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(help="All files of one export: pages, parts; packed with gzip or not.")
    ],
    provider: Annotated[str, typer.Option(help="Our name of the provider.")],
    start: Annotated[str | None, typer.Option("--from", help="The first day, in UTC; that of the export.")] = None,
    to: Annotated[str | None, typer.Option(help="The last day, with itself; that of the export.")] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="KEY=PROVIDER: the export's keys, projects or accounts; * is any other, - none of ours. Repeat.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="NAME=NAME: the export's name of a model, and our deployment's. Repeat.")
    ] = None,
    tolerance: Annotated[
        str, typer.Option(help="Dollars to ignore, for each day, model and provider, beyond rounding.")
    ] = "0",
    limit: Groups = 20,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Import a provider's export, and compare it with the ledger. The same export twice changes nothing."""
    params = {
        "provider": provider,
        "from": start,
        "to": to,
        "map": mapping or None,
        "model": model or None,
        "tolerance_usd": tolerance,
        "limit": limit,
    }
    _check(files)
    report = remote(url, key).request(
        "POST",
        "/reconciliations",
        params=params,
        content=packed(files),
        headers={"content-type": "application/octet-stream"},
        timeout=PATIENCE_S,
    )
    if as_json:
        print_json(report)
        return
    record = report["reconciliation"]
    if report["changed"]:
        done(f"Imported as {record['id']}.")
    else:
        done(f"This export was imported before, as {record['id']}: nothing was changed.")
    for superseded in report["superseded"]:
        note(f"It takes the place of {superseded}.")
    _print(report)


@APP.command(name="list")
def list_(
    provider: Annotated[str | None, typer.Option(help="Only this provider's.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """List imported exports, the newest first."""
    items = remote(url, key).pages("/reconciliations", provider=provider)
    if as_json:
        print_json(items)
        return
    rows = (
        (
            item["provider"],
            item["from"],
            item["to"],
            item["formats"],
            item["rows"],
            money(item["total_usd"]) if item["total_usd"] else None,
            item["imported_at"][:16].replace("T", " "),
            "superseded" if item["superseded_by"] else "",
            item["id"],
        )
        for item in items
    )
    columns = ("provider", "from", "to", "format", "rows#", "total#", "imported (UTC)", "", "id")
    print_table(columns, rows, empty=NO_EXPORT)


@APP.command()
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    differs: Only = False,
    limit: Groups = 50,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Show an export beside the ledger as it is now: differences by cause."""
    report = _report(remote(url, key), identifier, "differs" if differs else None, limit)
    if as_json:
        print_json(report)
        return
    _print(report)


@APP.command()
def book(
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger.")],
    cause: Annotated[
        list[str] | None, typer.Option(help="Only differences by this cause. Repeat. All but rounding, if left out.")
    ] = None,
    bill: Annotated[bool, typer.Option("--bill", help="Charge the tenants, too, on the terms of their calls.")] = False,
    tenant: Annotated[
        str | None, typer.Option("--tenant", "-t", help="Whose are the differences that no call stands behind.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Book differences as corrections of the ledger. What was booked before is not booked again."""
    body = {"reason": reason, "causes": cause, "bill": bill, "tenant": tenant}
    path = f"/reconciliations/{segment(identifier)}/bookings"
    booked = remote(url, key).request("POST", path, json=body, timeout=PATIENCE_S)
    if as_json:
        print_json(booked)
        return
    if booked["differences"]:
        differences, corrections = (
            _many(booked["differences"], "difference"),
            _many(booked["corrections"], "correction"),
        )
        done(f"Booked {differences} with {corrections}.")
    else:
        done("There was nothing to book.")
    if booked["tenants"]:
        rows = ((share["tenant"], money(share["provider_usd"])) for share in booked["tenants"])
        print_table(("tenant", "provider's cost#"), rows, empty="")
        print_fields({"provider's cost": money(booked["provider_usd"]), "charged": money(booked["amount_usd"])})
    if booked["left"]:
        note("No call of ours stands behind these; name a tenant with --tenant to book them:")
        left = (
            (part["day"], part["provider"], part["model"], part["cause"], _signed(part["difference_usd"]))
            for part in booked["left"]
        )
        print_table(("day", "provider", "model", "cause", "difference#"), left, empty="")


def packed(files: Sequence[Path]) -> Iterator[bytes]:
    """The files as one tar archive, piece by piece."""
    for path in files:
        size = path.stat().st_size
        yield _entry(path.name, size)
        left = size
        with path.open("rb") as file:
            while left and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk
        if left or path.stat().st_size != size:
            fail(f"{path} changed while it was sent.", "Wait until it is written whole, and import it again.")
            raise typer.Exit(Exit.REFUSED)
        yield bytes(-size % BLOCK)
    yield bytes(2 * BLOCK)


def _entry(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT)


def _check(files: Sequence[Path]) -> None:
    for path in files:
        if not path.is_file():
            fail(f"There is no file {path}.", "Give the files that the provider's export consists of.")
            raise typer.Exit(Exit.USAGE)


def _report(server: Remote, identifier: str, status: str | None, limit: int) -> Any:
    params = {"status": status, "limit": limit}
    return server.request("GET", f"/reconciliations/{segment(identifier)}", params=params, timeout=PATIENCE_S)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _print(report: dict[str, Any]) -> None:
    record = report["reconciliation"]
    heading = f"{record['provider']}  {record['from']} to {record['to']}  {', '.join(record['formats'])}"
    CONSOLE.print(Text(heading, style="dim"))
    if record["superseded_by"]:
        note(f"A newer export took its place: {record['superseded_by']}")
    fields = {
        "export": money(report["export_usd"]),
        "ledger": money(report["ledger_usd"]),
        "difference": _signed(report["difference_usd"]),
        "booked": money(report["booked_usd"]),
        "groups": f"{report['groups_total']}, of which {report['groups_differing']} differ",
    }
    for left in record["left_out"]:
        fields[f"left out: {left['what']}"] = f"{left['rows']} rows, {money(left['amount_usd'])}"
    if record["outside_rows"]:
        fields["outside the period"] = f"{record['outside_rows']} rows"
    if record["rounded_rows"]:
        fields["rounded"] = f"{record['rounded_rows']} rows were finer than a nano-dollar"
    print_fields(fields)
    if report["causes"]:
        CONSOLE.print("\nby cause", style="bold")
        causes = (
            (part["cause"], _signed(part["difference_usd"]), money(part["booked_usd"])) for part in report["causes"]
        )
        print_table(("cause", "difference#", "booked#"), causes, empty="")
    if report["groups"]:
        CONSOLE.print("\nby day and model", style="bold")
        print_table(GROUP_COLUMNS, (_row(group) for group in report["groups"]), empty="")
    if len(record["keys"]) > 1:
        CONSOLE.print("\nkeys of the export (see --map)", style="bold")
        keys = ((entry["key"], money(entry["amount_usd"])) for entry in record["keys"])
        print_table(("key", "cost#"), keys, empty="")


def _row(group: dict[str, Any]) -> tuple[object, ...]:
    matches = group["status"] == "matches"
    return (
        group["day"],
        group["provider"],
        group["model"],
        money(group["export_usd"]),
        money(group["ledger_usd"]),
        _signed(group["difference_usd"]),
        Text(group["status"], style="green" if matches else "red"),
        ", ".join(f"{part['cause']} {_signed(part['difference_usd'])}" for part in group["causes"]),
    )


def _signed(amount: str) -> Text:
    """An amount with its sign: which side is higher is what matters."""
    bare = amount.removeprefix("-")
    if not bare.strip("0."):
        return Text("$0.00")
    return Text(f"{'-' if amount.startswith('-') else '+'}{money(bare)}")
