"""Access at once, and the review afterwards."""

from enfilade.access.approvals import store
from enfilade.access.approvals.errors import (
    EmergencyNotAllowed,
    InvalidAccessRequest,
    NotReviewer,
    OwnRequest,
    ReviewClosed,
)
from enfilade.access.approvals.grants import Grants, unknown
from enfilade.access.approvals.people import Matter, Reviewers
from enfilade.access.approvals.rules import RuleBook
from enfilade.access.approvals.types import Grant, Request, Wish
from enfilade.access.approvals.wishes import WishReader, check_duration, check_text
from enfilade.core.clock import NANOSECONDS, Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.storage.unit_of_work import UnitOfWork

KINDS = ("model", "use_case", "role")
"""What a person can take for themselves."""


class Emergency:
    """The use cases of emergency access."""

    def __init__(self, ids: IdFactory, clock: Clock, reviewers: Reviewers, rules: RuleBook, grants: Grants) -> None:
        """Name new grants with `ids`."""
        self._ids = ids
        self._clock = clock
        self._reviewers = reviewers
        self._rules = rules
        self._grants = grants
        self._wishes = WishReader(reviewers)

    async def take(self, unit: UnitOfWork, taker: str | None, wish: Wish) -> Grant:
        """Take access at once, where the rule allows this person to.

        Raises NotAPerson, InvalidAccessRequest, EmergencyNotAllowed, DurationExceeded.
        """
        now_ns = self._clock.now_ns()
        person = await self._reviewers.require_person(unit, taker)
        if wish.asked.kind not in KINDS or wish.application is not None or wish.starts_ns is not None:
            message = f"in an emergency a person takes, for themselves and from now on, one of {', '.join(KINDS)}"
            raise InvalidAccessRequest(message, param="kind")
        wish = await self._wishes.checked(unit, wish, now_ns)
        rule = await self._rules.covering(unit, wish.asked, person)
        if person.id not in await self._reviewers.named(unit, rule.emergency, Matter(person)):
            message = f"By the rule {rule.name!r} you may not take this access."
            raise EmergencyNotAllowed(message)
        check_duration(wish.duration_s, rule.emergency_max_s, rule.name)
        request = Request(
            id=self._ids.new_id(),
            tenant=unit.tenant,
            requester=person.id,
            user=person.id,
            application=None,
            key=None,
            asked=wish.asked,
            reason=wish.reason,
            duration_s=wish.duration_s,
            starts_ns=None,
            rule=rule,
            stored_state="approved",
            created_ns=now_ns,
            expires_ns=now_ns,
            decided_ns=now_ns,
        )
        return await self._grants.begin_at_once(unit, request, now_ns, now_ns + rule.emergency_review_s * NANOSECONDS)

    async def review(
        self, unit: UnitOfWork, reviewer: str | None, identifier: str, *, justified: bool, note: str
    ) -> Grant:
        """Say afterwards whether it was right. What was not is revoked, if it still runs.

        Raises NotAPerson, UnknownGrant, OwnRequest, NotReviewer, ReviewClosed.
        """
        person = await self._reviewers.require_person(unit, reviewer)
        grant = await self._grants.get(unit, identifier)
        if not grant.emergency:
            raise unknown(identifier)
        if person.id == grant.user:
            message = "Nobody reviews what they took themselves."
            raise OwnRequest(message)
        now_ns = self._clock.now_ns()
        if (grant.user, person.id) in await self._reviewers.delegations(unit, now_ns):
            message = "Who stands in for somebody does not review what they took."
            raise NotReviewer(message)
        note = check_text(note, "note")
        values = (unit.tenant, grant.id, to_datetime(now_ns), person.id, justified, note)
        if not await unit.fetch_value(store.REVIEW_GRANT, *values):
            message = "Somebody has reviewed this already."
            raise ReviewClosed(message)
        unit.record("EmergencyAccessReviewed", id=grant.id, user=grant.user, reviewer=person.id, justified=justified)
        if not justified and grant.state_at(now_ns) == "active":
            await self._grants.revoke(unit, grant.id, note)
        return await self._grants.get(unit, identifier)
