"""What a process remembers is declared, with what keeps tenants apart in it."""

import ast
import re
from collections.abc import Iterator

from enfilade.bootstrap.isolation.memory import KEPT
from tests.meta.source import ROOT

SOURCE = ROOT / "src" / "enfilade"
REMEMBERS = re.compile(
    r"^_?(answers|answered|remembered|recent|known|waiting|told|tenants|tenant_bytes|by_tenant|by_digest|by_url|secrets|"
    r"idle|running|holds|settlements|facts|intents|used|jobs|subjects|owed|seen|lines|cache\w*|\w+_cache|queue|pools)$"
)
CONTAINERS = re.compile(r"^(dict|OrderedDict|deque|set|list|asyncio\.Queue|defaultdict|Weak\w+)\b")
OF_A_REQUEST = {
    "costs.reconciliation",
    "cli",
    "core.clock",
    "dialects",
    "providers.transport.exchange",
    "storage.embedded",
}
"""Rooms whose objects live as long as one request, or one command."""
NOT_OF_TENANTS = {"providers.transport.client.HttpClient._pools": "by the address of a provider"}


def test_every_cache_and_queue_is_declared() -> None:
    declared = {kept.name for kept in KEPT} | set(NOT_OF_TENANTS)
    found = set(_containers())
    assert len(found) > 30
    assert sorted(found - declared) == []


def test_what_is_declared_is_there() -> None:
    assert sorted({kept.name for kept in KEPT} - set(_containers())) == []


def _containers() -> Iterator[str]:
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        if any(module == room or module.startswith(f"{room}.") for room in OF_A_REQUEST):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield from (f"{module}.{node.name}.{name}" for name in _kept_by(node))


def _kept_by(definition: ast.ClassDef) -> Iterator[str]:
    for function in definition.body:
        if not isinstance(function, ast.FunctionDef) or function.name != "__init__":
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
                name = node.target.attr
                if REMEMBERS.match(name) and CONTAINERS.match(ast.unparse(node.annotation)):
                    yield name
