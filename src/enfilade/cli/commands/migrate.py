"""`enfilade migrate`: the database's schema."""

from typing import Annotated

import typer
import uvloop

from enfilade.bootstrap.up import database
from enfilade.cli.output import CONSOLE, Exit, done, note
from enfilade.cli.starting import Data, settings_with
from enfilade.settings import Settings
from enfilade.storage.database import Database
from enfilade.storage.migrations import Step, migrate, pending
from enfilade.storage.roles import role_statements

APP = typer.Typer(add_completion=False)


@APP.command(name="migrate")
def migrate_command(
    data: Data = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 7 if something is to be done.")
    ] = False,
    roles_sql: Annotated[
        bool,
        typer.Option("--roles-sql", help="Print the SQL that makes Enfilade's roles, for an administrator to run."),
    ] = False,
) -> None:
    """Bring the database's schema up to date. Safe when several start at once."""
    settings = settings_with(data=data)
    if roles_sql:
        uvloop.run(_print_roles(settings))
        return
    steps = uvloop.run(_check(settings) if check else _migrate(settings))
    for step in steps:
        note(f"  {'lacks' if check else 'applied'} {step.schema}/{step.migration.number:04d} {step.migration.name}")
    if check and steps:
        raise typer.Exit(Exit.UNHEALTHY)
    done("The schema is up to date.")


async def _migrate(settings: Settings) -> list[Step]:
    async with database(settings, note) as address, Database(address).owner() as connection:
        return await migrate(connection, address)


async def _check(settings: Settings) -> list[Step]:
    async with database(settings, note) as address, Database(address).owner() as connection:
        return await pending(connection)


async def _print_roles(settings: Settings) -> None:
    async with database(settings, note) as address:
        for statement in role_statements(address):
            CONSOLE.print(f"{statement};", soft_wrap=True)
