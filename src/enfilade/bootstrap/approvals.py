"""Puts together approvals and access reviews."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from enfilade.access.approvals.service import Approvals
from enfilade.access.reviews.applying import GONE, REVOKED
from enfilade.access.reviews.service import Reviews
from enfilade.bootstrap.access import AccessParts
from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.identity.service import Identity
from enfilade.storage.unit_of_work import Storage, UnitOfWork


class ApprovalParts:
    """Approvals, reviews, and what they need to know of policies and the register of use cases."""

    def __init__(self, storage: Storage, identity: Identity, access: AccessParts, clock: Clock, ids: IdFactory) -> None:
        """Build them, and let access know of them."""
        self._identity = identity
        self._access = access
        self.service = Approvals(storage, clock, ids, self._owner_of)
        access.service.approvals = self.service.book
        self.reviews = Reviews(storage, clock, ids, identity, self.service, self._drop_exception)

    def services(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What runs beside the requests."""
        return [self.service.keeper.run, self.reviews.keeper.run]

    async def _owner_of(self, unit: UnitOfWork, use_case: str) -> str | None:
        found = await self._access.use_cases.find(unit, use_case)
        user = await self._identity.users.find(unit, found.spec.owner) if found else None
        return user.id if user else None

    async def _drop_exception(self, unit: UnitOfWork, row: str, email: str) -> str:
        # It is there when requests come: it is built of rooms above this one.
        versions = self._access.versions
        current = await versions.published(unit)
        if current is None:
            return GONE
        matrix = list(current.content.matrix)
        place = next((at for at, each in enumerate(matrix) if each.name == row and email in each.users), None)
        if place is None:
            return GONE
        users = tuple(user for user in matrix[place].users if user != email)
        # A row without users would be for everybody.
        enabled = matrix[place].enabled and bool(users)
        kept = users or matrix[place].users
        matrix[place] = msgspec.structs.replace(matrix[place], users=kept, enabled=enabled)
        content = msgspec.structs.replace(current.content, matrix=tuple(matrix))
        version, _ = await versions.put(unit, content, "access review")
        return REVOKED if version.state == "published" else f"version {version.number} waits for a second person"
