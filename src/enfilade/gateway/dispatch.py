"""Attempts: a deployment after the other, again after a while, all inside one admission."""

from random import Random  # noqa: TID251 - the type of what the caller passes in

from enfilade.core.clock import Clock
from enfilade.core.errors import BudgetReached, EnfiladeError, LimitReached
from enfilade.dialects.errors import NotTranslatable
from enfilade.dialects.translation.passage import Destination, Passage, Translator
from enfilade.gateway.admission import Admission
from enfilade.gateway.answers import Answer, begin
from enfilade.gateway.bounds import Candidate
from enfilade.gateway.errors import NoDeployment
from enfilade.providers.errors import (
    ConnectFailed,
    ConnectionBroken,
    ConnectTimeout,
    CredentialsRefused,
    ProviderError,
    ProviderFault,
    ProviderOverloaded,
    ProviderTimeout,
    QuotaExhausted,
    UnreadableResponse,
    UpstreamModelMissing,
)
from enfilade.providers.types import Outgoing
from enfilade.telemetry import names
from enfilade.telemetry.metrics import Metrics

ROUNDS = 3
MAX_ATTEMPTS = 6
BACKOFF_S = (0.25, 0.75)
MAX_WAIT_S = 10.0
"""A provider that asks for more patience than this is given up for this call; its caller is told how long."""

BROKEN = (
    ConnectFailed,
    ConnectTimeout,
    ConnectionBroken,
    CredentialsRefused,
    ProviderFault,
    ProviderOverloaded,
    ProviderTimeout,
    QuotaExhausted,
    UnreadableResponse,
    UpstreamModelMissing,
)
"""Faults that tell something about the deployment; a rate limit or a refused request does not."""


class Dispatcher:
    """Finds a deployment that answers. One per process."""

    def __init__(self, translator: Translator, clock: Clock, random: Random, metrics: Metrics) -> None:
        """Write questions by `translator`, wait by `clock`, with jitter from `random`."""
        self._translator = translator
        self._clock = clock
        self._random = random
        self._metrics = metrics

    def can_send(self, admission: Admission) -> bool:
        """Whether any candidate speaks a dialect in which the call can be put. Counts are admitted also when none does."""
        spoken = admission.call.dialect
        return any(self._translator.ways(spoken, candidate.target.dialects) for candidate in admission.candidates)

    async def send(self, admission: Admission) -> Answer:
        """Try the candidates in order, then again after a back-off, until one answers.

        Raises the last ProviderError, NoDeployment when none may be tried, or a limit's refusal when there is no
        room for another attempt. Nothing is retried once an answer has begun: its bytes may have reached the caller.
        """
        remaining = list(admission.candidates)
        failure: ProviderError | NotTranslatable | None = None
        for turn in range(ROUNDS):
            if failure is not None and not await self._wait(turn, failure):
                break
            result = await self._round(admission, remaining)
            if isinstance(result, Answer):
                return result
            failure = result or failure
            if not remaining or failure is None or admission.attempts >= MAX_ATTEMPTS:
                break
        raise failure or self._none_left(admission)

    async def _round(
        self, admission: Admission, remaining: list[Candidate]
    ) -> "Answer | ProviderError | NotTranslatable | None":
        """Try each candidate once. Those that need not be tried again leave `remaining`."""
        failure: ProviderError | NotTranslatable | None = None
        for candidate in list(remaining):
            if admission.attempts >= MAX_ATTEMPTS:
                break
            breaker = candidate.target.breaker
            if not breaker.allows():
                continue
            if not await self._counts(admission, candidate):
                remaining.remove(candidate)
                continue
            try:
                return await self._attempt(admission, candidate)
            except NotTranslatable as error:
                remaining.remove(candidate)
                failure = failure or error
            except ProviderError as error:
                if not error.may_fall_back:
                    raise
                if not error.may_retry:
                    remaining.remove(candidate)
                failure = error
                self._keep_lost(admission, candidate, error)
        return failure

    async def _attempt(self, admission: Admission, candidate: Candidate) -> Answer:
        call, target = admission.call, candidate.target
        try:
            passage = self._passage(admission, candidate)
            admission.attempts += 1
            admission.dropped = passage.dropped
            outgoing = Outgoing(
                call.id,
                passage.dialect,
                call.request,
                passage.body,
                target.upstream_model,
                () if passage.is_translated else call.headers,
                admission.attempts,
                call.request.stream,
            )
            # From here on the call may cost something, also if it is cancelled before an answer.
            admission.answered_by, admission.in_flight = candidate, outgoing
            answer = Answer(candidate, await target.provider.send(outgoing), passage)
            if call.request.stream:
                await begin(admission, answer)
        except ProviderError as error:
            self._judge(candidate, error)
            if not error.may_have_cost:
                admission.answered_by = None
            raise
        except BaseException:
            target.breaker.gave_up()
            raise
        target.breaker.succeeded()
        self._metrics.count(names.ATTEMPTS, target.label, "ok")
        return answer

    def _passage(self, admission: Admission, candidate: Candidate) -> Passage:
        """The question as it is sent. Raises NotTranslatable, WrongType."""
        call, target = admission.call, candidate.target
        return self._translator.open(
            call.asking(),
            Destination(
                target.upstream_model,
                target.dialects,
                target.provider.traits,
                target.lacks,
                admission.max_output(candidate),
                candidate.output_bound // call.request.choices or None,
            ),
        )

    def _judge(self, candidate: Candidate, error: ProviderError) -> None:
        breaker = candidate.target.breaker
        if isinstance(error, BROKEN):
            breaker.failed()
        else:
            breaker.gave_up()
        self._metrics.count(names.ATTEMPTS, candidate.target.label, error.code)

    def _keep_lost(self, admission: Admission, candidate: Candidate, error: ProviderError) -> None:
        """A lost attempt that may have been charged stays charged, and the next one needs room of its own."""
        if not error.may_have_cost or admission.answered_by is None:
            return
        try:
            admission.charge_lost_attempt(candidate)
        except (BudgetReached, LimitReached):
            raise error from None
        admission.answered_by = None

    async def _counts(self, admission: Admission, candidate: Candidate) -> bool:
        """Whether the limits of the model that would answer have room, when it is another than was asked for."""
        if candidate.target.model == admission.hold.model:
            return True
        try:
            await admission.switch_to(candidate.target)
        except (BudgetReached, LimitReached):
            candidate.target.breaker.gave_up()
            return False
        except BaseException:
            # The one trial of a half-open breaker must not stay claimed by a call that never makes it.
            candidate.target.breaker.gave_up()
            raise
        return True

    async def _wait(self, turn: int, failure: EnfiladeError) -> bool:
        """Back off before another round; False when the provider asks for too much patience."""
        delay = BACKOFF_S[min(turn, len(BACKOFF_S)) - 1] * (0.5 + self._random.random())
        if failure.retry_after is not None:
            if failure.retry_after > MAX_WAIT_S:
                return False
            delay = max(delay, failure.retry_after)
        await self._clock.sleep(delay)
        return True

    def _none_left(self, admission: Admission) -> NoDeployment:
        waits = [candidate.target.breaker.seconds_until_trial() for candidate in admission.candidates]
        message = "All deployments of the model have failed repeatedly and are left alone for a moment."
        return NoDeployment(message, retry_after=max(1.0, min(waits, default=1.0)))
