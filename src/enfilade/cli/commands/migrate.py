"""`enfilade migrate`: the schemas of all cells."""

from typing import Annotated

import typer
import uvloop
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from enfilade.bootstrap.up import cells_of, database
from enfilade.cli.output import CONSOLE, ERRORS, Exit, done, fail, note, print_json, print_table
from enfilade.cli.starting import Data, settings_with
from enfilade.settings import Settings
from enfilade.storage.database import Database
from enfilade.storage.fleet import AT_ONCE, CellState, kind_of
from enfilade.storage.migrations import migrate
from enfilade.storage.roles import administrator_statements

APP = typer.Typer(add_completion=False)
SHOWN_FAULTS = 20


@APP.command(name="migrate")
def migrate_command(
    data: Data = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Change nothing; show what each cell lacks. Exit with 7 if it is anything.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="The same as --plan.", hidden=True)] = False,
    at_once: Annotated[
        int, typer.Option(min=1, max=64, help="How many cells are brought up to date at once.")
    ] = AT_ONCE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    roles_sql: Annotated[
        bool,
        typer.Option("--roles-sql", help="Print the SQL that makes Enfilade's roles, for an administrator to run."),
    ] = False,
) -> None:
    """Bring the schemas of all cells up to date. Safe when several start at once, and to interrupt: it goes on there.

    A cell that cannot be brought up to date stops neither the others nor their tenants.
    """
    settings = settings_with(data=data)
    if roles_sql:
        uvloop.run(_print_roles(settings))
    elif plan or check:
        _show_plan(uvloop.run(_inspect(settings)), as_json=as_json)
    else:
        _show_outcome(*uvloop.run(_migrate(settings, at_once, quiet=as_json)), as_json=as_json)


async def _inspect(settings: Settings) -> list[CellState]:
    async with database(settings, note) as address, cells_of(settings, address) as fleet:
        return await fleet.inspect()


async def _migrate(settings: Settings, at_once: int, *, quiet: bool) -> tuple[list[CellState], list[CellState]]:
    """What was done, and what failed."""
    finished: list[CellState] = []
    async with database(settings, note) as address:
        async with Database(address).owner() as connection:
            steps = await migrate(connection, address)
        async with cells_of(settings, address) as fleet:
            finished.append(CellState(fleet.home, tuple(steps)))
            waiting = [state for state in await fleet.inspect() if state.steps or state.fault]
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            with Progress(*columns, console=ERRORS, disable=quiet or not waiting, transient=True) as progress:
                task = progress.add_task("cells", total=len(waiting))

                def show(state: CellState) -> None:
                    finished.append(state)
                    progress.update(task, advance=1, description=state.cell.name)

                failed = await fleet.migrate(show, at_once)
    return finished, failed


def _show_plan(states: list[CellState], *, as_json: bool) -> None:
    behind = [state for state in states if state.steps or state.fault]
    if as_json:
        print_json([_described(state) for state in states])
    elif behind:
        rows = (
            (state.cell.name, kind_of(state.cell), len(state.steps), _first(state), state.fault) for state in behind
        )
        print_table(("cell", "kind", "lacks#", "from", "fault"), rows, empty="")
    if behind:
        if not as_json:
            note(f"{len(behind)} of {len(states)} cells are to be brought up to date: run `enfilade migrate`.")
        raise typer.Exit(Exit.UNHEALTHY)
    if not as_json:
        done(f"The schemas of all {len(states)} cells are up to date.")


def _show_outcome(finished: list[CellState], failed: list[CellState], *, as_json: bool) -> None:
    if as_json:
        print_json([_described(state) for state in finished])
    else:
        done_cells = [state for state in finished if state.steps and state.fault is None]
        for state in done_cells[:SHOWN_FAULTS]:
            for step in state.steps:
                note(f"  applied {step.schema}/{step.migration.number:04d} {step.migration.name}")
        if len(done_cells) > SHOWN_FAULTS:
            note(f"  and {len(done_cells) - SHOWN_FAULTS} more cells")
    if failed:
        for state in failed[:SHOWN_FAULTS] if not as_json else []:
            note(f"  {state.cell.name}: {state.fault}")
        message = f"{len(failed)} cells could not be brought up to date; their tenants are refused until they are."
        fail(message, "Mend what the messages name, then run `enfilade migrate` again.")
        raise typer.Exit(Exit.UNHEALTHY)
    if not as_json:
        done("The schemas are up to date.")


def _first(state: CellState) -> str | None:
    return f"{state.steps[0].migration.number:04d} {state.steps[0].migration.name}" if state.steps else None


def _described(state: CellState) -> dict[str, object]:
    return {
        "cell": state.cell.name,
        "kind": kind_of(state.cell),
        "tenant": state.cell.tenant,
        "steps": [f"{step.schema}/{step.migration.number:04d}_{step.migration.name}" for step in state.steps],
        "fault": state.fault,
    }


async def _print_roles(settings: Settings) -> None:
    async with database(settings, note) as address:
        for statement in administrator_statements(address):
            CONSOLE.print(f"{statement};", soft_wrap=True)
