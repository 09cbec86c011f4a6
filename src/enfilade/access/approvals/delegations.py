"""Standing in for somebody: whoever is away names who decides in their place."""

from dataclasses import dataclass
from datetime import datetime

from enfilade.access.approvals import store
from enfilade.access.approvals.errors import InvalidAccessRequest, UnknownDelegation
from enfilade.access.approvals.people import Reviewers
from enfilade.access.approvals.rows import person_of
from enfilade.core.clock import Clock, to_datetime, to_ns, to_rfc3339
from enfilade.storage.unit_of_work import UnitOfWork

MAX_DAYS = 366
MAX_DELEGATES = 20


@dataclass(frozen=True, slots=True)
class Delegation:
    """Who stands in for whom, and when."""

    user: str
    delegate: str
    starts_at: datetime
    ends_at: datetime


class Delegations:
    """The use cases of delegations. Only people for themselves make them."""

    def __init__(self, clock: Clock, reviewers: Reviewers) -> None:
        """Find people with `reviewers`."""
        self._clock = clock
        self._reviewers = reviewers

    async def of(self, unit: UnitOfWork, user: str | None) -> list[Delegation]:
        """Those that somebody made. Raises NotAPerson."""
        person = await self._reviewers.require_person(unit, user)
        rows = await unit.fetch(store.LIST_DELEGATIONS, unit.tenant, person.id)
        return [
            Delegation(str(row["user_id"]), str(row["delegate_id"]), row["starts_at"], row["ends_at"]) for row in rows
        ]

    async def put(
        self, unit: UnitOfWork, user: str | None, email: str, starts_at: datetime | None, ends_at: datetime
    ) -> Delegation:
        """Let somebody decide in one's place for a time. Raises NotAPerson, InvalidAccessRequest."""
        row = await unit.fetch_row(store.FIND_PERSON_BY_EMAIL, unit.tenant, email.lower())
        if row is None or (delegate := person_of(row)).id == user:
            message = f"{email!r} is no other active user of this tenant"
            raise InvalidAccessRequest(message, param="delegate")
        person = await self._reviewers.require_person(unit, user)
        now = to_datetime(self._clock.now_ns())
        starts_at = max(starts_at or now, now)
        if not starts_at < ends_at or (ends_at - now).days > MAX_DAYS:
            message = f"a delegation ends after it starts, within {MAX_DAYS} days"
            raise InvalidAccessRequest(message, param="ends_at")
        present = await self.of(unit, person.id)
        if len(present) >= MAX_DELEGATES and delegate.id not in {entry.delegate for entry in present}:
            message = f"a person has at most {MAX_DELEGATES} delegates"
            raise InvalidAccessRequest(message, param="delegate")
        await unit.execute(store.PUT_DELEGATION, unit.tenant, person.id, delegate.id, starts_at, ends_at)
        unit.record(
            "ApprovalsDelegated",
            user=person.id,
            delegate=delegate.id,
            starts_at=to_rfc3339(to_ns(starts_at)),
            ends_at=to_rfc3339(to_ns(ends_at)),
        )
        return Delegation(person.id, delegate.id, starts_at, ends_at)

    async def end(self, unit: UnitOfWork, user: str | None, email: str) -> None:
        """Decide for oneself again. Raises UnknownDelegation."""
        row = await unit.fetch_row(store.FIND_PERSON_BY_EMAIL, unit.tenant, email.lower())
        delegate = None if row is None else str(row["id"])
        if delegate is None or not await unit.fetch_value(store.DELETE_DELEGATION, unit.tenant, user, delegate):
            message = f"You have no delegate {email!r}."
            raise UnknownDelegation(message)
        unit.record("ApprovalsDelegationEnded", user=user, delegate=delegate)
