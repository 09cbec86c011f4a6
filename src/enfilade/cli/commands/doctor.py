"""`enfilade doctor`."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
import typer
import uvloop
from rich.text import Text

from enfilade.bootstrap.isolation.report import Report, examine_isolation
from enfilade.bootstrap.up import database, ingredients
from enfilade.cli.checks import Finding, examine
from enfilade.cli.output import CONSOLE, Exit, done, note, print_json, print_table
from enfilade.cli.remote import AsJson
from enfilade.cli.starting import Data, settings_with
from enfilade.settings import Settings
from enfilade.storage.cells import ROW, SCHEMA

APP = typer.Typer(add_completion=False)

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "fault": ("✗", "red")}


@APP.callback(invoke_without_command=True)
def doctor(
    context: typer.Context,
    data: Data = None,
    as_json: AsJson = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what needs the database or the network.")] = False,
) -> None:
    """Find out what is wrong, and how to mend it. It changes nothing; a fault makes it exit with 7."""
    if context.invoked_subcommand is not None:
        return
    findings = uvloop.run(examine(settings_with(data=data), quick=quick))
    if as_json:
        print_json([finding.shown() for finding in findings])
    else:
        for finding in findings:
            _print(finding)
    if any(finding.level == "fault" for finding in findings):
        raise typer.Exit(Exit.UNHEALTHY)


@APP.command()
def isolation(
    data: Data = None,
    report: Annotated[Path | None, typer.Option(help="Write the whole report there, as JSON, to be kept.")] = None,
    routes: Annotated[
        bool, typer.Option(help="Try every route too, in a database that is made for it and removed.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Enumerate all in which tenants meet, with what keeps them apart, and try each as a foreign tenant.

    What is tried is taken back. A finding makes it exit with 7.
    """
    with _errors_alone():
        found = uvloop.run(_isolation(settings_with(data=data), routes=routes))
    shown = found.shown()
    if report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(shown), indent=2) + b"\n")
    if as_json:
        print_json(shown)
    else:
        _print_isolation(found, shown["sha256"])
    if found.findings:
        raise typer.Exit(Exit.UNHEALTHY)


@contextmanager
def _errors_alone() -> Iterator[None]:
    """The trial is a whole installation: its log would hide what is found."""
    former = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.configure(**former)


async def _isolation(settings: Settings, *, routes: bool) -> Report:
    async with database(settings, note) as address:
        return await examine_isolation(ingredients(settings, address, None), note, (ROW, SCHEMA) if routes else ())


def _print_isolation(found: Report, digest: str) -> None:
    kinds = list(dict.fromkeys(item.kind for item in found.items))
    rows = []
    for kind in kinds:
        group = [item for item in found.items if item.kind == kind]
        findings = sum(1 for item in group if item.faults)
        rows.append((kind, len(group), sum(1 for item in group if item.was_tried), findings))
    print_table(("kind", "examined#", "tried#", "findings#"), rows, empty="Nothing was found to examine.")
    for item in found.findings:
        for fault in item.faults:
            _print(Finding("fault", f"{item.kind} {item.name} ({item.place})", fault))
    for text in found.left_out:
        _print(Finding("warning", "left out", text))
    note("What was looked at and not tried says why in the report.")
    note(f"SHA-256 of the report: {digest}")
    if not found.findings:
        done("Nothing was found through which one tenant could reach another.")


def _print(finding: Finding) -> None:
    mark, colour = MARKS[finding.level]
    CONSOLE.print(Text.assemble((f"{mark} ", colour), (f"{finding.subject}: ", "bold"), finding.text), soft_wrap=True)
    if finding.remedy:
        CONSOLE.print(Text(f"  → {finding.remedy}", style="dim"), soft_wrap=True)
