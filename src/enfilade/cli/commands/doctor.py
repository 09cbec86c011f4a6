"""`enfilade doctor`."""

from typing import Annotated

import typer
import uvloop
from rich.text import Text

from enfilade.cli.checks import Finding, examine
from enfilade.cli.output import CONSOLE, Exit, print_json
from enfilade.cli.remote import AsJson
from enfilade.cli.starting import Data, settings_with

APP = typer.Typer(add_completion=False)

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "fault": ("✗", "red")}


@APP.command()
def doctor(
    data: Data = None,
    as_json: AsJson = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what needs the database.")] = False,
) -> None:
    """Find out what is wrong, and how to mend it. It changes nothing; a fault makes it exit with 7."""
    findings = uvloop.run(examine(settings_with(data=data), quick=quick))
    if as_json:
        print_json([finding.shown() for finding in findings])
    else:
        for finding in findings:
            _print(finding)
    if any(finding.level == "fault" for finding in findings):
        raise typer.Exit(Exit.UNHEALTHY)


def _print(finding: Finding) -> None:
    mark, colour = MARKS[finding.level]
    CONSOLE.print(Text.assemble((f"{mark} ", colour), (f"{finding.subject}: ", "bold"), finding.text), soft_wrap=True)
    if finding.remedy:
        CONSOLE.print(Text(f"  → {finding.remedy}", style="dim"), soft_wrap=True)
