"""Groups of a tenant's people."""

import re
from dataclasses import replace

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.identity.errors import AlreadyExists, ManagedElsewhere, UnknownGroup, UnknownPerson
from enfilade.identity.provisioning import store
from enfilade.identity.roles.book import drop_assignments
from enfilade.identity.roles.granting import check_power_over_group
from enfilade.identity.rows import START, check_name, check_version, group_of
from enfilade.identity.types import SCIM, Group, GroupSpec, Origin, Outcome
from enfilade.storage.unit_of_work import UnitOfWork

NAME = re.compile(r"[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,254}[^\s\x00-\x1f\x7f])?")
"""Directories elsewhere have names of all kinds."""


class Groups:
    """The use cases of groups."""

    def __init__(self, ids: IdFactory, clock: Clock) -> None:
        """Name new groups with `ids`."""
        self._ids = ids
        self._clock = clock

    async def page(self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None) -> list[Group]:
        """Groups in the order of their making."""
        return [group_of(row) for row in await unit.fetch_listed(store.LIST_GROUPS, after or START, limit, tenant)]

    async def find(self, unit: UnitOfWork, name: str) -> Group | None:
        """The current tenant's group of that name or id."""
        row = await unit.fetch_row(store.FIND_GROUP, name, unit.tenant)
        return None if row is None else group_of(row)

    async def get(self, unit: UnitOfWork, name: str) -> Group:
        """Like `find`; raises UnknownGroup."""
        group = await self.find(unit, name)
        if group is None:
            message = f"There is no group {name!r} in this tenant."
            raise UnknownGroup(message, param="group")
        return group

    async def put(
        self, unit: UnitOfWork, spec: GroupSpec, expected: int | None = None, origin: Origin | None = None
    ) -> tuple[Group, Outcome]:
        """Make the group as specified, or change it to be so; without an origin, by hand.

        Raises InvalidSpecification, UnknownPerson, VersionMismatch, ManagedElsewhere, and RightsExceeded where its
        members have more rights than the scope.
        """
        return await self._write(unit, spec, await self.find(unit, spec.name), expected, origin)

    async def change(
        self,
        unit: UnitOfWork,
        group: Group,
        spec: GroupSpec,
        expected: int | None = None,
        origin: Origin | None = None,
    ) -> tuple[Group, Outcome]:
        """Change a group, its name too. Raises what `put` raises, and AlreadyExists."""
        if spec.name != group.spec.name:
            await self.require_new(unit, spec.name)
        return await self._write(unit, spec, group, expected, origin)

    async def _write(
        self, unit: UnitOfWork, spec: GroupSpec, present: Group | None, expected: int | None, origin: Origin | None
    ) -> tuple[Group, Outcome]:
        check_name(spec.name, NAME)
        members = await self._members(unit, spec.members)
        spec = replace(spec, members=tuple(sorted(members)))
        if present is not None:
            check_version(expected, present.version)
            if present.spec == spec and origin in (None, present.origin):
                return present, Outcome.UNCHANGED
            _check_origin(present, origin)
            if origin is None:
                await check_power_over_group(unit, present.id, gives=not members.keys() <= set(present.spec.members))
        origin = origin or (present.origin if present else Origin())
        identifier = present.id if present else self._ids.new_id()
        await unit.execute(
            store.UPDATE_GROUP if present else store.INSERT_GROUP,
            *(unit.tenant, identifier, spec.name, origin.source, origin.external_id),
            to_datetime(self._clock.now_ns()),
        )
        identifiers = sorted(members.values())
        await unit.execute(store.KEEP_MEMBERS, unit.tenant, identifier, identifiers)
        await unit.execute(store.ADD_MEMBERS, unit.tenant, identifier, identifiers)
        unit.record(
            "GroupChanged" if present else "GroupCreated",
            id=identifier,
            name=spec.name,
            members=identifiers,
            source=origin.source,
        )
        unit.changed()
        return await self.get(unit, identifier), Outcome.CHANGED if present else Outcome.CREATED

    async def _members(self, unit: UnitOfWork, names: tuple[str, ...]) -> dict[str, str]:
        """The ids of members by their addresses."""
        wanted = {name.lower() for name in names}
        found = {
            row["email"]: str(row["id"]) for row in await unit.fetch(store.FIND_MEMBERS, unit.tenant, list(wanted))
        }
        missing = next(iter(wanted - found.keys() - set(found.values())), None)
        if missing is not None:
            message = f"There is no user {missing!r} in this tenant."
            raise UnknownPerson(message, param="members")
        return found

    async def remove(
        self, unit: UnitOfWork, name: str, expected: int | None = None, origin: Origin | None = None
    ) -> None:
        """Remove a group; its members stay. Raises UnknownGroup, VersionMismatch, ManagedElsewhere."""
        group = await self.get(unit, name)
        check_version(expected, group.version)
        _check_origin(group, origin)
        if origin is None:
            await check_power_over_group(unit, group.id, gives=False)
        await drop_assignments(unit, "group", group.id)
        await unit.execute(store.KEEP_MEMBERS, unit.tenant, group.id, [])
        await unit.execute(store.REMOVE_GROUP, unit.tenant, group.id)
        unit.record("GroupRemoved", id=group.id, name=group.spec.name)
        unit.changed()

    async def require_new(self, unit: UnitOfWork, name: str) -> None:
        """Raise AlreadyExists when there is such a group."""
        if await self.find(unit, name) is not None:
            message = f"There is a group {name!r} already."
            raise AlreadyExists(message)


def _check_origin(group: Group, origin: Origin | None) -> None:
    if origin is None and group.origin.source == SCIM:
        message = f"The group {group.spec.name!r} is provisioned by SCIM: it is changed there."
        raise ManagedElsewhere(message, param="group")
