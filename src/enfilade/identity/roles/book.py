"""Roles of a tenant's own, and who has which role where."""

from typing import Any

from enfilade.core.errors import StillInUse
from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.core.scope import EVERYWHERE, Extent
from enfilade.identity.errors import (
    InvalidSpecification,
    RightsExceeded,
    UnknownAssignment,
    UnknownRole,
    UnknownSubject,
)
from enfilade.identity.permissions import PLATFORM_ROLES, ROLES_WRITE, TENANT_PERMISSIONS, TENANT_ROLES
from enfilade.identity.roles import store
from enfilade.identity.roles.granting import check_grant, check_roles, check_standing, table_of
from enfilade.identity.roles.types import LOCAL, AssignmentSpec, NamedAssignment, Role, RoleSpec, source_of
from enfilade.identity.rows import START, check_name, check_version
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

MAX_DESCRIPTION = 500


class RoleBook:
    """The use cases of a tenant's own roles."""

    def __init__(self, ids: IdFactory) -> None:
        """Name new roles with `ids`."""
        self._ids = ids

    async def page(self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None) -> list[Role]:
        """The tenant's own roles in the order of their making."""
        return [_role_of(row) for row in await unit.fetch_listed(store.LIST_ROLES, after or START, limit, tenant)]

    def built_in(self, tenant: str) -> list[Role]:
        """The roles that are there without being made."""
        table = PLATFORM_ROLES if tenant == PLATFORM_ID else TENANT_ROLES
        return [Role(tenant, RoleSpec(name, tuple(sorted(held)))) for name, held in table.items()]

    async def find(self, unit: UnitOfWork, name: str) -> Role | None:
        """The role of that name or id."""
        built_in = next((role for role in self.built_in(unit.tenant) if role.spec.name == name), None)
        if built_in is not None:
            return built_in
        row = await unit.fetch_row(store.FIND_ROLE, name, unit.tenant)
        return None if row is None else _role_of(row)

    async def get(self, unit: UnitOfWork, name: str) -> Role:
        """Like `find`; raises UnknownRole."""
        role = await self.find(unit, name)
        if role is None:
            message = f"There is no role {name!r} in this tenant."
            raise UnknownRole(message, param="role")
        return role

    async def put(self, unit: UnitOfWork, spec: RoleSpec, expected: int | None = None) -> tuple[Role, Outcome]:
        """Make the role as specified, or change it to be so.

        Raises InvalidSpecification, RightsExceeded, VersionMismatch, BreakGlassRequired.
        """
        spec = _checked(unit, spec)
        present = await self.find(unit, spec.name)
        if present is not None:
            check_version(expected, present.version)
            if present.spec == spec:
                return present, Outcome.UNCHANGED
        await check_standing(unit)
        # Whoever has the role loses what it loses: that too is for those who have as much.
        check_grant(unit, {*spec.permissions, *(present.spec.permissions if present else ())}, param="permissions")
        identifier = self._ids.new_id() if present is None else present.id
        values = (spec.description, list(spec.permissions))
        if present is None:
            await unit.execute(store.INSERT_ROLE, unit.tenant, identifier, spec.name, *values)
        else:
            await unit.execute(store.UPDATE_ROLE, unit.tenant, identifier, *values)
        unit.record(
            "RoleChanged" if present else "RoleCreated",
            id=identifier,
            name=spec.name,
            permissions=list(spec.permissions),
        )
        unit.changed()
        return await self.get(unit, spec.name), Outcome.CHANGED if present else Outcome.CREATED

    async def remove(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove a role that nobody has. Raises UnknownRole, InvalidSpecification, StillInUse, RightsExceeded."""
        role = await self.get(unit, name)
        if role.is_built_in:
            message = f"The role {role.spec.name!r} is built in."
            raise InvalidSpecification(message, param="name")
        check_version(expected, role.version)
        check_grant(unit, role.spec.permissions, param="name", gives=False)
        if await unit.fetch_value(store.ROLE_IN_USE, unit.tenant, role.spec.name):
            message = f"Users, groups, keys or issuers still have the role {role.spec.name!r}."
            raise StillInUse(message)
        await unit.execute(store.DELETE_ROLE, unit.tenant, role.id)
        unit.record("RoleRemoved", id=role.id, name=role.spec.name)
        unit.changed()


class Assignments:
    """The use cases of assignments."""

    def __init__(self, ids: IdFactory) -> None:
        """Name new assignments with `ids`."""
        self._ids = ids

    async def page(
        self,
        unit: UnitOfWork,
        after: str | None,
        limit: int,
        tenant: str | None = None,
        within: Extent = EVERYWHERE,
    ) -> list[NamedAssignment]:
        """Assignments that hold within an extent, in the order of their making, with the names of all they name."""
        places = (within.everywhere, list(within.departments), list(within.applications))
        return [
            named_assignment(row)
            for row in await unit.fetch_listed(store.LIST_ASSIGNMENTS, after or START, limit, tenant, *places)
        ]

    async def get(self, unit: UnitOfWork, identifier: str) -> NamedAssignment:
        """The assignment with that id. Raises UnknownAssignment."""
        row = await unit.fetch_row(store.FIND_ASSIGNMENT, unit.tenant, identifier)
        if row is None:
            message = f"There is no assignment {identifier!r} in this tenant."
            raise UnknownAssignment(message)
        return named_assignment(row)

    async def put(self, unit: UnitOfWork, spec: AssignmentSpec) -> tuple[NamedAssignment, Outcome]:
        """Assign a role, unless it is assigned so already.

        Raises InvalidSpecification, UnknownSubject, RightsExceeded, BreakGlassRequired.
        """
        if (spec.user is None) == (spec.group is None):
            message = "a role is assigned to a user or to a group: give one of the two"
            raise InvalidSpecification(message, param="user")
        if spec.department is not None and spec.application is not None:
            message = "a role holds in a department or in an application, not in both: assign it twice"
            raise InvalidSpecification(message, param="application")
        table = await table_of(unit)
        check_roles(table, (spec.role,), "role")
        found = {
            kind: await self._find(unit, kind, name)
            for kind in ("user", "group", "department", "application")
            if (name := getattr(spec, kind)) is not None
        }
        place = found.get("department") or found.get("application")
        department = _text(place["department_id"]) if place else None
        application = _text(place["id"]) if "application" in found and place else None
        identifiers = [_text(found[kind]["id"]) if kind in found else None for kind in _KINDS]
        same = await unit.fetch_row(store.SAME_ASSIGNMENT, unit.tenant, spec.role, *identifiers, LOCAL)
        if same is not None:
            return named_assignment(same), Outcome.UNCHANGED
        await check_standing(unit)
        check_grant(unit, {*table[spec.role], ROLES_WRITE}, department, application, param="role")
        _check_subject(unit, found)
        identifier = self._ids.new_id()
        await unit.execute(store.INSERT_ASSIGNMENT, unit.tenant, identifier, spec.role, *identifiers, LOCAL)
        _record(unit, "RoleAssigned", identifier, spec.role, identifiers, LOCAL)
        return await self.get(unit, identifier), Outcome.CREATED

    async def remove(self, unit: UnitOfWork, identifier: str) -> None:
        """Take a role back. Raises UnknownAssignment, RightsExceeded.

        One for which an issuer vouches does not come back at the next sign-in: it is withheld while the issuer goes on
        naming the group that gives it. Whoever may assign the role can give it again, by hand.
        """
        present = await self.get(unit, identifier)
        table = await table_of(unit)
        place = await self.department_of(unit, present), present.application_id
        check_grant(unit, {*table.get(present.role, ()), ROLES_WRITE}, *place, param="role", gives=False)
        await unit.execute(store.DELETE_ASSIGNMENT, unit.tenant, present.id)
        if present.source != LOCAL:
            issuer = present.source.removeprefix(source_of(""))
            await unit.execute(store.WITHHOLD, unit.tenant, present.user_id, issuer, present.role)
        subjects = [present.user_id, present.group_id, present.department_id, present.application_id]
        _record(unit, "RoleUnassigned", present.id, present.role, subjects, present.source)

    async def _find(self, unit: UnitOfWork, kind: str, name: str) -> Any:
        row = await unit.fetch_row(store.FIND_SUBJECT[kind], unit.tenant, name)
        if row is None:
            message = f"There is no {kind} {name!r} in this tenant."
            raise UnknownSubject(message, param=kind)
        return row

    async def department_of(self, unit: UnitOfWork, present: NamedAssignment) -> str | None:
        """The department in which an assignment holds, or to which the application belongs where it does."""
        if present.application_id is None:
            return present.department_id
        row = await unit.fetch_row(store.FIND_SUBJECT["application"], unit.tenant, present.application_id)
        return None if row is None else _text(row["department_id"])


_KINDS = ("user", "group", "department", "application")


async def drop_assignments(unit: UnitOfWork, kind: str, identifier: str) -> None:
    """End all assignments to, or in, what is being removed."""
    for row in await unit.fetch(store.DELETE_ASSIGNMENTS_OF[kind], unit.tenant, identifier):
        unit.record("RoleUnassigned", id=str(row["id"]), role=row["role"], because=f"{kind}_removed")
        unit.changed()


def _check_subject(unit: UnitOfWork, found: dict[str, Any]) -> None:
    """Whose rights to give roles are confined give them to people of their departments only."""
    extent = unit.scope.extent(ROLES_WRITE)
    if extent.everywhere or ("user" in found and extent.covers(_text(found["user"]["department_id"]))):
        return
    message = "Your rights are confined to a part of the tenant, to which this user or group does not belong."
    raise RightsExceeded(message, param="user" if "user" in found else "group")


def _record(unit: UnitOfWork, event: str, identifier: str, role: str, subjects: list[str | None], source: str) -> None:
    user, group, department, application = subjects
    unit.record(
        event,
        id=identifier,
        role=role,
        user=user,
        group=group,
        department=department,
        application=application,
        source=source,
    )
    unit.changed()


def _checked(unit: UnitOfWork, spec: RoleSpec) -> RoleSpec:
    check_name(spec.name)
    if unit.tenant == PLATFORM_ID:
        message = "The platform's roles are built in."
        raise InvalidSpecification(message, param="name")
    if spec.name in TENANT_ROLES or spec.name in PLATFORM_ROLES:
        message = f"The role {spec.name!r} is built in."
        raise InvalidSpecification(message, param="name")
    for permission in spec.permissions:
        if permission not in TENANT_PERMISSIONS:
            message = (
                f"{permission!r} is no permission of a tenant; `enfilade role show owner` lists all that there are"
            )
            raise InvalidSpecification(message, param="permissions")
    if len(spec.description) > MAX_DESCRIPTION:
        message = f"a description has at most {MAX_DESCRIPTION} characters"
        raise InvalidSpecification(message, param="description")
    return RoleSpec(spec.name, tuple(sorted(set(spec.permissions))), spec.description)


def named_assignment(row: Any) -> NamedAssignment:
    """An assignment from its row."""
    return NamedAssignment(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        role=row["role"],
        user=row["email"],
        group=row["group_name"],
        department=row["department"],
        application=row["application"],
        source=row["source"],
        created_at=row["created_at"],
        user_id=_text(row["user_id"]),
        group_id=_text(row["group_id"]),
        department_id=_text(row["department_id"]),
        application_id=_text(row["application_id"]),
    )


def _role_of(row: Any) -> Role:
    spec = RoleSpec(row["name"], tuple(row["permissions"]), row["description"])
    return Role(str(row["tenant_id"]), spec, str(row["id"]), row["version"], row["created_at"])


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
