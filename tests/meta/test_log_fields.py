"""Every field that the program logs is one that may be logged; another would be dropped in silence."""

import ast

from enfilade.telemetry.logs import ALLOWED_FIELDS
from tests.meta.source import SOURCE, name, python_files, tree

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def test_logged_fields_are_allowed() -> None:
    calls, dropped = 0, []
    for path in python_files(SOURCE):
        for node in ast.walk(tree(path)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "log"):
                continue
            calls += 1
            for keyword in node.keywords:
                if keyword.arg not in ALLOWED_FIELDS | {"exc_info"}:
                    dropped.append(f"{name(path)}:{node.lineno}: {keyword.arg}")
    assert calls > 10
    assert not dropped
