"""One hold over everything that limits a call: all or nothing, ended once."""

import pytest

from enfilade.costs.errors import (
    BudgetExhausted,
    ConcurrencyLimitReached,
    RequestLimitReached,
    TokenLimitReached,
)
from enfilade.costs.holds.hold import Demand
from enfilade.costs.holds.types import Action, Measure, Subject
from enfilade.identity.scopes import key_scope
from tests.unit.costs.rules import SCOPE, TENANT, Desk, budget, limit

KINDS = ("tenant", "department", "application", "user", "key")


def test_a_hold_lasts_until_it_is_settled() -> None:
    desk = Desk(budget(100))
    hold = desk.take(80)
    with pytest.raises(BudgetExhausted):
        desk.take(21)

    desk.settle(hold, 30)

    assert (desk.budget().held, desk.budget().spent) == (0, 30)
    desk.take(70)
    with pytest.raises(BudgetExhausted):
        desk.take(1)


def test_settling_twice_counts_once() -> None:
    desk = Desk(budget(100), limit(Measure.CONCURRENCY, 5), limit(Measure.TOKENS, 100))
    hold = desk.take(50, tokens=50)

    desk.settle(hold, 20, 10)
    assert desk.settle(hold, 20, 10) == []

    assert (desk.budget().held, desk.budget().spent, desk.running(), desk.left("tokens")) == (0, 20, 0, 90)


def test_what_exceeds_the_hold_is_counted_all_the_same() -> None:
    desk = Desk(budget(100))
    desk.settle(desk.take(60), 110)

    assert (desk.budget().held, desk.budget().spent) == (0, 110)
    with pytest.raises(BudgetExhausted):
        desk.take(1)


@pytest.mark.parametrize("narrow", KINDS)
def test_the_narrowest_of_five_nested_budgets_decides_and_a_refusal_counts_nowhere(narrow: str) -> None:
    desk = Desk(
        *(budget(10 if kind == narrow else 100, id=kind, subject=Subject(kind)) for kind in KINDS),
        limit(Measure.CONCURRENCY, 5),
        limit(Measure.REQUESTS, 5),
        limit(Measure.TOKENS, 50),
    )

    with pytest.raises(BudgetExhausted) as refusal:
        desk.take(11, tokens=10)

    assert refusal.value.details["scope"] == narrow
    assert [desk.budget(kind, _subject(kind)).held for kind in KINDS] == [0] * 5
    assert (desk.running(), desk.left("requests"), desk.left("tokens")) == (0, 5, 50)
    desk.take(10, tokens=10)
    assert [desk.budget(kind, _subject(kind)).held for kind in KINDS] == [10] * 5
    assert (desk.running(), desk.left("requests"), desk.left("tokens")) == (1, 4, 40)


def test_a_budget_refusal_says_who_how_much_and_until_when() -> None:
    desk = Desk(budget(2_000_000_000, "day", subject=Subject("application", "copilot")))
    desk.settle(desk.take(500_000_000), 500_000_000)
    desk.take(1_000_000_000)

    with pytest.raises(BudgetExhausted) as refusal:
        desk.take(500_000_001)

    assert refusal.value.status == 402
    assert refusal.value.details == {
        "rule": "budget",
        "scope": "application",
        "subject": "copilot",
        "model": None,
        "window": "day",
        "limit_usd": "2.000000000",
        "raised_usd": "0.000000000",
        "carried_usd": "0.000000000",
        "spent_usd": "0.500000000",
        "held_usd": "1.000000000",
        "needed_usd": "0.500000001",
        "resets_in_s": 43_200.0,
    }
    assert refusal.value.retry_after == 43_200
    assert "0.500000001 needed" in refusal.value.message


def test_a_total_budget_never_resets() -> None:
    desk = Desk(budget(10, "total"))

    with pytest.raises(BudgetExhausted) as refusal:
        desk.take(11)

    assert refusal.value.retry_after is None
    assert refusal.value.details["resets_in_s"] is None


