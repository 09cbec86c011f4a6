"""Errors as a whole: what callers build on must be unambiguous."""

import importlib
import pkgutil
import re

import enfilade
from enfilade.core.errors import EnfiladeError, all_errors


def errors() -> list[type[EnfiladeError]]:
    for module in pkgutil.walk_packages(enfilade.__path__, "enfilade."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [error for error in all_errors() if error.__module__.startswith("enfilade.")]


def test_a_code_has_one_status() -> None:
    statuses: dict[str, set[int]] = {}
    for error in errors():
        statuses.setdefault(error.code, set()).add(error.status)
    assert not {code: found for code, found in statuses.items() if len(found) > 1}


def test_a_code_is_one_error_or_a_refinement_of_it() -> None:
    """Two unrelated errors with one code could not be told apart."""
    roots: dict[str, set[str]] = {}
    for error in errors():
        if error is EnfiladeError:
            continue
        root = error
        while root.__base__ is not EnfiladeError and getattr(root.__base__, "code", None) == error.code:
            root = root.__base__  # type: ignore[assignment]
        roots.setdefault(error.code, set()).add(root.__name__)
    assert not {code: found for code, found in roots.items() if len(found) > 1}


def test_codes_and_remedies_are_fit_to_be_read() -> None:
    for error in errors():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code), error
        assert error.remedy.rstrip().endswith("."), error
        assert error.__doc__, error
        assert 400 <= error.status <= 599, error
