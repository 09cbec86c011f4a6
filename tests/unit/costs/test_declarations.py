"""What administrators may declare as a limit or a budget, and what is said of the rest."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from enfilade.costs.errors import InvalidRule
from enfilade.costs.holds.budgets import BudgetSpec, budget_of, check_budget
from enfilade.costs.holds.limits import MAX_AMOUNT, LimitSpec, check_limit, limit_of
from enfilade.costs.holds.types import PERIODS, Action, Measure, Subject
from enfilade.costs.holds.windows import Calendar
from enfilade.identity.scopes import key_scope


@pytest.mark.parametrize(
    "spec",
    [
        LimitSpec("tenant", "requests", 0, "second"),
        LimitSpec("user:*", "tokens", MAX_AMOUNT, "day"),
        LimitSpec("tenant", "concurrency", 5),
    ],
)
def test_limits_that_mean_something(spec: LimitSpec) -> None:
    check_limit(spec)


@pytest.mark.parametrize(
    ("spec", "param"),
    [
        (LimitSpec("tenant", "dollars", 5, "day"), "measure"),
        (LimitSpec("tenant", "requests", -1, "day"), "requests"),
        (LimitSpec("tenant", "tokens", MAX_AMOUNT + 1, "day"), "tokens"),
        (LimitSpec("tenant", "requests", 5), "per"),
        (LimitSpec("tenant", "requests", 5, "month"), "per"),
        (LimitSpec("tenant", "concurrency", 5, "day"), "per"),
    ],
)
def test_limits_that_mean_nothing_are_refused_with_the_field_at_fault(spec: LimitSpec, param: str) -> None:
    with pytest.raises(InvalidRule) as refusal:
        check_limit(spec)

    assert (refusal.value.param, refusal.value.status) == (param, 422)


@pytest.mark.parametrize("window", PERIODS)
@pytest.mark.parametrize("amount", ["0", 0, 5, 2.5, "0.000000001", Decimal("12.5"), "9223372036.854775807"])
def test_budgets_that_mean_something(window: str, amount: Any) -> None:
    limit_nano = check_budget(BudgetSpec("tenant", window, amount)).limit_nano

    assert limit_nano == Decimal(str(amount)) * 10**9


def test_thresholds_have_one_form_and_one_order() -> None:
    spec = BudgetSpec("tenant", "month", 5, (1, "0.80", 0.8, Decimal("0.5"), "1e-6", "10", "1.0"))

    assert check_budget(spec).alerts == ("0.000001", "0.5", "0.8", "1", "10")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"window": "fortnight"}, "window"),
        ({"action": "shout"}, "action"),
        ({"limit_usd": -1}, "limit_usd"),
        ({"limit_usd": "much"}, "limit_usd"),
        ({"limit_usd": "0.0000000001"}, "limit_usd"),
        ({"limit_usd": "1e999999"}, "limit_usd"),
        ({"limit_usd": "9223372036.854775808"}, "limit_usd"),
        ({"limit_usd": float("nan")}, "limit_usd"),
        *(
            ({"alerts": (share,)}, "alerts")
            for share in (0, -1, 10.5, "half", "NaN", "sNaN", "0.0000001", "1e-99999999")
        ),
        ({"month_starts_on": 0}, "month_starts_on"),
        ({"month_starts_on": 29}, "month_starts_on"),
        ({"month_starts_on": 15, "window": "week"}, "month_starts_on"),
        ({"year_starts_in": 0}, "year_starts_in"),
        ({"year_starts_in": 13}, "year_starts_in"),
        ({"year_starts_in": 4}, "year_starts_in"),
        ({"carry_over": True, "window": "total"}, "carry_over"),
        ({"carry_over_limit_usd": 1}, "carry_over_limit_usd"),
        ({"carry_over": True, "carry_over_limit_usd": -1}, "carry_over_limit_usd"),
        ({"carry_over": True, "carry_over_limit_usd": "much"}, "carry_over_limit_usd"),
        ({"alerts": tuple(n / 20 for n in range(1, 12))}, "alerts"),
    ],
)
def test_budgets_that_mean_nothing_are_refused_with_the_field_at_fault(change: Mapping[str, Any], param: str) -> None:
    fields: dict[str, Any] = {"scope": "tenant", "window": "month", "limit_usd": 5} | dict(change)

    with pytest.raises(InvalidRule) as refusal:
        check_budget(BudgetSpec(**fields))

    assert (refusal.value.param, refusal.value.status) == (param, 422)


def test_rules_are_read_from_their_rows() -> None:
    common = {
        "id": "1",
        "tenant_id": "acme",
        "subject_kind": "user",
        "subject_id": None,
        "model": "gpt-*",
        "version": 3,
    }

    limit = limit_of(common | {"measure": "tokens", "amount": 5, "per": "hour"})
    budget = budget_of(
        common
        | {"period": "quarter", "limit_nano": 7, "alerts": [Decimal("0.800000"), Decimal(1)], "action": "cut"}
        | {"month_starts_on": 6, "year_starts_in": 4, "carry_over": True, "carry_over_limit_nano": 3},
        "Asia/Tokyo",
    )

    assert (limit.measure, limit.amount, limit.per, limit.version) == (Measure.TOKENS, 5, "hour", 3)
    assert limit.subject == budget.subject == Subject("user")
    assert (budget.period, budget.limit_nano, budget.alerts, budget.action) == ("quarter", 7, ("0.8", "1"), Action.CUT)
    assert (budget.calendar, budget.model) == (Calendar("Asia/Tokyo", 6, 4), "gpt-*")
    assert (budget.carry_over, budget.carry_over_limit_nano) == (True, 3)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (Subject("tenant"), "acme"),
        (Subject("department"), "sales"),
        (Subject("department", "sales"), "sales"),
        (Subject("department", "legal"), None),
        (Subject("application", "copilot"), "copilot"),
        (Subject("user"), None),
        (Subject("user", "ana"), None),
        (Subject("key"), "key-1"),
    ],
)
def test_whom_a_rule_concerns(subject: Subject, expected: str | None) -> None:
    scope = key_scope("acme", "key-1", department="sales", application="copilot")

    assert subject.counted_id(scope) == expected
    assert subject.is_each == (subject.kind != "tenant" and subject.id is None)
