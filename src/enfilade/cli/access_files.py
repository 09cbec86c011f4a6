"""Reading policies from a file for the commands of access."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from enfilade.access.files import policies_of
from enfilade.cli.output import Exit, fail, print_table
from enfilade.core.errors import EnfiladeError

MAX_BYTES = 8_000_000
FileArgument = Annotated[
    Path,
    typer.Argument(help="YAML or JSON as under `access:` in a configuration file, or `.cedar` with @id.", exists=True),
]


def read_access(path: Path) -> dict[str, Any]:
    """What the file says, as the API takes it. Ends the program with a message where it cannot be read."""
    if path.stat().st_size > MAX_BYTES:
        fail(f"{path} is larger than {MAX_BYTES} bytes.")
        raise typer.Exit(Exit.USAGE)
    try:
        text = path.read_text()
        if path.suffix == ".cedar":
            return {"policies": policies_of(text)}
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
    return content


def print_problems(problems: list[dict[str, Any]]) -> None:
    """Errors and warnings as a table; nothing where there are none."""
    rows = (
        (
            problem["severity"],
            problem["policy"],
            "" if problem.get("line") is None else f"{problem['line']}:{problem['column']}",
            problem["message"] + (f" (did you mean {problem['meant']!r}?)" if problem.get("meant") else ""),
        )
        for problem in problems
    )
    if problems:
        print_table(("severity", "policy", "place", "what"), rows, empty="")
