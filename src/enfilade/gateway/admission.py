"""Admission and settlement: the two ends of a call.

An admission is entered before anything goes upstream and left when the call has ended, however it ended. On leaving,
what the call used is posted exactly once. Queueing the record needs no await, so no cancellation can come in between.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import structlog

from enfilade.core.clock import Clock, to_rfc3339
from enfilade.core.errors import EnfiladeError
from enfilade.costs.errors import BudgetExhausted, TokenLimitReached
from enfilade.costs.holds.hold import Demand, Hold, MeterSet
from enfilade.costs.ledger.postings import OVERRUN
from enfilade.costs.service import Costs
from enfilade.dialects.types import StreamFacts
from enfilade.gateway.bounds import Candidate, candidates_for, cut_to, demand_of, tight_input
from enfilade.gateway.observer import CallObserver
from enfilade.gateway.outcomes import Outcome, failed, refused
from enfilade.gateway.records import (
    REFUSED,
    CallData,
    Circumstances,
    Intent,
    LostAttempt,
    access_note,
    call_data,
    encode_event,
    encode_intent,
    lost_attempt,
)
from enfilade.gateway.types import Call, Target
from enfilade.providers.types import Outgoing
from enfilade.storage.writers import Writers

US = 1_000_000

log = structlog.get_logger("enfilade.gateway.admission")


@dataclass(slots=True)
class Desk:
    """What admissions work with; one per process."""

    costs: Costs
    writers: Writers
    clock: Clock
    observer: CallObserver
    replica: str


class Admission:
    """One admitted call. `async with` it; see the module."""

    __slots__ = (
        "_desk",
        "_meters",
        "answered_by",
        "attempts",
        "cached",
        "call",
        "candidates",
        "cost_nano",
        "dropped",
        "first_byte",
        "hold",
        "in_flight",
        "is_settled",
        "lost",
        "lost_nano",
        "lost_tokens",
        "repeats",
        "stream_facts",
    )

    def __init__(self, desk: Desk, call: Call, candidates: Sequence[Candidate], meters: MeterSet) -> None:
        """Use `admit` instead: it takes the hold."""
        self._desk = desk
        self._meters = meters
        self.call = call
        self.candidates = candidates
        self.hold = Hold(call.id, call.scope, candidates[0].target.model, call.started_ns, 0, 0)
        self.attempts = 0
        self.answered_by: Candidate | None = None
        """The deployment whose answer is being passed on, or that may have begun one."""
        self.in_flight: Outgoing | None = None
        """The attempt that was made there."""
        self.cached = False
        self.dropped: tuple[str, ...] = ()
        """The caller's fields that the latest attempt left out."""
        self.first_byte: float | None = None
        self.repeats = False
        """Whether this very question was asked before, and a reply cache could have answered it."""
        self.lost: list[LostAttempt] | None = None
        self.lost_nano = 0
        """What attempts that may have cost something, and answered nothing, are charged."""
        self.lost_tokens = 0
        self.stream_facts: StreamFacts | None = None
        self.cost_nano = 0
        self.is_settled = False

    @property
    def meters(self) -> MeterSet:
        """The meters in which the hold counts."""
        return self._meters

    async def __aenter__(self) -> "Admission":
        """Note the intent, from which a crash is settled."""
        call = self.call
        self._desk.writers.of(call.scope.tenant).intend(call.id, self._intent)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Post what the call used, unless that was done, and wait for it to be written."""
        if not self.is_settled:
            charged = self.answered_by if self.in_flight is not None and self.in_flight.sent else None
            await self.settle(self._ending(charged, error))

    def _ending(self, charged: Candidate | None, error: BaseException | None) -> Outcome:
        try:
            return failed(self.call, charged, self.stream_facts, error)
        except Exception:
            # What came cannot be told. The hold must end and the record be written all the same: at the worst case.
            log.exception("usage_not_told", call_id=self.call.id)
            return failed(self.call, charged, None, error)

    def max_output(self, candidate: Candidate) -> int | None:
        """The output bound to send to the provider, where one must be sent."""
        return candidate.output_bound // self.call.request.choices if candidate.sets_output else None

    def max_events(self, candidate: Candidate) -> float:
        """How many events of output a stream may have before a budget cuts it. An event is at least one token, so
        no provider that keeps to its bound is ever cut.
        """
        if not self.hold.is_cut:
            return float("inf")
        return (self.max_output(candidate) or 1) * self.call.request.choices

    def charge_lost_attempt(self, candidate: Candidate) -> None:
        """An attempt may have cost something although nothing came back: keep its worst case, and hold another.

        Raises the refusals of `Hold.extend` when there is no room for a further attempt.
        """
        demand = Demand(candidate.input_bound + candidate.output_bound, candidate.worst, candidate.worst)
        self.hold.extend(demand, self._desk.clock.now_ns())
        lost = lost_attempt(self.attempts, candidate.target, candidate.worst_posting(), demand.tokens)
        self.lost = [*(self.lost or ()), lost]
        self.lost_nano += lost.cost_nano
        self.lost_tokens += lost.tokens

    async def switch_to(self, target: Target) -> None:
        """Count the call for the limits of another model, to which it falls back. Raises their refusals."""
        meters = await self._desk.costs.meters_for(self.call.scope, target.model)
        self.hold.switch(meters, self._desk.clock.now_ns())
        self._meters = meters
        self.hold.model = target.model

    def settle(self, outcome: Outcome) -> "asyncio.Future[None]":
        """Post what became of the call; the returned future is done when that is committed. Once per call."""
        assert not self.is_settled, "a call is settled once"
        self.is_settled = True
        desk, hold = self._desk, self.hold
        self.cost_nano = outcome.nano + self.lost_nano
        overrun = max(0, self.cost_nano - hold.nano)
        flags = (*outcome.flags, OVERRUN) if overrun else outcome.flags
        alerts = desk.costs.settle(hold, outcome.usage.total_tokens + self.lost_tokens, self.cost_nano)
        if flags:
            alerts += desk.costs.odd_events(self.call.scope, self.call.id, hold.model, flags, overrun)
        data = self._data(outcome, overrun, flags)
        body = encode_event(self.call, data, desk.clock.now_ns())
        desk.observer.ended(self.call, data, body)
        return desk.writers.of(self.call.scope.tenant).settle(self.call.id, body, alerts)

    def _data(self, outcome: Outcome, overrun: int, flags: tuple[str, ...]) -> CallData:
        call, candidate = self.call, self.answered_by
        around = Circumstances(
            round((self._desk.clock.monotonic() - call.started) * US),
            self.attempts,
            self.cached,
            self.cost_nano,
            overrun,
            outcome.estimated or self.lost_nano > 0,
            None if self.first_byte is None else round((self.first_byte - call.started) * US),
            self.hold.model,
            dropped=list(self.dropped) or None,
            flags=flags,
            lost=self.lost,
            lost_nano=self.lost_nano,
            could_save_nano=outcome.nano if self.repeats and not self.cached else 0,
        )
        if candidate is not None:
            target = candidate.target
            around.deployment, around.provider, around.region = target.label, target.provider.spec.name, target.region
        return call_data(call, outcome, around)

    def _intent(self) -> str:
        """What a crash would post: the worst case of what may be running."""
        call, scope = self.call, self.call.scope
        # Whichever deployment comes to answer, none costs more.
        candidate = max(self.candidates, key=lambda candidate: candidate.worst)
        charge = candidate.worst_posting().charge
        return encode_intent(
            Intent(
                actor=scope.actor,
                cost_nano=charge.nano + self.lost_nano,
                dialect=call.dialect.name,
                id=call.id,
                input_tokens=candidate.input_bound,
                model=self.hold.model,
                output_tokens=candidate.output_bound,
                replica=self._desk.replica,
                started_at=to_rfc3339(call.started_ns),
                stream=call.request.stream,
                tenant=scope.tenant,
                application=scope.application,
                attempts=self.attempts,
                department=scope.department,
                deployment=candidate.target.label,
                key=scope.key,
                price=candidate.sheet.label,
                requested_model=call.request.model,
                use_case=call.hints.use_case,
                user=scope.user,
                metadata=call.hints.metadata,
                access=access_note(call, candidate.target.label),
                kinds=charge.kinds,
                quantities=charge.quantities,
                rates=charge.rates,
                amounts=charge.amounts,
                lost=self.lost,
                lost_nano=self.lost_nano,
            )
        )


async def admit(desk: Desk, call: Call, targets: Sequence[Target]) -> Admission:
    """Take one hold for the call's worst case over all deployments that may answer it.

    The worst case is first bounded by the body's size, which costs nothing; only when that does not fit is the text
    counted. Raises the refusals of `holds.take`, UnpricedModel, TokensPerRequestExceeded, DatabaseUnavailable.
    """
    costs = desk.costs
    while True:
        # What the call costs belongs to the windows, and goes by the prices, of the moment after which nothing waits.
        call.started_ns = desk.clock.now_ns()
        candidates = candidates_for(call, targets)
        model = candidates[0].target.model
        meters = costs.book.meters_for(call.scope, model)
        if not meters.unseeded:
            break
        await costs.meters_for(call.scope, model)
    admission = Admission(desk, call, candidates, meters)
    try:
        costs.hold(admission.hold, meters, demand_of(candidates), may_cut=False)
    except (BudgetExhausted, TokenLimitReached):
        candidates = candidates_for(call, targets, tight_input(call, targets))
        admission = Admission(desk, call, candidates, meters)
        costs.hold(admission.hold, meters, demand_of(candidates), may_cut=True)
    if admission.hold.is_cut:
        admission.candidates = [cut_to(entry, admission.hold.nano, call.request.choices) for entry in candidates]
    return admission


def record_refusal(desk: Desk, call: Call, error: EnfiladeError) -> "asyncio.Future[None]":
    """Record a call that was not admitted; the caller's answer waits for the returned future."""
    alerts = desk.costs.refusal_events(error) if isinstance(error, BudgetExhausted) else []
    latency_us = round((desk.clock.monotonic() - call.started) * US)
    data = call_data(call, refused(call, error), Circumstances(latency_us, model=call.request.model))
    body = encode_event(call, data, desk.clock.now_ns(), REFUSED)
    desk.observer.ended(call, data, body)
    return desk.writers.of(call.scope.tenant).settle(call.id, body, alerts)