def test_requests_that_were_made_stay_counted_after_their_end() -> None:
    desk = Desk(limit(Measure.REQUESTS, 2))
    for _ in range(2):
        desk.settle(desk.take(), 0)

    with pytest.raises(RequestLimitReached) as refusal:
        desk.take()

    assert refusal.value.details["left"] == 0
    assert refusal.value.retry_after is not None
    desk.clock.advance(refusal.value.retry_after - 0.01)
    with pytest.raises(RequestLimitReached):
        desk.take()
    desk.clock.advance(0.01)
    desk.take()


def test_tokens_are_held_at_their_worst_case_and_corrected_at_the_end() -> None:
    desk = Desk(limit(Measure.TOKENS, 100))
    hold = desk.take(tokens=90)
    with pytest.raises(TokenLimitReached):
        desk.take(tokens=11)

    desk.settle(hold, 0, 15)

    assert desk.left("tokens") == 85


def test_a_call_larger_than_the_limit_itself_is_not_told_to_wait() -> None:
    desk = Desk(limit(Measure.TOKENS, 100))

    with pytest.raises(TokenLimitReached, match="larger than the limit") as refusal:
        desk.take(tokens=101)

    assert refusal.value.retry_after is None


def test_calls_at_the_same_time_are_limited() -> None:
    desk = Desk(limit(Measure.CONCURRENCY, 2))
    first, _ = desk.take(), desk.take()
    with pytest.raises(ConcurrencyLimitReached) as refusal:
        desk.take()

    assert refusal.value.details["active"] == 2
    desk.settle(first, 0)
    desk.take()


def test_a_limit_of_zero_lets_nothing_through() -> None:
    for measure, error in (
        (Measure.REQUESTS, RequestLimitReached),
        (Measure.TOKENS, TokenLimitReached),
        (Measure.CONCURRENCY, ConcurrencyLimitReached),
    ):
        with pytest.raises(error):
            Desk(limit(measure, 0)).take(tokens=1)
    with pytest.raises(BudgetExhausted):
        Desk(budget(0)).take(1)


def test_a_free_call_fits_an_empty_budget() -> None:
    Desk(budget(0)).take(0)


def test_a_warning_budget_stops_nothing() -> None:
    desk = Desk(budget(10, action=Action.WARN, alerts=("1",)))

    hold = desk.take(25)
    alerts = desk.settle(hold, 25)

    assert not hold.is_cut
    assert [alert.share for alert in alerts] == ["1"]


def test_a_cutting_budget_gives_what_is_left_if_the_call_can_start_with_it() -> None:
    desk = Desk(budget(100, action=Action.CUT))
    desk.spend(60)

    with pytest.raises(BudgetExhausted):
        desk.take(80, minimum=41)
    hold = desk.take(80, minimum=40)

    assert (hold.nano, hold.is_cut) == (40, True)
    assert desk.budget().left(desk.clock.now_ns()) == 0


def test_of_two_cutting_budgets_the_smaller_rest_is_held_everywhere() -> None:
    desk = Desk(
        budget(100, id="wide", action=Action.CUT),
        budget(30, id="narrow", action=Action.CUT, subject=Subject("application")),
    )

    hold = desk.take(80, minimum=10)

    assert hold.nano == 30
    assert (desk.budget("wide").held, desk.budget("narrow", "copilot").held) == (30, 30)


def test_a_blocking_budget_refuses_what_a_cutting_one_would_shorten() -> None:
    desk = Desk(budget(30, id="cutting", action=Action.CUT), budget(50, id="blocking"))

    with pytest.raises(BudgetExhausted) as refusal:
        desk.take(80, minimum=1)

    assert refusal.value.details["rule"] == "blocking"
    assert desk.budget("cutting").held == 0


