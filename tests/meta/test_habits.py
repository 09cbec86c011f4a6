"""What the project has agreed on and no linter checks."""

import ast
import re

import pytest

from tests.meta.source import BINARY, ROOT, SOURCE, name, project_files, python_files, tree

MAX_LINES = 500
MAX_FUNCTION = 70
VAGUE = {"utils", "util", "helpers", "common", "misc", "stuff", "manager", "shared"}
# The brackets keep this file from containing what it looks for.
UNFINISHED = re.compile(r"TO[D]O|FIX[M]E|XX[X]:|NotImplemented[E]rror|coming [s]oon")
OF_A_MACHINE = re.compile(r"/wor[k]/|/hom[e]/\w|/tmp/bash[_]jobs|pypi[.]org|python[h]osted|registry[.]npm")
LOCKS = {"uv.lock", "poetry.lock", "Pipfile.lock"}
THIRD_PARTY = re.compile(r"\.min\.(js|css)$|\.(safetensors|onnx|gguf|whl|map)$")


def test_no_file_is_longer_than_can_be_read() -> None:
    long = {name(path): count for path in python_files() if (count := len(path.read_text().splitlines())) > MAX_LINES}
    assert not long


def test_no_function_is_longer_than_a_page() -> None:
    long = []
    for path in python_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION:
                    long.append(f"{name(path)}:{node.name} has {lines} lines")
    assert not long


def test_no_module_has_a_name_that_means_nothing() -> None:
    assert not [name(path) for path in python_files() if path.stem in VAGUE or path.parent.name in VAGUE]


@pytest.mark.parametrize("pattern", [UNFINISHED, OF_A_MACHINE], ids=["unfinished", "of a machine"])
def test_no_file_says_what_does_not_belong_here(pattern: re.Pattern[str]) -> None:
    found = []
    for path in project_files():
        if path.suffix in BINARY:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{name(path)}:{number}: {line.strip()[:100]}")
    assert not found


def test_nothing_that_is_installed_is_committed() -> None:
    assert not [name(path) for path in project_files() if path.name in LOCKS or THIRD_PARTY.search(path.name)]


def test_every_requirement_is_pinned_by_hash() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        entries = re.findall(r"^[A-Za-z0-9_.\[\]-]+==.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
        assert entries, lock.name
        assert not [entry.split("\n")[0] for entry in entries if "--hash=sha256:" not in entry]
        assert not re.search(r"^(--index-url|--extra-index-url|--find-links|-i )", text, re.MULTILINE)


def test_scopes_are_made_by_identity_alone() -> None:
    made = []
    for path in python_files(SOURCE):
        if path.is_relative_to(SOURCE / "identity"):
            continue
        imports = {
            alias.asname or alias.name
            for node in ast.walk(tree(path))
            if isinstance(node, ast.ImportFrom) and node.module == "enfilade.core.scope"
            for alias in node.names
            if alias.name == "Scope"
        }
        made += [
            f"{name(path)}:{node.lineno}"
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in imports
        ]
    assert not made


def test_imports_stand_at_the_top() -> None:
    """A cycle hidden in a function is a cycle."""
    inner = []
    for path in python_files(SOURCE):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner += [
                    f"{name(path)}:{child.lineno}"
                    for child in ast.walk(node)
                    if isinstance(child, ast.Import | ast.ImportFrom)
                ]
    assert not inner


def test_no_error_is_swallowed() -> None:
    """`except: pass` hides what the next reader looks for; `contextlib.suppress` names what may be ignored."""
    silent = []
    for path in python_files(SOURCE):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler) and all(isinstance(line, ast.Pass) for line in node.body):
                silent.append(f"{name(path)}:{node.lineno}")
    assert not silent


def test_no_module_keeps_changeable_state() -> None:
    kept = []
    for path in python_files(SOURCE):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Global):
                kept.append(f"{name(path)}:{node.lineno}")
    assert not kept
