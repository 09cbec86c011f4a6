"""What an attempt lost stays with the model that lost it, wherever the call goes next."""

import pytest

from enfilade.costs.errors import BudgetExhausted
from enfilade.costs.holds.hold import Demand
from tests.unit.costs.rules import Desk, budget

LOST = Demand(0, 40, 40)


def desk_of_models(**limits: int) -> Desk:
    """A budget for the tenant and one for each model."""
    return Desk(budget(1000), *(budget(limit, id=model, model=model) for model, limit in limits.items()))


def test_a_loss_counts_for_the_model_that_lost_it_and_for_the_tenant() -> None:
    desk = desk_of_models(chat=1000, other=1000)
    hold = desk.take(40)
    hold.extend(LOST, desk.clock.now_ns())

    hold.switch(desk.meters(model="other"), desk.clock.now_ns())

    assert (desk.budget("chat").held, desk.budget("chat").spent) == (0, 40)
    assert (desk.budget("other").held, desk.budget("other").spent) == (40, 0)
    desk.settle(hold, 40 + 25)
    assert [desk.budget(name).spent for name in ("budget", "chat", "other")] == [65, 40, 25]
    assert [desk.budget(name).held for name in ("budget", "chat", "other")] == [0, 0, 0]


def test_each_of_several_models_keeps_its_own_loss() -> None:
    desk = desk_of_models(chat=1000, other=1000, third=1000)
    hold = desk.take(40)
    hold.extend(LOST, desk.clock.now_ns())
    hold.switch(desk.meters(model="other"), desk.clock.now_ns())
    hold.extend(LOST, desk.clock.now_ns())

    hold.switch(desk.meters(model="third"), desk.clock.now_ns())

    assert [desk.budget(name).spent for name in ("chat", "other", "third")] == [40, 40, 0]
    desk.settle(hold, 80 + 7)
    assert [desk.budget(name).spent for name in ("budget", "chat", "other", "third")] == [87, 40, 40, 7]


def test_the_next_model_needs_room_for_its_own_attempt_only() -> None:
    desk = desk_of_models(chat=1000, other=45)
    hold = desk.take(40)
    hold.extend(LOST, desk.clock.now_ns())

    hold.switch(desk.meters(model="other"), desk.clock.now_ns())

    with pytest.raises(BudgetExhausted):
        hold.extend(LOST, desk.clock.now_ns())
    desk.settle(hold, 40)
    assert [desk.budget(name).spent for name in ("budget", "other")] == [40, 0]


def test_a_threshold_that_a_loss_crosses_is_told_of_when_the_call_ends() -> None:
    desk = Desk(budget(100, id="chat", model="chat", alerts=("0.3",)))
    hold = desk.take(40)
    hold.extend(LOST, desk.clock.now_ns())
    hold.switch(desk.meters(model="other"), desk.clock.now_ns())

    assert [(alert.meter.rule.id, alert.share) for alert in desk.settle(hold, 40)] == [("chat", "0.3")]


def test_a_hold_that_is_given_back_leaves_each_model_its_loss() -> None:
    desk = desk_of_models(chat=1000, other=1000)
    hold = desk.take(40)
    hold.extend(LOST, desk.clock.now_ns())
    hold.switch(desk.meters(model="other"), desk.clock.now_ns())

    hold.expire()

    assert [desk.budget(name).used for name in ("budget", "chat", "other")] == [40, 40, 0]
