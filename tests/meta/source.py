"""The project's own files, as the meta-tests read them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "enfilade"
BINARY = {".png", ".ico", ".gz"}


@cache
def project_files() -> tuple[Path, ...]:
    """What is committed, or will be: git's files, with new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for line in listed.splitlines() if (path := ROOT / line).is_file())


def python_files(under: Path = ROOT) -> Iterator[Path]:
    """Our Python files, `dev` among them."""
    for path in project_files():
        if path.is_relative_to(under) and (path.suffix == ".py" or path == ROOT / "dev"):
            yield path


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text())


def name(path: Path) -> str:
    """A path as people write it."""
    return str(path.relative_to(ROOT))
