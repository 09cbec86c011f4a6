"""Every error has a stable code, a status, and words that help; and its details are safe to show."""

import re
from collections.abc import Mapping

import pytest

from enfilade.bootstrap import compose
from enfilade.core.errors import (
    BudgetReached,
    EnfiladeError,
    Forbidden,
    InvalidRequest,
    LimitReached,
    NotFound,
    Unauthenticated,
    Unavailable,
    all_errors,
)

FAMILIES: Mapping[type[EnfiladeError], int] = {
    Unauthenticated: 401,
    BudgetReached: 402,
    Forbidden: 403,
    NotFound: 404,
    LimitReached: 429,
    Unavailable: 503,
}
ERRORS = sorted(set(all_errors()), key=lambda error: (error.__module__, error.__name__))


def ours(error: type[EnfiladeError]) -> bool:
    """Whether the program, not a test, defines it."""
    return error.__module__.startswith("enfilade.")


@pytest.mark.parametrize("error", [e for e in ERRORS if ours(e)], ids=lambda error: str(error.__name__))
def test_an_error_says_what_it_is_and_what_to_do(error: type[EnfiladeError]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", error.code)
    assert 400 <= error.status <= 599
    assert error.remedy.strip() == error.remedy
    assert error.remedy[0].isupper() or error.remedy[0] == "`"
    assert error.remedy.endswith(".")
    assert error.__doc__


def test_errors_of_a_family_keep_its_status() -> None:
    for family, status in FAMILIES.items():
        assert {error.status for error in all_errors(family) if ours(error)} == {status}
    assert all(400 <= error.status < 500 for error in all_errors(InvalidRequest) if ours(error))


def test_one_code_means_one_thing() -> None:
    by_code: dict[str, set[tuple[int, str]]] = {}
    for error in filter(ours, ERRORS):
        by_code.setdefault(error.code, set()).add((error.status, error.remedy))

    assert {code: meanings for code, meanings in by_code.items() if len(meanings) > 1} == {}
    assert compose.__name__, "importing the whole program has made all of its errors known"


def test_an_error_carries_what_a_surface_needs() -> None:
    details = {"limit": 5}
    error = LimitReached("Too many.", param="model", retry_after=2.5, details=details)
    details["limit"] = 6

    assert (str(error), error.message, error.param, error.retry_after) == ("Too many.", "Too many.", "model", 2.5)
    assert error.details == {"limit": 5}
    assert EnfiladeError("x").details == {}
