"""What a process remembers is declared, with what keeps tenants apart in it."""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache

import pytest

from enfilade.bootstrap.isolation.kept import KEPT
from tests.meta.source import ROOT

SOURCE = ROOT / "src" / "enfilade"
CONTAINER = r"(dict|OrderedDict|deque|set|list|defaultdict|Counter|asyncio\.\w*Queue|weakref\.\w+|Weak\w+)"
ANNOTATION = re.compile(rf"^{CONTAINER}\b")
MADE = re.compile(rf"^({CONTAINER}\((maxlen=.*|maxsize=.*)?\)|\{{\}}|\[\])$")
CACHING = re.compile(r"\b(lru_cache|cache|cached)\b")
PASSING_ROOMS = {
    "bootstrap.isolation": "one examination",
    "cli": "one command",
    "configuration": "one document",
    "core.clock": "the clock of tests",
    "costs.reconciliation": "one reconciliation",
    "dialects": "one request",
    "providers.transport.exchange": "one request",
    "storage.embedded": "one start",
}
"""Rooms whose objects do not outlive that."""
PASSING = {
    "access.reviews.campaigns._Choice": "one campaign's start",
    "api.authzen._Point": "one request",
    "api.cycle.Cycle": "one request",
    "core.errors.EnfiladeError": "one error",
    "costs.spend.usage_of_all._Reader": "one request",
    "gateway.admission.Admission": "one call",
    "identity.provisioning.filters._Parser": "one filter",
    "identity.provisioning.user_forms.Draft": "one request",
    "providers.transport.decoding.Decompressed": "one reply",
    "storage.unit_of_work.UnitOfWork": "one transaction",
}
"""Classes whose objects do not outlive that."""


def test_every_cache_and_queue_is_declared() -> None:
    declared = {kept.name for kept in KEPT}
    found = _everything_kept()
    assert len(found) > 80
    # Name it in bootstrap/isolation/kept.py, with what keeps tenants apart in it and how an entry tells whose it is.
    assert sorted(found - declared) == []


def test_what_is_declared_is_there() -> None:
    assert sorted({kept.name for kept in KEPT} - _everything_kept()) == []


def test_what_passes_is_there() -> None:
    names = {
        f"{module}.{node.name}"
        for module, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    assert sorted(set(PASSING) - names) == []


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("class New:\n    def __init__(self):\n        self._anything: dict[str, int] = {}", "New._anything"),
        ("class New:\n    def __init__(self):\n        self.untold = {}", "New.untold"),
        ("class New:\n    def __init__(self):\n        self.queued = deque(maxlen=3)", "New.queued"),
        ("class New:\n    async def open(self):\n        self._late: set[str] = set()", "New._late"),
        ("class New:\n    entries: dict[str, str] = field(default_factory=dict)", None),
        ("@lru_cache(maxsize=9)\ndef answer(tenant):\n    return tenant", "answer"),
        ("_ANSWERS = {}", "_ANSWERS"),
        ("_ANSWERS: dict[str, str] = {}", "_ANSWERS"),
        ("NAMES = {'a': 1}", None),
    ],
)
def test_a_new_cache_is_noticed_whatever_it_is_called(code: str, name: str | None) -> None:
    assert list(_kept_in("new", ast.parse(code))) == ([f"new.{name}"] if name else [])


@lru_cache(maxsize=1)
def _everything_kept() -> frozenset[str]:
    return frozenset(name for module, tree in _modules() for name in _kept_in(module, tree))


@lru_cache(maxsize=1)
def _modules() -> tuple[tuple[str, ast.Module], ...]:
    return tuple(_read_modules())


def _read_modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        if not any(module == room or module.startswith(f"{room}.") for room in PASSING_ROOMS):
            yield module, ast.parse(path.read_text(encoding="utf-8"))


def _kept_in(module: str, tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        yield from (f"{module}.{name}" for name in _empty_at_first(node))
    for inner in ast.walk(tree):
        if isinstance(inner, ast.ClassDef) and f"{module}.{inner.name}" not in PASSING:
            yield from (f"{module}.{inner.name}.{name}" for name in sorted(set(_attributes(inner))))
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and CACHING.search(_decorators(inner)):
            yield f"{module}.{inner.name}"


def _decorators(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return " ".join(ast.unparse(decorator) for decorator in function.decorator_list)


def _empty_at_first(node: ast.stmt) -> Iterator[str]:
    """Names of a module that are empty containers: those are there to be filled."""
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and ast.unparse(node.value) in {"{}", "[]", "set()", "dict()", "deque()"}:
            yield target.id


def _attributes(definition: ast.ClassDef) -> Iterator[str]:
    """Attributes of an object that are containers of its own making."""
    for function in definition.body:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            target: ast.expr
            if isinstance(node, ast.AnnAssign):
                target, kept = node.target, bool(ANNOTATION.match(ast.unparse(node.annotation)))
            elif isinstance(node, ast.Assign) and function.name == "__init__":
                target, kept = node.targets[0], bool(MADE.match(ast.unparse(node.value)))
            else:
                continue
            if kept and isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                yield target.attr
