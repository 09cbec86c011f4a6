"""How much of a budget is used, as `budget list` draws it."""

from typing import Any

import pytest

from enfilade.cli.commands.budget import bar, extra, used


@pytest.mark.parametrize(
    ("limit", "spent", "text", "style"),
    [
        ("100", "0", "░░░░░░░░░░   0%", "green"),
        ("100", "79.9", "███████░░░  80%", "green"),
        ("100", "80", "████████░░  80%", "yellow"),
        ("100", "99.9", "█████████░ 100%", "yellow"),
        ("100", "100", "██████████ 100%", "red"),
        ("100", "1000", "██████████ 1000%", "red"),
        ("0", "0", "░░░░░░░░░░   0%", "green"),
        ("0", "1", "██████████    ∞", "red"),
    ],
)
def test_a_bar_is_full_when_everything_is_spent_and_not_before(limit: str, spent: str, text: str, style: str) -> None:
    drawn = bar(limit, spent)

    assert (drawn.plain, str(drawn.style)) == (text, style)


def test_the_bar_goes_by_what_is_allowed_and_by_whoever_spent_most_where_each_is_counted() -> None:
    budget: dict[str, Any] = {"limit_usd": "100", "effective_limit_usd": "200", "spent_usd": "100", "subjects": None}
    each = [{"effective_limit_usd": "100", "spent_usd": spent} for spent in ("10", "30", "20")]

    assert used(budget).plain.endswith(" 50%")
    assert used(budget | {"effective_limit_usd": None, "subjects": each}).plain.endswith(" 30%")
    assert used(budget | {"effective_limit_usd": None, "subjects": []}).plain.endswith(" 0%")


def test_nothing_is_shown_where_nothing_is_added() -> None:
    assert str(extra("5.500000000")) == "$5.50"
    assert {str(extra(amount)) for amount in (None, "0.000000000")} == {"–"}  # noqa: RUF001 - what stands for nothing
