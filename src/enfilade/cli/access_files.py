"""Reading policies from a file for the commands of access."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from enfilade.access.files import Places, policies_of
from enfilade.cli.output import Exit, fail, print_table
from enfilade.core.errors import EnfiladeError

MAX_BYTES = 8_000_000
FileArgument = Annotated[
    Path,
    typer.Argument(help="YAML or JSON as under `access:` in a configuration file, or `.cedar` with @id.", exists=True),
]


def read_access(path: Path) -> tuple[dict[str, Any], Places]:
    """What the file says, as the API takes it, and where its policies stand, if it is one of policies.

    Ends the program with a message where it cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        fail(f"{path} is larger than {MAX_BYTES} bytes.")
        raise typer.Exit(Exit.USAGE)
    try:
        text = path.read_text()
        if path.suffix == ".cedar":
            policies, places = policies_of(text)
            return {"policies": policies}, places
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        fail(f"{path}: {error}")
        raise typer.Exit(Exit.USAGE) from None
    except EnfiladeError as error:
        fail(f"{path}: {error.message}", error.remedy)
        raise typer.Exit(Exit.USAGE) from None
    if isinstance(content, dict) and isinstance(content.get("access"), dict):
        content = content["access"]
    if not isinstance(content, dict):
        fail(f"{path} holds no policies.", "Write what would stand under `access:` in a configuration file.")
        raise typer.Exit(Exit.USAGE)
    return content, {}


def in_file(problem: dict[str, Any], places: Places) -> dict[str, Any]:
    """The problem with its place in the file: the server knows each policy by itself."""
    if problem.get("line") is None or problem["policy"] not in places:
        return problem
    line, column = places[problem["policy"]]
    before = column - 1 if problem["line"] == 1 else 0
    return problem | {"line": line + problem["line"] - 1, "column": before + problem["column"]}


def print_problems(problems: list[dict[str, Any]], places: Places) -> None:
    """Errors and warnings as a table; nothing where there are none."""
    shown = [in_file(problem, places) for problem in problems]
    rows = (
        (
            problem["severity"],
            problem["policy"],
            "" if problem.get("line") is None else f"{problem['line']}:{problem['column']}",
            problem["message"] + (f" (did you mean {problem['meant']!r}?)" if problem.get("meant") else ""),
        )
        for problem in shown
    )
    if shown:
        print_table(("severity", "policy", "place", "what"), rows, empty="")
