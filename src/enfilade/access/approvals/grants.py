"""Access for a time: it begins, ends by the clock, and can be revoked before."""

from dataclasses import dataclass

from enfilade.access.approvals import store
from enfilade.access.approvals.errors import GrantEnded, UnknownGrant
from enfilade.access.approvals.rows import grant_of, text_of
from enfilade.access.approvals.types import Grant, Request
from enfilade.access.approvals.wishes import check_text, described
from enfilade.core.clock import NANOSECONDS, Clock, to_datetime, to_rfc3339
from enfilade.core.ids import IdFactory
from enfilade.identity.rows import START
from enfilade.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class GrantQuery:
    """Which grants to list."""

    tenant: str | None
    user: str | None = None
    state: str | None = None
    emergency: bool | None = None
    unreviewed: bool | None = None


class Grants:
    """The use cases of grants."""

    def __init__(self, ids: IdFactory, clock: Clock) -> None:
        """Name new grants with `ids`."""
        self._ids = ids
        self._clock = clock

    async def page(self, unit: UnitOfWork, query: GrantQuery, after: str | None, limit: int) -> list[Grant]:
        """Grants in the order of their making; for the platform, of tenants wherever they live."""
        now = to_datetime(self._clock.now_ns())
        which = (query.user, query.emergency, query.state, now, query.unreviewed)
        rows = await unit.fetch_listed(store.LIST_GRANTS, after or START, limit, query.tenant, *which)
        return [grant_of(row) for row in rows]

    async def get(self, unit: UnitOfWork, identifier: str) -> Grant:
        """A grant. Raises UnknownGrant."""
        row = await unit.fetch_row(store.FIND_GRANT, unit.tenant, identifier)
        if row is None:
            raise unknown(identifier)
        return grant_of(row)

    async def begin(self, unit: UnitOfWork, request: Request, now_ns: int) -> Grant:
        """Grant what was approved, from now on or from the time that was asked for."""
        starts_ns = max(now_ns, request.starts_ns or 0)
        ends_ns = starts_ns + request.duration_s * NANOSECONDS
        identifier = self._ids.new_id()
        await unit.execute(
            store.INSERT_GRANT,
            *(unit.tenant, identifier, request.id, request.user, request.application, request.key),
            *(text_of(request.asked), to_datetime(starts_ns), to_datetime(ends_ns), to_datetime(now_ns)),
            # A grant that is shorter than the reminder's time would be reminded of as it begins.
            *(min(request.rule.remind_before_s, request.duration_s // 2), False, None, None),
        )
        grant = await self.get(unit, identifier)
        self._tell(unit, "AccessGranted", grant, request=request.id)
        return grant

    async def begin_at_once(self, unit: UnitOfWork, request: Request, now_ns: int, review_due_ns: int) -> Grant:
        """Grant what somebody takes in an emergency."""
        ends_ns = now_ns + request.duration_s * NANOSECONDS
        await unit.execute(
            store.INSERT_GRANT,
            *(unit.tenant, request.id, None, request.user, None, None),
            *(text_of(request.asked), to_datetime(now_ns), to_datetime(ends_ns), to_datetime(now_ns)),
            *(0, True, request.reason, to_datetime(review_due_ns)),
        )
        grant = await self.get(unit, request.id)
        self._tell(unit, "EmergencyAccessTaken", grant, review_due_at=to_rfc3339(review_due_ns))
        return grant

    async def revoke(self, unit: UnitOfWork, identifier: str, reason: str) -> Grant:
        """End a grant before its time, for good. Raises UnknownGrant, GrantEnded."""
        grant = await self.get(unit, identifier)
        now_ns = self._clock.now_ns()
        if (state := grant.state_at(now_ns)) in {"revoked", "ended"}:
            message = f"The grant {identifier!r} is {state} already."
            raise GrantEnded(message)
        reason = check_text(reason, "reason")
        values = (unit.tenant, grant.id, to_datetime(now_ns), unit.scope.actor, reason)
        if not await unit.fetch_value(store.REVOKE_GRANT, *values):
            message = f"The grant {identifier!r} has ended already."
            raise GrantEnded(message)
        self._tell(unit, "AccessGrantRevoked", grant)
        return await self.get(unit, identifier)

    async def shorten(self, unit: UnitOfWork, identifier: str, ends_ns: int) -> Grant:
        """Let a grant end earlier. Raises UnknownGrant, GrantEnded."""
        grant = await self.get(unit, identifier)
        if grant.state_at(self._clock.now_ns()) in {"revoked", "ended"} or not await unit.fetch_value(
            store.SHORTEN_GRANT, unit.tenant, grant.id, to_datetime(ends_ns)
        ):
            message = f"The grant {identifier!r} has ended already, or would not end earlier by this."
            raise GrantEnded(message)
        grant = await self.get(unit, identifier)
        self._tell(unit, "AccessGrantShortened", grant)
        return grant

    async def approvers(self, unit: UnitOfWork, grant: Grant) -> frozenset[str]:
        """Who approved it: they may revoke it."""
        rows = await unit.fetch(store.APPROVERS_OF, unit.tenant, grant.request) if grant.request else ()
        return frozenset(str(row["id"]) for row in rows)

    def _tell(self, unit: UnitOfWork, event: str, grant: Grant, **more: str) -> None:
        """Note it, and let every process know."""
        unit.record(
            event,
            id=grant.id,
            **described(grant.asked, grant.user, grant.application, grant.key),
            starts_at=to_rfc3339(grant.starts_ns),
            ends_at=to_rfc3339(grant.ends_ns),
            **more,
        )
        unit.changed()


def unknown(identifier: str) -> UnknownGrant:
    """The same for a grant that is not there and for one that is not theirs to see."""
    message = f"There is no grant {identifier!r} that you may see."
    return UnknownGrant(message)
