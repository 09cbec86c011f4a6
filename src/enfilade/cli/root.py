"""The root of the command line. Commands are loaded when they are asked for: most need little of the program."""

import gc
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup

from enfilade.cli.output import Exit, fail
from enfilade.core.errors import EnfiladeError

GC_THRESHOLD = 50_000
"""What is loaded stays: looking for garbage in it every 700 objects is a tenth of a server's start."""
COMMANDS = {
    "up": "Start everything: embedded database, demo configuration, server.",
    "serve": "Serve an installation that is migrated and configured.",
    "migrate": "Bring the schemas of all cells up to date.",
    "doctor": "Find out what is wrong, and how to mend it.",
    "apply": "Make the platform as configuration files say.",
    "export": "Write the running state as a configuration file.",
    "schema": "Print the configuration's JSON Schema.",
    "tenant": "Tenants: list, show, create, suspend, resume, move, export, import, erase, remove.",
    "cell": "Cells: list, show, add, remove.",
    "app": "Applications: list, show, create, remove.",
    "user": "Users: list, show, create, change, remove, erase; invite, set-password, reset-factors.",
    "group": "Groups: list, show, create, change, remove.",
    "account-rules": "What is demanded of local accounts: show, set, unset.",
    "login": "Sign in, in a browser or with a code.",
    "logout": "End the session that `login` began.",
    "whoami": "Whom the key or the session stands for.",
    "session": "Sessions: list, end, end-all.",
    "issuer": "Issuers of tokens: list, show, create, change, remove, test.",
    "key": "Keys: list, show, create, rotate, revoke, identify.",
    "role": "Roles: list, show, create, change, remove, assign, unassign.",
    "break-glass": "Come into a tenant in an emergency: open, end, list, review.",
    "limit": "Limits: list, set, remove.",
    "budget": "Budgets: list, show, set, raise, remove.",
    "provider": "Providers: list, show, remove.",
    "model": "Models and aliases: list, show, remove; deployments' health.",
    "price": "Prices: list, show, history, set, unset, import, diff, books; discounts, markups.",
    "currency": "Exchange rates for display: list, set.",
    "spend": "Who spent what.",
    "usage-events": "Usage as CloudEvents, for billing outside.",
    "reconcile": "The ledger beside providers' exports: import, list, show, book.",
    "statement": "What was used in a period, by model, kind and price.",
    "invoice": "Invoices: preview, issue, list, show, pdf, csv, credit-note.",
    "credit": "Credits: grant, list.",
    "access": "Who may use what: explain, what-if, check, matrix, policies, versions.",
    "use-case": "The register of use cases: list, show, create, review, remove.",
    "approval": "Requests for access: request, list, show, approve, refuse, withdraw, delegate, rules.",
    "grant": "Access for a time: list, revoke.",
    "emergency": "Access at once, reviewed after: take, list, review.",
    "review": "Access reviews: start, schedule, list, items, answer, close, report.",
    "call": "Calls: list, show.",
    "audit": "The audit log: list, export.",
    "encryption": "Keys under which everything is sealed: status, rotate, withdraw, restore, destroy.",
    "replicas": "The serving processes and the revision that each applies.",
    "version": "Print the version.",
}


class LazyGroup(TyperGroup):
    """A group whose commands are modules of `enfilade.cli.commands`."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def format_help(self, ctx, formatter):  # type: ignore[no-untyped-def]
        """From the table alone: to list the commands, none of them has to be loaded."""
        commands = [TyperCommand(name, short_help=text) for name, text in COMMANDS.items()]
        listed = TyperGroup(
            name=self.name,
            commands=commands,
            params=self.params,
            help=self.help,
            epilog=self.epilog,
            rich_markup_mode=self.rich_markup_mode,
        )
        listed.format_help(ctx, formatter)

    def resolve_command(self, ctx, args):  # type: ignore[no-untyped-def]
        """The command that the arguments name; one that does not exist is told with what was probably meant."""
        nearest = get_close_matches(args[0], COMMANDS, 1)
        if args[0] not in COMMANDS and nearest:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {nearest[0]!r}?")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: typer.Context, cmd_name: str):  # type: ignore[no-untyped-def,override]
        """The command of that name, loaded."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"enfilade.cli.commands.{cmd_name.replace('-', '_')}")
        command = typer.main.get_command(module.APP)
        command.name = cmd_name
        command.short_help = COMMANDS[cmd_name]
        return command


ROOT = typer.Typer(
    name="enfilade",
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="One address between a company's applications and every model they use.",
    epilog="Remote commands talk to --url / ENFILADE_URL with --key / ENFILADE_KEY. Exit codes: 0 done, 1 failed, 2 wrong "
    "usage, 3 not allowed, 4 not found, 5 refused, 6 no answer, 7 unhealthy, 8 changes wait for --yes, 130 interrupted.",
    add_completion=True,
)


@ROOT.callback()
def root() -> None:
    """One address between a company's applications and every model they use."""


def main() -> None:
    """Run the command line; errors become a message and an exit code that means something."""
    code: Exit | None = None
    gc.set_threshold(GC_THRESHOLD)
    try:
        ROOT()
    except* EnfiladeError as faults:
        # What fails beside a running service comes out of its task group bound into groups.
        for error in _leaves(faults):
            fail(error.message, error.remedy)
            code = Exit.of_status(error.status)
    except* KeyboardInterrupt:
        code = Exit.INTERRUPTED
    if code is not None:
        sys.exit(code)


def _leaves(group: BaseExceptionGroup[EnfiladeError]) -> Iterator[EnfiladeError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
