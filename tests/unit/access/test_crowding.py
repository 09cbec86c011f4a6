"""No call is concerned by more policies than can be evaluated for it."""

import pytest

from enfilade.access import checking
from enfilade.access.compiled import compile_content
from enfilade.access.crowding import crowd
from enfilade.access.table import PolicyTable
from tests.unit.access.policies import content, problems

HEAD = 'permit (principal, action == Action::"call", resource)'


def table(*cedar: str) -> PolicyTable:
    """What these compile to."""
    return PolicyTable(compile_content(content(*cedar)).policies)


@pytest.mark.parametrize(
    ("cedar", "question"),
    [
        ([f"{HEAD} when {{ context.hour == {n} }};" for n in range(4)], "`call`"),
        (
            [
                f'permit (principal in Department::"research", action, resource) when {{ context.hour == {n} }};'
                for n in range(4)
            ],
            '`call`, `Department::"research"`',
        ),
        (
            [f"{HEAD};", *[f'{HEAD} when {{ resource in Model::"gpt-4o" && context.use_case == "code" }};'] * 3],
            "`call`, `Model::\"gpt-4o\"`, the use case 'code'",
        ),
    ],
)
def test_policies_that_concern_one_call_together_are_found(cedar: list[str], question: str) -> None:
    found = crowd(table(*cedar), 3)
    assert found is not None
    assert (found.name, found.others, found.question) == ("p0", 3, question)
    assert crowd(table(*cedar), 4) is None


def test_policies_of_different_calls_are_no_crowd() -> None:
    cedar = [
        *[f'{HEAD} when {{ context.use_case == "u{n}" }};' for n in range(3)],
        *[f'{HEAD} when {{ resource in Model::"m{n}" && context.use_case == "v" }};' for n in range(3)],
        *[f'permit (principal in Role::"r{n}", action == Action::"read", resource);' for n in range(3)],
    ]
    assert crowd(table(*cedar), 2) is None


def test_a_crowd_is_refused_with_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MOST_TOGETHER", 2)
    (problem,) = problems(*[f"{HEAD} when {{ context.hour == {n} }};" for n in range(3)])
    assert (problem.severity, problem.policy, problem.line, problem.column) == ("error", "p0", 1, 1)
    assert "2 more policies" in problem.message
    assert "Name departments, models or use cases" in problem.message