def test_a_further_attempt_needs_room_of_its_own() -> None:
    desk = Desk(budget(100), limit(Measure.TOKENS, 100))
    hold = desk.take(40, tokens=40)
    hold.extend(Demand(40, 40, 40), desk.clock.now_ns())

    assert (hold.nano, hold.tokens, desk.budget().held, desk.left("tokens")) == (80, 80, 80, 20)
    for demand in (Demand(21, 0, 0), Demand(0, 21, 21)):
        with pytest.raises((BudgetExhausted, TokenLimitReached)):
            hold.extend(demand, desk.clock.now_ns())
    assert (hold.nano, hold.tokens, desk.budget().held, desk.left("tokens")) == (80, 80, 80, 20)
    desk.settle(hold, 70, 60)
    assert (desk.budget().held, desk.budget().spent, desk.left("tokens")) == (0, 70, 40)


def test_a_call_that_falls_back_counts_for_the_other_models_rules() -> None:
    desk = Desk(
        budget(100, id="all"),
        budget(100, id="first", model="chat"),
        budget(100, id="second", model="other"),
        limit(Measure.CONCURRENCY, 5, id="running-first", model="chat"),
        limit(Measure.CONCURRENCY, 5, id="running-second", model="other"),
    )
    hold = desk.take(40)

    hold.switch(desk.meters(model="other"), desk.clock.now_ns())

    assert [desk.budget(name).held for name in ("all", "first", "second")] == [40, 0, 40]
    assert (desk.running("running-first"), desk.running("running-second")) == (0, 1)
    desk.settle(hold, 30)
    assert [desk.budget(name).spent for name in ("all", "first", "second")] == [30, 0, 30]
    assert [desk.budget(name).held for name in ("all", "first", "second")] == [0, 0, 0]
    assert (desk.running("running-first"), desk.running("running-second")) == (0, 0)


@pytest.mark.parametrize(
    "full",
    [
        budget(39, id="full", model="other"),
        limit(Measure.TOKENS, 39, id="full", model="other"),
        limit(Measure.CONCURRENCY, 0, id="full", model="other"),
        limit(Measure.REQUESTS, 0, id="full", model="other"),
    ],
    ids=["money", "tokens", "concurrency", "requests"],
)
def test_a_fallback_without_room_leaves_the_hold_as_it_was(full: object) -> None:
    desk = Desk(budget(100, id="first", model="chat"), full)  # type: ignore[arg-type]
    hold = desk.take(40, tokens=40)

    with pytest.raises((BudgetExhausted, TokenLimitReached, ConcurrencyLimitReached, RequestLimitReached)):
        hold.switch(desk.meters(model="other"), desk.clock.now_ns())

    assert desk.budget("first").held == 40


def test_a_fallback_after_a_lost_attempt_needs_room_for_all_tokens_of_the_call() -> None:
    desk = Desk(limit(Measure.TOKENS, 100, id="other", model="other"))
    hold = desk.take(tokens=60)
    hold.extend(Demand(60, 0, 0), desk.clock.now_ns())

    with pytest.raises(TokenLimitReached):
        hold.switch(desk.meters(model="other"), desk.clock.now_ns())

    assert desk.left("other") == 100


def test_each_subject_of_a_kind_is_counted_by_itself() -> None:
    desk = Desk(budget(10, subject=Subject("user")))
    other = key_scope(TENANT, "key-2", department="sales", application="copilot", user="ben")
    nobody = key_scope(TENANT, "key-3", department="sales", application="copilot")

    desk.take(10)
    desk.take(10, scope=other)
    desk.take(1000, scope=nobody)

    for scope in (SCOPE, other):
        with pytest.raises(BudgetExhausted):
            desk.take(1, scope=scope)


def test_rules_of_another_tenant_or_model_do_not_concern_a_call() -> None:
    desk = Desk(budget(0, id="foreign", tenant="globex"), budget(0, id="other", model="gpt-*"))

    desk.take(5, model="claude-5")
    with pytest.raises(BudgetExhausted):
        desk.take(5, model="gpt-7")


def _subject(kind: str) -> str:
    return TENANT if kind == "tenant" else str(getattr(SCOPE, kind))
