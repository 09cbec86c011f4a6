"""SQL stands where it belongs, and the database understands all of it."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import asyncpg

import enfilade
from enfilade.storage.address import Address
from tests.meta.source import SOURCE, name, python_files, tree

SQL = re.compile(
    r"\s*(SELECT\s|WITH\s+\w+\s+AS|INSERT\s+INTO|UPDATE\s+\w+\s+(\w+\s+)?SET|DELETE\s+FROM|CREATE\s+(TABLE|ROLE|INDEX|DATABASE)"
    r"|ALTER\s+(TABLE|ROLE)|LISTEN\s|NOTIFY\s|TRUNCATE\s|DROP\s+(TABLE|ROLE))"
)


def test_sql_stands_in_stores_only() -> None:
    stray = []
    for path in python_files(SOURCE):
        if path.name == "store.py" or path.is_relative_to(SOURCE / "storage"):
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
                stray.append(f"{name(path)}:{node.lineno}")
    assert not stray


def statements() -> Iterator[tuple[str, str]]:
    """Every statement that is a constant, by its name."""
    for module in pkgutil.walk_packages(enfilade.__path__, "enfilade."):
        if module.name.startswith("enfilade.storage") or module.name.endswith(".store"):
            loaded = importlib.import_module(module.name)
            for label, value in vars(loaded).items():
                if label.isupper() and not label.startswith("_"):
                    yield from _texts(f"{module.name}.{label}", value)


def _texts(label: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if (
            SQL.match(value)
            and "{" not in value
            and not value.lstrip().startswith(("LISTEN", "CREATE", "ALTER", "DROP"))
        ):
            yield label, value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _texts(f"{label}[{key}]", entry)
    elif isinstance(value, tuple | list):
        for index, entry in enumerate(value):
            yield from _texts(f"{label}[{index}]", entry)


async def test_every_statement_prepares(database: Address) -> None:
    found = dict(statements())
    assert len(found) > 50
    faults = []
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute("SET search_path = enfilade_shared, enfilade, public")
        for label, text in found.items():
            try:
                await connection.prepare(text)
            except asyncpg.PostgresError as error:
                faults.append(f"{label}: {error}")
    finally:
        await connection.close()
    assert not faults
