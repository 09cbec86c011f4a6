"""Roles that an issuer's groups give: assignments with their source, made anew by each sign-in and each changed mapping."""

from typing import Any

from enfilade.core.ids import IdFactory
from enfilade.identity.roles.granting import table_of
from enfilade.identity.roles.types import source_of
from enfilade.identity.tokens import store
from enfilade.identity.tokens.types import Issuer
from enfilade.storage.unit_of_work import UnitOfWork


class VouchedRoles:
    """See the module.

    Whoever declared the mapping had all of a tenant's rights, so that nobody is asked again. Assignments made by hand are
    of another source, and stay. A role that somebody took back is withheld for as long as the issuer goes on naming the
    group that gives it.
    """

    def __init__(self, ids: IdFactory) -> None:
        """Name new assignments with `ids`."""
        self._ids = ids

    async def arrive(self, unit: UnitOfWork, issuer: Issuer, user: str, groups: tuple[str, ...]) -> None:
        """Somebody signed in, and the issuer named these groups."""
        named = list(issuer.roles_of(groups))
        await unit.execute(store.NOTE_GROUPS, unit.tenant, issuer.id, user, list(groups), named)
        await self.settle(unit, issuer, user)

    async def settle(self, unit: UnitOfWork, issuer: Issuer, user: str | None = None) -> None:
        """Make the assignments of a user, or of everybody whom the issuer knows, what its mapping says now."""
        table = await table_of(unit)
        pairs = sorted(
            (group, role) for group, roles in issuer.settings.roles.items() for role in roles if role in table
        )
        mapping = [group for group, _ in pairs], [role for _, role in pairs]
        place = unit.tenant, issuer.id, source_of(issuer.name)
        for row in await unit.fetch(store.UNASSIGN_VOUCHED, *place, *mapping, user):
            _record(unit, "RoleUnassigned", row, issuer)
        missing = [
            (str(r["user_id"]), r["role"]) for r in await unit.fetch(store.MISSING_VOUCHED, *place, *mapping, user)
        ]
        if missing:
            identifiers = [self._ids.new_id() for _ in missing]
            users, roles = [found for found, _ in missing], [role for _, role in missing]
            for row in await unit.fetch(store.ASSIGN_VOUCHED, unit.tenant, place[2], identifiers, users, roles):
                _record(unit, "RoleAssigned", row, issuer)

    async def end(self, unit: UnitOfWork, issuer: Issuer) -> None:
        """Take away what an issuer vouched for."""
        for row in await unit.fetch(
            store.UNASSIGN_VOUCHED, unit.tenant, issuer.id, source_of(issuer.name), [], [], None
        ):
            _record(unit, "RoleUnassigned", row, issuer)


def _record(unit: UnitOfWork, event: str, row: Any, issuer: Issuer) -> None:
    unit.record(
        event,
        id=str(row["id"]),
        role=row["role"],
        user=str(row["user_id"]),
        group=None,
        department=None,
        application=None,
        source=source_of(issuer.name),
    )
    unit.changed()
