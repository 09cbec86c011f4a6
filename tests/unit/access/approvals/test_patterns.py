"""Patterns: what they match, whether one contains another, and whether two overlap, against a naive reference."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.access.approvals.errors import InvalidAccessRequest
from enfilade.access.approvals.patterns import contains, matches, overlap
from enfilade.access.approvals.rules import covering
from enfilade.access.approvals.types import DEFAULT_RULE, DEFAULT_RULE_FOR_RIGHTS, Asked, Rule, Stage

PATTERNS = st.text("ab*", max_size=4)
NAMES = ["".join(letters) for length in range(7) for letters in itertools.product("ab", repeat=length)]


def naive(pattern: str) -> set[str]:
    expression = re.compile(pattern.replace("*", "[ab]*"))
    return {name for name in NAMES if expression.fullmatch(name)}


@given(PATTERNS, PATTERNS)
def test_patterns_are_what_their_names_say(one: str, other: str) -> None:
    ours, theirs = naive(one), naive(other)
    assert {name for name in NAMES if matches(one, name)} == ours
    assert overlap(one, other) == bool(ours & theirs)
    # Never said of what is not contained; that is what keeps a pattern from reaching past a rule.
    assert not contains(one, other) or theirs <= ours


def test_a_dot_and_a_bracket_are_themselves() -> None:
    assert matches("gpt-4.1*", "gpt-4.1-mini")
    assert not matches("gpt-4.1*", "gpt-401-mini")
    assert not matches("a[bc]", "ab")


STAGES = (Stage(("manager",)),)
STRICT = Rule("strict", STAGES, kinds=("model",), models=("claude-*",), position=1)
HR = Rule("hr", STAGES, use_cases=("hr-*",), position=2)
SALES = Rule("sales", STAGES, departments=("sales",), position=3)
ROLES = Rule("roles", STAGES, kinds=("role",), roles=("operator",), position=4)


@pytest.mark.parametrize(
    ("asked", "department", "expected"),
    [
        (Asked("model", model="claude-x", use_case="hr-1"), None, STRICT),
        (Asked("model", model="gpt", use_case="hr-1"), None, HR),
        (Asked("use_case", use_case="hr-1"), None, HR),
        (Asked("model", model="gpt", use_case="it"), "sales", SALES),
        (Asked("model", model="gpt", use_case="it"), "legal", DEFAULT_RULE),
        (Asked("role", role="operator"), None, ROLES),
        (Asked("role", role="admin"), None, DEFAULT_RULE_FOR_RIGHTS),
        (Asked("role", role="admin"), "sales", SALES),
        (Asked("key_scope", scopes=("calls:chat", "model:gpt-*")), None, DEFAULT_RULE),
        (Asked("key_scope", scopes=("calls:chat", "keys:write")), None, DEFAULT_RULE_FOR_RIGHTS),
    ],
)
def test_the_first_rule_that_covers_a_request_decides(asked: Asked, department: str | None, expected: Rule) -> None:
    assert covering([STRICT, HR, SALES, ROLES], asked, department) == expected


@pytest.mark.parametrize(
    "asked",
    [Asked("model", model="*", use_case="it"), Asked("model", model="gpt"), Asked("use_case", use_case="h*")],
)
def test_what_a_rule_covers_in_part_is_refused(asked: Asked) -> None:
    with pytest.raises(InvalidAccessRequest, match="only a part"):
        covering([STRICT, HR], asked, None)
