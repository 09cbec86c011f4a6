"""Breaking the glass: one of the platform's people lets themselves into a tenant, for a time, and leaves a trace."""

from datetime import datetime, timedelta

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.identity.errors import AlreadyExists, InvalidSpecification, NotYetOver, RightsExceeded, UnknownBreakGlass
from enfilade.identity.roles import store
from enfilade.identity.roles.standing import glass_of
from enfilade.identity.roles.types import BrokenGlass
from enfilade.identity.rows import START
from enfilade.storage.unit_of_work import UnitOfWork

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(hours=4)
DEFAULT = timedelta(hours=1)
MIN_TEXT = 10
MAX_TEXT = 2_000


class GlassBook:
    """The use cases of broken glass. All units of work are the tenant's, of which the log then tells."""

    def __init__(self, ids: IdFactory, clock: Clock) -> None:
        """Name new ones with `ids`."""
        self._ids = ids
        self._clock = clock

    def new_id(self) -> str:
        """The id of one that is about to be opened: its scope is named by it."""
        return self._ids.new_id()

    async def open(
        self, unit: UnitOfWork, identifier: str, actor: str, reason: str, duration: timedelta = DEFAULT
    ) -> BrokenGlass:
        """Let `actor` into the unit's tenant. Raises InvalidSpecification."""
        reason = _text(reason, "reason")
        if not SHORTEST <= duration <= LONGEST:
            message = "glass is broken for a minute to four hours"
            raise InvalidSpecification(message, param="duration")
        now = self.now()
        ends = now + duration
        await unit.execute(store.INSERT_GLASS, unit.tenant, identifier, actor, reason, now, ends)
        unit.record("BreakGlassOpened", id=identifier, by=actor, reason=reason, expires_at=ends.isoformat())
        unit.changed()
        return await self.get(unit, identifier)

    async def get(self, unit: UnitOfWork, identifier: str) -> BrokenGlass:
        """The one with that id. Raises UnknownBreakGlass."""
        row = await unit.fetch_row(store.FIND_GLASS, identifier)
        if row is None:
            message = f"There is no broken glass {identifier!r} that you may see."
            raise UnknownBreakGlass(message)
        return glass_of(row)

    async def page(
        self,
        unit: UnitOfWork,
        after: str | None,
        limit: int,
        tenant: str | None = None,
        *,
        actor: str | None = None,
        unreviewed: bool = False,
    ) -> list[BrokenGlass]:
        """In the order of their opening; of one actor, or those that wait for a review."""
        rows = await unit.fetch_listed(store.LIST_GLASS, after or START, limit, tenant, actor, unreviewed)
        return [glass_of(row) for row in rows]

    async def end(self, unit: UnitOfWork, identifier: str, by: str) -> BrokenGlass:
        """End the rights before their time; what has ended stays as it is. Raises UnknownBreakGlass."""
        present = await self.get(unit, identifier)
        if not present.is_open(self.now()):
            return present
        await unit.execute(store.END_GLASS, unit.tenant, present.id, self.now(), by)
        unit.record("BreakGlassEnded", id=present.id, by=by)
        unit.changed()
        return await self.get(unit, identifier)

    async def review(self, unit: UnitOfWork, identifier: str, by: str, note: str) -> BrokenGlass:
        """Say what came of it: somebody else than who opened it, once it is over, and once for all.

        Raises UnknownBreakGlass, NotYetOver, AlreadyExists, RightsExceeded, InvalidSpecification.
        """
        note = _text(note, "note")
        present = await self.get(unit, identifier)
        if present.is_open(self.now()):
            message = "The glass is still open."
            raise NotYetOver(message)
        if present.reviewed_at is not None:
            message = f"It was reviewed already, by {present.reviewed_by}: what they found stays."
            raise AlreadyExists(message)
        if by == present.actor:
            raise _own()
        await unit.execute(store.REVIEW_GLASS, unit.tenant, present.id, self.now(), by, note)
        unit.record("BreakGlassReviewed", id=present.id, by=by, note=note)
        return await self.get(unit, identifier)

    async def require_other(self, unit: UnitOfWork, glass: BrokenGlass) -> None:
        """Refuse whoever opened it, by whichever session or key of theirs. The unit is the platform's.

        Raises RightsExceeded.
        """
        kind, _, identifier = glass.actor.partition(":")
        opener = identifier if kind == "user" else await unit.fetch_value(store.USER_OF_KEY, PLATFORM_ID, identifier)
        if opener is not None and str(opener) == unit.scope.user:
            raise _own()

    def now(self) -> datetime:
        """The present moment."""
        return to_datetime(self._clock.now_ns())


def _own() -> RightsExceeded:
    message = "Nobody reviews what they did themselves."
    return RightsExceeded(message)


def _text(text: str, param: str) -> str:
    text = text.strip()
    if not MIN_TEXT <= len(text) <= MAX_TEXT:
        message = f"a {param} has {MIN_TEXT} to {MAX_TEXT} characters: it is what people will read about this"
        raise InvalidSpecification(message, param=param)
    return text
