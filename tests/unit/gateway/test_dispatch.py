"""Attempts: which deployment is tried, when it is tried again, and what each failure tells of it."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.costs.holds.types import BudgetRule, LimitRule, Measure, Subject
from enfilade.dialects.translation.passage import Translator
from enfilade.gateway.admission import Admission, admit
from enfilade.gateway.answers import Answer
from enfilade.gateway.breaker import FAILURES_TO_OPEN, OPEN_S
from enfilade.gateway.dispatch import MAX_ATTEMPTS, MAX_WAIT_S, Dispatcher
from enfilade.gateway.errors import NoDeployment
from enfilade.gateway.types import Target
from enfilade.providers.errors import (
    ConnectFailed,
    ConnectionBroken,
    CredentialsRefused,
    ProviderError,
    ProviderFault,
    ProviderRateLimited,
    ProviderTimeout,
    RequestRefused,
)
from enfilade.telemetry.metrics import Metrics
from tests.unit.gateway.parts import DIALECTS, Provider, call, desk_of, target

FAULT = ProviderFault("The provider failed inside.")


class Stage:
    """A dispatcher and what it works with."""

    def __init__(self, *rules: BudgetRule | LimitRule) -> None:
        self.clock = ManualClock()
        self.metrics = Metrics()
        self.dispatcher = Dispatcher(Translator(DIALECTS), self.clock, Random(1), self.metrics)
        self.desk, self.writer, self.book = desk_of(self.clock, *rules)
        self.slept = 0.0

    def deployment(self, *outcomes: BaseException | None, **more: Any) -> tuple[Target, Provider]:
        """A deployment whose provider plays these outcomes."""
        provider = Provider(more.pop("name", "sim"), *outcomes)
        made = target(provider, **more)
        made.breaker._clock = self.clock
        return made, provider

    def half_open(self, *outcomes: BaseException | None) -> Target:
        """A deployment whose next call is the trial."""
        made, _ = self.deployment(*outcomes)
        for _ in range(FAILURES_TO_OPEN):
            made.breaker.failed()
        self.clock.advance(OPEN_S)
        return made

    async def send(self, *targets: Target) -> tuple[Answer | BaseException, Admission]:
        """Make a call; sleepers are woken at once."""
        admission = await admit(self.desk, call(), targets)
        return await self.awake(self.dispatcher.send(admission)), admission

    async def awake(self, work: Coroutine[Any, Any, Answer]) -> Answer | BaseException:
        """The outcome of some work, moving the clock whenever it sleeps."""
        task = asyncio.create_task(work)
        while not task.done():
            await asyncio.sleep(0)
            if (wait := self.clock.next_wake()) is not None:
                self.slept += wait
                self.clock.advance(wait)
        error = task.exception()
        return error if error is not None else task.result()


async def test_the_first_deployment_that_works_answers() -> None:
    stage = Stage()
    (broken, first), (working, second) = stage.deployment(FAULT, name="a"), stage.deployment(name="b")

    answer, admission = await stage.send(broken, working)

    assert isinstance(answer, Answer)
    assert answer.candidate.target is working
    assert admission.answered_by is answer.candidate
    assert (len(first.sent), len(second.sent), admission.attempts, stage.slept) == (1, 1, 2, 0)


async def test_what_may_pass_is_tried_again_after_a_while() -> None:
    stage = Stage()
    deployment, provider = stage.deployment(FAULT, FAULT, None)

    answer, admission = await stage.send(deployment)

    assert isinstance(answer, Answer)
    assert admission.attempts == 3
    assert [outgoing.attempt for outgoing in provider.sent] == [1, 2, 3]
    assert 0.5 <= stage.slept <= 1.5


async def test_it_gives_up_after_three_rounds_with_the_last_failure() -> None:
    stage = Stage()
    deployment, provider = stage.deployment(FAULT)

    failure, _ = await stage.send(deployment)

    assert failure is FAULT
    assert len(provider.sent) == 3


async def test_it_never_makes_more_attempts_than_its_bound() -> None:
    stage = Stage()
    deployments = [stage.deployment(FAULT, name=f"p{number}")[0] for number in range(4)]

    _, admission = await stage.send(*deployments)

    assert admission.attempts == MAX_ATTEMPTS


async def test_a_providers_retry_after_is_respected() -> None:
    stage = Stage()
    deployment, _ = stage.deployment(ProviderRateLimited("slowly", retry_after=7.5), None)

    answer, _ = await stage.send(deployment)

    assert isinstance(answer, Answer)
    assert stage.slept == 7.5


async def test_a_provider_that_asks_for_too_much_patience_is_given_up() -> None:
    stage = Stage()
    deployment, provider = stage.deployment(ProviderRateLimited("slowly", retry_after=MAX_WAIT_S + 1), None)

    failure, _ = await stage.send(deployment)

    assert isinstance(failure, ProviderRateLimited)
    assert (failure.retry_after, len(provider.sent), stage.slept) == (MAX_WAIT_S + 1, 1, 0)


async def test_a_fault_of_the_request_is_told_at_once() -> None:
    stage = Stage()
    (refusing, _), (other, untried) = stage.deployment(RequestRefused("no"), name="a"), stage.deployment(name="b")

    failure, _ = await stage.send(refusing, other)

    assert isinstance(failure, RequestRefused)
    assert untried.sent == []


async def test_what_cannot_pass_is_not_tried_again() -> None:
    stage = Stage()
    deployment, provider = stage.deployment(CredentialsRefused("no"))

    failure, _ = await stage.send(deployment)

    assert isinstance(failure, CredentialsRefused)
    assert len(provider.sent) == 1


async def test_a_deployment_that_keeps_failing_is_left_alone_and_tried_again_later() -> None:
    stage = Stage()
    deployment, provider = stage.deployment(*([FAULT] * FAILURES_TO_OPEN), None)
    for _ in range(2):
        await stage.send(deployment)
    assert deployment.breaker.state == "open"
    tried = len(provider.sent)

    refusal, _ = await stage.send(deployment)

    assert isinstance(refusal, NoDeployment)
    assert refusal.retry_after == deployment.breaker.seconds_until_trial()
    assert len(provider.sent) == tried
    stage.clock.advance(OPEN_S)
    answer, _ = await stage.send(deployment)
    assert isinstance(answer, Answer)
    assert deployment.breaker.state == "closed"


@pytest.mark.parametrize("error", [ProviderRateLimited("slowly", retry_after=60), RequestRefused("no")])
async def test_a_rate_limit_or_a_refused_request_says_nothing_about_the_deployment(error: ProviderError) -> None:
    stage = Stage()
    deployment, _ = stage.deployment(error)
    for _ in range(3 * FAILURES_TO_OPEN):
        await stage.send(deployment)

    assert deployment.breaker.state == "closed"


# The one trial of a half-open breaker must not stay claimed by a call that tells nothing.


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyError("bug")])
async def test_a_trial_that_ends_without_a_verdict_lets_the_next_call_try(error: BaseException) -> None:
    stage = Stage()
    deployment = stage.half_open(error, None)
    admission = await admit(stage.desk, call(), [deployment])
    with pytest.raises(type(error)):
        await stage.dispatcher.send(admission)

    answer, _ = await stage.send(deployment)

    assert isinstance(answer, Answer)


async def test_a_trial_that_is_cancelled_before_its_attempt_lets_the_next_call_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    first, _ = stage.deployment(CredentialsRefused("no"), name="first")
    fallback = stage.half_open(None)
    fallback.model = "other"
    admission = await admit(stage.desk, call(), [first, fallback])

    async def cancelled(_: object, __: Target) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(Admission, "switch_to", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await stage.dispatcher.send(admission)

    assert fallback.breaker.allows()


async def test_a_trial_without_room_in_its_models_limits_lets_the_next_call_try() -> None:
    stage = Stage(LimitRule("l", "acme", Subject("tenant"), "other", Measure.REQUESTS, 0, "minute"))
    first, _ = stage.deployment(CredentialsRefused("no"), name="first")
    fallback = stage.half_open(None)
    fallback.model = "other"

    await stage.send(first, fallback)

    assert fallback.breaker.allows()


async def test_a_request_that_cannot_be_written_for_the_provider_does_not_keep_its_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    deployment = stage.half_open(None)
    admission = await admit(stage.desk, call(), [deployment])

    def broken(*_: object, **__: object) -> bytes:
        raise KeyError

    monkeypatch.setattr(type(admission.call.dialect), "render_request", broken)
    with pytest.raises(KeyError):
        await stage.dispatcher.send(admission)

    assert deployment.breaker.allows()


# Money.


async def test_an_attempt_that_cost_nothing_is_not_charged() -> None:
    stage = Stage()
    deployment, _ = stage.deployment(ConnectFailed("refused"))

    _, admission = await stage.send(deployment)

    assert (admission.answered_by, admission.lost_nano) == (None, 0)


async def test_an_attempt_that_may_have_cost_something_is_charged_before_the_next() -> None:
    stage = Stage()
    (lost, _), (working, _) = stage.deployment(ProviderTimeout("late"), name="a"), stage.deployment(name="b")

    answer, admission = await stage.send(lost, working)

    assert isinstance(answer, Answer)
    assert admission.lost_nano == admission.candidates[0].worst
    assert admission.hold.nano == 2 * admission.candidates[0].worst


async def test_without_money_for_another_attempt_the_failure_is_told() -> None:
    worst = call().request.size * 1000 + 100 * 2000
    stage = Stage(BudgetRule("b", "acme", Subject("tenant"), None, "day", worst * 2 - 1))
    (lost, _), (other, untried) = stage.deployment(ConnectionBroken("gone"), name="a"), stage.deployment(name="b")

    failure, admission = await stage.send(lost, other)

    assert isinstance(failure, ConnectionBroken)
    assert untried.sent == []
    assert admission.answered_by is admission.candidates[0]


async def test_a_fallback_whose_own_limit_is_reached_is_passed_over() -> None:
    stage = Stage(LimitRule("l", "acme", Subject("tenant"), "other", Measure.REQUESTS, 0, "minute"))
    (broken, _), (full, untried) = stage.deployment(CredentialsRefused("no")), stage.deployment(model="other")
    third, answering = stage.deployment(model="third")

    answer, admission = await stage.send(broken, full, third)

    assert isinstance(answer, Answer)
    assert (len(untried.sent), len(answering.sent), admission.hold.model) == (0, 1, "third")


async def test_every_attempt_is_counted_by_its_outcome() -> None:
    stage = Stage()
    deployment, _ = stage.deployment(FAULT, None, name="p")

    await stage.send(deployment)

    text = stage.metrics.render().decode()
    assert 'enfilade_upstream_attempts_total{deployment="p/echo",outcome="provider_fault"} 1.0' in text
    assert 'enfilade_upstream_attempts_total{deployment="p/echo",outcome="ok"} 1.0' in text
