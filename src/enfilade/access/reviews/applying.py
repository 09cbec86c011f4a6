"""What an answer does: through the service that the access belongs to, so that it is what an administrator would do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from enfilade.access.approvals.errors import GrantEnded
from enfilade.access.approvals.grants import Grants
from enfilade.access.reviews.errors import InvalidReview
from enfilade.access.reviews.types import Item
from enfilade.core.clock import to_ns
from enfilade.core.errors import Conflict, EnfiladeError, NotFound
from enfilade.identity.roles.effective import permissions_in
from enfilade.identity.roles.granting import table_of
from enfilade.identity.service import Identity
from enfilade.storage.unit_of_work import UnitOfWork

DropException = Callable[[UnitOfWork, str, str], Awaitable[str]]
"""Takes a user out of a row of the access matrix, and says what came of it."""
CHANGES = {"role": "role", "key": "expires_at", "grant": "ends_at"}
"""What can be changed, of each kind of item that can."""
GONE, REVOKED = "gone before", "revoked"


async def keep_exceptions(_unit: UnitOfWork, _row: str, _email: str) -> str:
    """For installations without policies."""
    return "there are no policies here"


@dataclass(frozen=True, slots=True)
class Rooms:
    """Whose the reviewed access is."""

    identity: Identity
    grants: Grants
    drop_exception: DropException = keep_exceptions


class Applier:
    """Does what was answered."""

    def __init__(self, rooms: Rooms) -> None:
        """Change these rooms."""
        self._rooms = rooms

    async def check_change(self, unit: UnitOfWork, item: Item, change: dict[str, str]) -> dict[str, str]:
        """A change in its normal form: it may lessen access, never add to it. Raises InvalidReview."""
        field = CHANGES.get(item.kind)
        if field is None:
            message = "this can be kept or revoked, not changed"
            raise InvalidReview(message, param="decision")
        if set(change) != {field}:
            message = f"a change of this says `{field}`, and nothing else"
            raise InvalidReview(message, param="change")
        if field == "role":
            table = await table_of(unit)
            if not permissions_in(table, [change["role"]]) < permissions_in(table, [item.object]):
                message = f"{change['role']!r} is no role here that includes less than {item.object!r}"
                raise InvalidReview(message, param="change.role")
            return change
        moment = _moment(change[field], field)
        present = item.evidence.get(field)
        if present is not None and moment >= datetime.fromisoformat(present):
            message = f"a change moves `{field}` to an earlier time than {present}"
            raise InvalidReview(message, param=f"change.{field}")
        return {field: moment.isoformat()}

    async def apply(self, unit: UnitOfWork, item: Item) -> str:
        """Do it, and say what came of it. What may succeed later raises; what cannot is an outcome too."""
        if item.decision == "keep":
            return "kept"
        ways = {
            "role": self._role,
            "assignment": self._assignment,
            "key": self._key,
            "grant": self._grant,
            "exception": self._exception,
        }
        try:
            return await ways[item.kind](unit, item)
        except (NotFound, GrantEnded):
            return GONE

    async def _assignment(self, unit: UnitOfWork, item: Item) -> str:
        await self._rooms.identity.assignments.remove(unit, item.object)
        return REVOKED

    async def _exception(self, unit: UnitOfWork, item: Item) -> str:
        return await self._rooms.drop_exception(unit, item.object, item.subject)

    async def _role(self, unit: UnitOfWork, item: Item) -> str:
        users = self._rooms.identity.users
        user = await users.get(unit, item.subject_id or "")
        if item.object not in user.spec.roles:
            return GONE
        roles = {*user.spec.roles} - {item.object}
        if item.decision == "change" and item.change:
            roles |= {item.change["role"]}
        await users.put(unit, replace(user.spec, roles=tuple(sorted(roles))))
        return f"changed to {item.change['role']}" if item.decision == "change" and item.change else REVOKED

    async def _key(self, unit: UnitOfWork, item: Item) -> str:
        keys = self._rooms.identity.keys
        if item.decision == "change" and item.change:
            key = await keys.get(unit, item.object)
            ends = _moment(item.change["expires_at"], "expires_at")
            if key.spec.expires_at is not None and key.spec.expires_at <= ends:
                return GONE
            await keys.put(unit, replace(key.spec, expires_at=ends))
            return f"expires {ends.isoformat()}"
        await keys.revoke(unit, item.object)
        return REVOKED

    async def _grant(self, unit: UnitOfWork, item: Item) -> str:
        grants = self._rooms.grants
        if item.decision == "change" and item.change:
            ends = _moment(item.change["ends_at"], "ends_at")
            await grants.shorten(unit, item.object, to_ns(ends))
            return f"ends {ends.isoformat()}"
        await grants.revoke(unit, item.object, "access review")
        return REVOKED


def is_final(error: EnfiladeError) -> bool:
    """Whether trying again would not help."""
    return error.status < 500 and type(error) is not Conflict


def _moment(text: str, param: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{text!r} is no moment such as 2026-12-31T18:00:00Z"
        raise InvalidReview(message, param=f"change.{param}") from None
