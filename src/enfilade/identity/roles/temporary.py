"""Rights for a time, as whoever grants them keeps them in memory."""

from typing import Protocol

from enfilade.identity.roles.effective import Assignment

NEVER_NS = 1 << 63


class TemporaryRights(Protocol):
    """What holds at this moment: it is asked each time, so that nothing has to happen for a right to end."""

    def roles(self, tenant: str, user: str) -> tuple[Assignment, ...]:
        """The roles that a user has for the time being. They are the person's, not those of the person's keys."""
        ...

    def key_scopes(self, tenant: str, key: str) -> frozenset[str]:
        """The scopes that a key has for the time being beside its own."""
        ...

    def hold_until(self, tenant: str) -> int:
        """The moment at which some right for a time begins or ends in the tenant: what was said before is old then."""
        ...


class NoTemporaryRights:
    """Nobody has any."""

    def roles(self, tenant: str, user: str) -> tuple[Assignment, ...]:
        """See `TemporaryRights`."""
        del tenant, user
        return ()

    def key_scopes(self, tenant: str, key: str) -> frozenset[str]:
        """See `TemporaryRights`."""
        del tenant, key
        return frozenset()

    def hold_until(self, tenant: str) -> int:
        """See `TemporaryRights`."""
        del tenant
        return NEVER_NS
