"""Whatever people do in whatever order, and however the clock moves: nobody approves their own, two of the reviewers of the
moment are needed, and access holds within its time only, never after it was revoked.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from enfilade.access.approvals import errors
from enfilade.access.approvals.types import Asked, Stage
from enfilade.core.clock import NANOSECONDS, ManualClock
from enfilade.core.errors import EnfiladeError
from tests.postgres.access import approving
from tests.postgres.access.approving import DAY, HOUR, Office, make_office
from tests.support.parts import open_parts
from tests.support.postgres import TestServer

PEOPLE = ("ana", "ben", "cleo", "dan")
NEEDS = 2
MODELS = ("chat", "other")


@dataclass
class Asking:
    """What should be known of a request."""

    id: str
    who: str
    model: str
    duration_s: int
    expires_ns: int
    state: str = "pending"
    decided: dict[str, bool] = field(default_factory=dict)


@dataclass
class Holding:
    """What should be known of a grant."""

    who: str
    model: str
    starts_ns: int
    ends_ns: int
    is_over: bool = False


class Everything:
    """One event loop and one database for all runs."""

    def __init__(self, server: TestServer) -> None:
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.clock = ManualClock()
        self.runs = 0
        self.parts = self.loop.run_until_complete(self._open(server))

    async def _open(self, server: TestServer) -> Any:
        address = await self.stack.enter_async_context(server.database())
        return await self.stack.enter_async_context(open_parts(address, self.clock, services=lambda _: ()))

    def close(self) -> None:
        self.loop.run_until_complete(self.stack.aclose())
        self.loop.close()


class ApprovalMachine(RuleBasedStateMachine):
    """Does to a tenant what it does to a naive model of it."""

    def __init__(self, everything: Everything) -> None:
        super().__init__()
        self.everything, self.clock, self.run = everything, everything.clock, everything.loop.run_until_complete
        everything.runs += 1
        self.office: Office = self.run(make_office(everything.parts, self.clock, f"acme-{everything.runs}"))
        given = approving.rule(Stage(("group:reviewers",), needs=NEEDS), expires_after_s=DAY)
        self.run(self.office.put_rule(given))
        self.group = {"ben", "cleo", "dan"}
        self.active = set(PEOPLE)
        self.requests: list[Asking] = []
        self.grants: dict[str, Holding] = {}

    @property
    def now_ns(self) -> int:
        return self.clock.now_ns()

    def state_of(self, asked: Asking) -> str:
        return "expired" if asked.state == "pending" and asked.expires_ns <= self.now_ns else asked.state

    def reviewers(self, who: str) -> set[str]:
        return (self.group & self.active) - {who}

    def attempt(self, action: Any, expected: type[EnfiladeError] | None) -> Any:
        if expected is None:
            return self.run(action)
        with pytest.raises(EnfiladeError) as refused:
            self.run(action)
        assert refused.type is expected
        return None

    @rule(who=st.sampled_from(PEOPLE), model=st.sampled_from(MODELS), hours=st.integers(1, 48))
    def ask(self, who: str, model: str, hours: int) -> None:
        same = [a for a in self.requests if (a.who, a.model, self.state_of(a)) == (who, model, "pending")]
        expected: type[EnfiladeError] | None = None
        if who not in self.active:
            expected = errors.NotAPerson
        elif same:
            expected = errors.RequestPending
        elif len(self.reviewers(who)) < NEEDS:
            expected = errors.NoReviewers
        made = self.attempt(self.office.ask(who, Asked("model", model=model), hours * HOUR), expected)
        if made is not None:
            expires_ns = self.now_ns + DAY * NANOSECONDS
            self.requests.append(Asking(made.id, who, model, hours * HOUR, expires_ns))

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), who=st.sampled_from(PEOPLE), approves=st.sampled_from([True, True, True, False]))
    def decide(self, data: Any, who: str, approves: bool) -> None:
        asked = data.draw(st.sampled_from(self.requests[-3:]))
        expected: type[EnfiladeError] | None = None
        if who not in self.active:
            expected = errors.NotAPerson
        elif who == asked.who:
            expected = errors.OwnRequest
        elif self.state_of(asked) != "pending" or asked.who not in self.active:
            expected = errors.RequestClosed
        elif who in asked.decided:
            expected = errors.AlreadyReviewed
        elif who not in self.reviewers(asked.who):
            expected = errors.NotReviewer
        if self.attempt(self.office.decide(who, asked.id, approves=approves), expected) is None:
            return
        asked.decided[who] = approves
        counted = {other for other, said in asked.decided.items() if said} & self.reviewers(asked.who)
        if not approves:
            asked.state = "refused"
        elif len(counted) >= NEEDS:
            asked.state = "approved"
            known = set(self.grants)
            (made,) = [grant for grant in self.run(self.office.grants()) if grant.id not in known]
            ends_ns = self.now_ns + asked.duration_s * NANOSECONDS
            self.grants[made.id] = Holding(asked.who, asked.model, self.now_ns, ends_ns)

    @precondition(lambda self: self.grants)
    @rule(data=st.data())
    def revoke(self, data: Any) -> None:
        identifier = data.draw(st.sampled_from(sorted(self.grants)))
        held = self.grants[identifier]
        over = held.is_over or held.ends_ns <= self.now_ns
        self.attempt(self.office.revoke(identifier), errors.GrantEnded if over else None)
        held.is_over = held.is_over or not over

    @rule(seconds=st.sampled_from([1, HOUR - 1, HOUR, DAY]))
    def advance(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-DAY, -HOUR, -1, HOUR]))
    def jump(self, seconds: int) -> None:
        self.clock.jump(seconds)

    @rule(members=st.sets(st.sampled_from(PEOPLE), min_size=1))
    def regroup(self, members: set[str]) -> None:
        self.run(self.office.put_group(*sorted(members)))
        self.group = members

    @rule(who=st.sampled_from(PEOPLE), is_active=st.booleans())
    def come_and_go(self, who: str, is_active: bool) -> None:
        self.run(self.office.put_user(who, active=is_active))
        (self.active.add if is_active else self.active.discard)(who)

    @rule()
    def tell(self) -> None:
        self.run(self.office.approvals.keeper.look())
        for asked in self.requests:
            asked.state = self.state_of(asked)
        for held in self.grants.values():
            held.is_over = held.is_over or held.ends_ns <= self.now_ns

    @invariant()
    def access_holds_within_its_time_and_never_after_it_was_revoked(self) -> None:
        self.run(self.office.refresh())
        for who in PEOPLE:
            for model in MODELS:
                expected = {
                    identifier
                    for identifier, held in self.grants.items()
                    if (held.who, held.model) == (who, model)
                    and not held.is_over
                    and held.starts_ns <= self.now_ns < held.ends_ns
                }
                assert self.office.active_now(who, model) == expected

    def teardown(self) -> None:
        stored = {request.id: request for request in self.run(self.office.requests())}
        for asked in self.requests:
            assert stored[asked.id].stored_state == asked.state
            assert self.office.ids[asked.who] not in {entry.reviewer for entry in stored[asked.id].decisions}
        assert {grant.request for grant in self.run(self.office.grants())} == {
            asked.id for asked in self.requests if asked.state == "approved"
        }


def test_nobody_approves_their_own_and_access_holds_within_its_time_only(server: TestServer) -> None:
    everything = Everything(server)
    try:
        run_state_machine_as_test(
            lambda: ApprovalMachine(everything),  # type: ignore[arg-type]  # hypothesis only calls it
            settings=settings(
                max_examples=10,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
    finally:
        everything.close()
