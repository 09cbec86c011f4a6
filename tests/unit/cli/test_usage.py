"""Wrong usage is refused before anything is asked of a server, and every command explains itself."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from enfilade.cli.output import Exit
from enfilade.cli.root import COMMANDS, ROOT

WRONG = [
    ("bogus",),
    ("tenant", "bogus"),
    ("spend", "--by", "mood"),
    ("budget", "set", "tenant", "5", "--per", "fortnight"),
    ("limit", "set", "tenant", "--requests", "many"),
    ("call", "list", "--status", "odd"),
    ("apply",),
    ("tenant", "show"),
    ("up", "--port", "x"),
    ("version", "--bogus"),
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage_is_refused_with_a_word_of_help(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(ROOT, list(arguments))
    assert done.exit_code == Exit.USAGE
    assert "Usage: " in done.stderr
    assert "--help" in done.stderr
    assert done.stdout == ""


def test_a_misspelt_command_is_told_with_what_was_meant() -> None:
    assert "Did you mean 'tenant'?" in CliRunner().invoke(ROOT, ["tenants", "list"]).stderr


def test_the_list_of_commands_is_shown_without_loading_them(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    monkeypatch.setattr("enfilade.cli.root.import_module", loaded.append)
    done = CliRunner().invoke(ROOT, ["--help"], env={"COLUMNS": "250"})
    assert done.exit_code == Exit.OK
    assert loaded == []
    for name, words in COMMANDS.items():
        assert f" {name} " in done.stdout
        assert words in done.stdout
    assert "Exit codes: 0 done" in done.stdout


def _commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    root: Any = typer.main.get_command(ROOT)
    context = root.context_class(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        inner = command.list_commands(context) if hasattr(command, "list_commands") else []
        found += [(name,), *((name, child) for child in inner)]
    return found


@pytest.mark.parametrize("path", _commands(), ids=" ".join)
def test_every_command_explains_itself_and_its_options(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(ROOT, [*path, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == Exit.OK
    assert "--help" in done.stdout
    command: Any = typer.main.get_command(ROOT)
    for name in path:
        command = command.get_command(command.context_class(command), name)
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert parameter.help, f"{' '.join(path)}: {parameter.name} has no help"
