"""Asking for access, and deciding about it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from enfilade.access.approvals import store
from enfilade.access.approvals.errors import (
    NotReviewer,
    OwnRequest,
    RequestClosed,
    RequestPending,
    UnknownApprovalRequest,
)
from enfilade.access.approvals.grants import Grants
from enfilade.access.approvals.people import Matter, Reviewers
from enfilade.access.approvals.rows import moment_of, request_of, rule_text, text_of
from enfilade.access.approvals.rules import RuleBook
from enfilade.access.approvals.standing import require_reviewers, seat_of, standing_of
from enfilade.access.approvals.types import Person, Request, RequestState, Standing, Wish
from enfilade.access.approvals.wishes import WishReader, check_duration, check_text, described
from enfilade.core.clock import NANOSECONDS, Clock, to_datetime, to_rfc3339
from enfilade.core.ids import IdFactory
from enfilade.identity.rows import START
from enfilade.storage.rounds import ask_cells
from enfilade.storage.unit_of_work import UnitOfWork

MAX_COMMENTS = 100
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """Which requests to list."""

    tenant: str | None
    requester: str | None = None
    state: str | None = None


class Requests:
    """The use cases of requests. Changes to a tenant are made one after the other, so what is read here still holds
    when it is written.
    """

    def __init__(self, ids: IdFactory, clock: Clock, reviewers: Reviewers, rules: RuleBook, grants: Grants) -> None:
        """Name new requests with `ids`."""
        self._ids = ids
        self._clock = clock
        self._reviewers = reviewers
        self._rules = rules
        self._grants = grants
        self._wishes = WishReader(reviewers)

    async def page(self, unit: UnitOfWork, query: RequestQuery, after: str | None, limit: int) -> list[Request]:
        """Requests in the order of their making; for the platform, of tenants wherever they live."""
        now = to_datetime(self._clock.now_ns())
        values = (after or START, limit, query.tenant, query.requester, query.state, now)

        async def ask() -> list[Request]:
            return await self._whole(unit, await unit.fetch(store.LIST_REQUESTS, *values))

        cells = await ask_cells(unit, query.tenant, ask)
        # While a tenant moves, it may be in two cells.
        found = {request.id: request for requests in cells for request in requests}
        return [found[identifier] for identifier in sorted(found)][:limit]

    async def get(self, unit: UnitOfWork, identifier: str) -> Request:
        """A request. Raises UnknownApprovalRequest."""
        row = await unit.fetch_row(store.FIND_REQUEST, unit.tenant, identifier)
        if row is None:
            raise unknown(identifier)
        (request,) = await self._whole(unit, [row])
        return request

    async def ask(self, unit: UnitOfWork, requester: str | None, wish: Wish) -> Request:
        """Ask for access.

        Raises NotAPerson, InvalidAccessRequest, DurationExceeded, RequestPending, NoReviewers.
        """
        now_ns = self._clock.now_ns()
        person = await self._reviewers.require_person(unit, requester)
        wish = await self._wishes.checked(unit, wish, now_ns)
        rule = await self._rules.covering(unit, wish.asked, person)
        check_duration(wish.duration_s, rule.max_duration_s, rule.name)
        asked = text_of(wish.asked)
        same = await unit.fetch_value(
            store.SAME_PENDING, unit.tenant, person.id, to_datetime(now_ns), asked, wish.application, wish.key
        )
        if same is not None:
            message = "You have asked for the same already, and nobody has decided yet."
            raise RequestPending(message, details={"request": str(same)})
        user = await self._wishes.holder(unit, wish, person)
        identifier = self._ids.new_id()
        expires_ns = now_ns + rule.expires_after_s * NANOSECONDS
        await unit.execute(
            store.INSERT_REQUEST,
            *(unit.tenant, identifier, person.id, user, wish.application, wish.key, asked, wish.reason),
            *(wish.duration_s, moment_of(wish.starts_ns), rule_text(rule)),
            *(to_datetime(now_ns), to_datetime(expires_ns)),
        )
        request = await self.get(unit, identifier)
        stages = await self._stages(unit, request, person)
        require_reviewers(rule, stages)
        unit.record(
            "AccessRequested",
            **_named(request),
            rule=rule.name,
            duration_s=wish.duration_s,
            expires_at=to_rfc3339(expires_ns),
            reviewers=sorted(stages[0]),
        )
        return request

    async def is_party(self, unit: UnitOfWork, person: str, request: Request) -> bool:
        """Whether somebody asked, decided, or may decide in one of the stages: they may see the request."""
        if person in request.concerned or any(entry.reviewer == person for entry in request.decisions):
            return True
        stages = await self._stages(unit, request, await self._reviewers.person(unit, request.requester))
        seats = frozenset[str]().union(*stages)
        delegations = await self._reviewers.delegations(unit, self._clock.now_ns())
        return person in seats or any(delegate == person and seat in seats for seat, delegate in delegations)

    async def page_of_party(
        self, unit: UnitOfWork, person: str, query: RequestQuery, after: str | None, limit: int
    ) -> list[Request]:
        """Like `page`, but only what somebody may see who sees no more than their own."""

        async def concerns(request: Request) -> bool:
            return await self.is_party(unit, person, request)

        return await self._page_where(unit, concerns, query, after, limit)

    async def page_awaiting(
        self, unit: UnitOfWork, person: str, query: RequestQuery, after: str | None, limit: int
    ) -> list[Request]:
        """Like `page`, but only what somebody can decide about now, for themselves or in another's place."""

        async def awaits(request: Request) -> bool:
            if person in request.concerned or any(entry.reviewer == person for entry in request.decisions):
                return False
            standing = await self.standing(unit, request)
            delegations = await self._reviewers.delegations(unit, self._clock.now_ns())
            return not standing.reviewers.isdisjoint({person, *(seat for seat, who in delegations if who == person)})

        return await self._page_where(unit, awaits, query, after, limit)

    async def _page_where(
        self,
        unit: UnitOfWork,
        is_wanted: Callable[[Request], Awaitable[bool]],
        query: RequestQuery,
        after: str | None,
        limit: int,
    ) -> list[Request]:
        found: list[Request] = []
        while len(found) < limit and (requests := await self.page(unit, query, after, MOST_AT_ONCE)):
            found += [request for request in requests if await is_wanted(request)]
            after = requests[-1].id
        return found[:limit]

    async def standing(self, unit: UnitOfWork, request: Request) -> Standing:
        """How far a request has come, by who has the right to decide at this moment."""
        person = await self._reviewers.person(unit, request.requester)
        stages = await self._stages(unit, request, person)
        delegations = await self._reviewers.delegations(unit, self._clock.now_ns())
        return standing_of(request, stages, delegations)

    async def decide(
        self, unit: UnitOfWork, reviewer: str | None, identifier: str, *, approves: bool, comment: str = ""
    ) -> Request:
        """Approve or refuse. One refusal ends the request; enough approvals in the last stage make the grant.

        Raises NotAPerson, UnknownApprovalRequest, OwnRequest, NotReviewer, AlreadyReviewed, RequestClosed.
        """
        person = await self._reviewers.require_person(unit, reviewer)
        request = await self.get(unit, identifier)
        now_ns = self._clock.now_ns()
        if person.id in request.concerned:
            message = "Nobody decides about what they asked for, or would have, themselves."
            raise OwnRequest(message)
        asker = await self._require_open(unit, request, now_ns)
        stages = await self._stages(unit, request, asker)
        delegations = await self._reviewers.delegations(unit, now_ns)
        standing = standing_of(request, stages, delegations)
        # Of a request whose stages are all done nothing is left open, so there is always one here.
        stage = standing.stage if standing.stage is not None else len(stages) - 1
        seat = seat_of(person.id, request, stages[stage], delegations)
        await unit.execute(
            store.INSERT_DECISION,
            *(unit.tenant, request.id, person.id, seat, stage, approves, check_text(comment, "comment", least=0)),
            to_datetime(now_ns),
        )
        unit.record(
            "AccessRequestApproved" if approves else "AccessRequestRefused",
            **_named(request),
            reviewer=person.id,
            instead_of=None if seat == person.id else seat,
            stage=stage,
        )
        if not approves:
            await self._close(unit, request, "refused", now_ns)
        elif standing_of(await self.get(unit, request.id), stages, delegations).stage is None:
            await self._close(unit, request, "approved", now_ns)
            await self._grants.begin(unit, request, now_ns)
        return await self.get(unit, request.id)

    async def withdraw(self, unit: UnitOfWork, requester: str | None, identifier: str) -> Request:
        """Take a request back. Raises NotAPerson, UnknownApprovalRequest, RequestClosed."""
        person = await self._reviewers.require_person(unit, requester)
        request = await self.get(unit, identifier)
        if request.requester != person.id:
            message = "A request is withdrawn by whoever made it; reviewers refuse it."
            raise NotReviewer(message)
        now_ns = self._clock.now_ns()
        await self._require_open(unit, request, now_ns)
        await self._close(unit, request, "withdrawn", now_ns)
        unit.record("AccessRequestWithdrawn", **_named(request))
        return await self.get(unit, identifier)

    async def comment(self, unit: UnitOfWork, author: str | None, identifier: str, text: str) -> Request:
        """Note something. Whoever calls has seen to it that the author may see the request."""
        person = await self._reviewers.require_person(unit, author)
        request = await self.get(unit, identifier)
        if len(request.comments) >= MAX_COMMENTS:
            message = f"A request has at most {MAX_COMMENTS} comments."
            raise RequestClosed(message)
        text = check_text(text, "comment")
        now = to_datetime(self._clock.now_ns())
        comment = self._ids.new_id()
        await unit.execute(store.INSERT_COMMENT, unit.tenant, request.id, comment, person.id, text, now)
        unit.record("AccessRequestCommented", **_named(request), comment=comment, author=person.id)
        return await self.get(unit, identifier)

    async def _require_open(self, unit: UnitOfWork, request: Request, now_ns: int) -> Person:
        state = request.state_at(now_ns)
        if state != "pending":
            message = f"The request is {state} already."
            raise RequestClosed(message, details={"state": state})
        asker = await self._reviewers.person(unit, request.requester)
        if asker is None:
            message = "Whoever asked for this is no active user of the tenant any more."
            raise RequestClosed(message)
        return asker

    async def _stages(self, unit: UnitOfWork, request: Request, person: Person | None) -> list[frozenset[str]]:
        """Who may decide in each stage, at this moment."""
        asked = request.asked
        matter = Matter(person, asked.use_case, request.application or asked.application, asked.department)
        return [await self._reviewers.of_stage(unit, stage, matter, request.concerned) for stage in request.rule.stages]

    async def _close(self, unit: UnitOfWork, request: Request, state: RequestState, now_ns: int) -> None:
        if not await unit.fetch_value(store.CLOSE_REQUEST, unit.tenant, request.id, state, to_datetime(now_ns)):
            message = "The request was decided meanwhile."
            raise RequestClosed(message)

    async def _whole(self, unit: UnitOfWork, rows: Sequence[Any]) -> list[Request]:
        if not rows:
            return []
        which = ([row["tenant_id"] for row in rows], [row["id"] for row in rows])
        decisions = await unit.fetch(store.DECISIONS, *which)
        comments = await unit.fetch(store.COMMENTS, *which)
        return [
            request_of(
                row,
                [entry for entry in decisions if entry["request_id"] == row["id"]],
                [entry for entry in comments if entry["request_id"] == row["id"]],
            )
            for row in rows
        ]


def unknown(identifier: str) -> UnknownApprovalRequest:
    """The same for a request that is not there and for one that is not theirs to see."""
    message = f"There is no approval request {identifier!r} that you may see."
    return UnknownApprovalRequest(message)


def _named(request: Request) -> dict[str, Any]:
    """What events say of a request: ids and what it is about, no texts of people."""
    return {"id": request.id, "requester": request.requester} | described(
        request.asked, request.user, request.application, request.key
    )
