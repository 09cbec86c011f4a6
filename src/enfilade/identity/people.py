"""Departments and users of a tenant."""

from enfilade.core.errors import StillInUse
from enfilade.core.ids import IdFactory
from enfilade.identity import store
from enfilade.identity.errors import (
    AlreadyExists,
    InvalidSpecification,
    RightsExceeded,
    UnknownDepartment,
    UnknownPerson,
)
from enfilade.identity.permissions import TENANT_ROLES, permissions_of
from enfilade.identity.rows import EMAIL, START, check_name, check_version, department_of, user_of
from enfilade.identity.types import Department, Outcome, User, UserSpec
from enfilade.storage.unit_of_work import UnitOfWork


class Departments:
    """The use cases of departments."""

    def __init__(self, ids: IdFactory) -> None:
        """Name new departments with `ids`."""
        self._ids = ids

    async def page(
        self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None
    ) -> list[Department]:
        """Departments in the order of their making."""
        rows = await unit.fetch(store.LIST_DEPARTMENTS, after or START, limit, tenant)
        return [department_of(row) for row in rows]

    async def find(self, unit: UnitOfWork, name: str) -> Department | None:
        """The current tenant's department of that name or id."""
        row = await unit.fetch_row(store.FIND_DEPARTMENT, name, unit.tenant)
        return None if row is None else department_of(row)

    async def get(self, unit: UnitOfWork, name: str) -> Department:
        """Like `find`; raises UnknownDepartment."""
        department = await self.find(unit, name)
        if department is None:
            message = f"There is no department {name!r} in this tenant."
            raise UnknownDepartment(message, param="department")
        return department

    async def id_of(self, unit: UnitOfWork, name: str | None) -> str | None:
        """The id behind an optional name."""
        return None if name is None else (await self.get(unit, name)).id

    async def put(self, unit: UnitOfWork, name: str) -> tuple[Department, Outcome]:
        """Make the department unless it is there."""
        check_name(name)
        present = await self.find(unit, name)
        if present is not None:
            return present, Outcome.UNCHANGED
        identifier = self._ids.new_id()
        await unit.execute(store.INSERT_DEPARTMENT, unit.tenant, identifier, name)
        unit.record("DepartmentCreated", id=identifier, name=name)
        unit.changed()
        return await self.get(unit, name), Outcome.CREATED

    async def remove(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove a department that nothing refers to any more. Raises StillInUse."""
        department = await self.get(unit, name)
        check_version(expected, department.version)
        if await unit.fetch_value(store.DEPARTMENT_IN_USE, unit.tenant, department.id):
            message = f"Applications or users still belong to the department {department.name!r}."
            raise StillInUse(message)
        await unit.execute(store.REMOVE_DEPARTMENT, unit.tenant, department.id)
        unit.record("DepartmentRemoved", id=department.id, name=department.name)
        unit.changed()


class Users:
    """The use cases of users."""

    def __init__(self, ids: IdFactory, departments: Departments) -> None:
        """Name new users with `ids`."""
        self._ids = ids
        self._departments = departments

    async def page(self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None) -> list[User]:
        """Users in the order of their making."""
        return [user_of(row) for row in await unit.fetch(store.LIST_USERS, after or START, limit, tenant)]

    async def find(self, unit: UnitOfWork, email: str) -> User | None:
        """The current tenant's user with that address or id."""
        row = await unit.fetch_row(store.FIND_USER, email.lower(), unit.tenant)
        return None if row is None else user_of(row)

    async def get(self, unit: UnitOfWork, email: str) -> User:
        """Like `find`; raises UnknownPerson."""
        user = await self.find(unit, email)
        if user is None:
            message = f"There is no user {email!r} in this tenant."
            raise UnknownPerson(message, param="user")
        return user

    async def put(self, unit: UnitOfWork, spec: UserSpec, expected: int | None = None) -> tuple[User, Outcome]:
        """Make the user as specified, or change them to be so.

        Raises InvalidSpecification, UnknownDepartment, RightsExceeded, VersionMismatch.
        """
        spec = UserSpec(spec.email.lower(), spec.department, tuple(sorted(set(spec.roles))))
        check_name(spec.email, EMAIL, "email")
        _check_roles(unit, spec.roles)
        present = await self.find(unit, spec.email)
        department = await self._departments.id_of(unit, spec.department)
        if present is None:
            identifier = self._ids.new_id()
            await unit.execute(store.INSERT_USER, unit.tenant, identifier, spec.email, department, list(spec.roles))
            outcome = Outcome.CREATED
        else:
            identifier = present.id
            check_version(expected, present.version)
            if present.spec == spec:
                return present, Outcome.UNCHANGED
            await unit.execute(store.UPDATE_USER, unit.tenant, identifier, department, list(spec.roles))
            outcome = Outcome.CHANGED
        # The address stays out of the event: the log cannot be edited when a person asks to be forgotten.
        event = "UserCreated" if outcome is Outcome.CREATED else "UserChanged"
        unit.record(event, id=identifier, department=department, roles=list(spec.roles))
        unit.changed()
        return await self.get(unit, spec.email), outcome

    async def remove(self, unit: UnitOfWork, email: str, expected: int | None = None) -> None:
        """Remove a user and revoke their keys."""
        user = await self.get(unit, email)
        check_version(expected, user.version)
        for row in await unit.fetch(store.REVOKE_KEYS_OF_USER, unit.tenant, user.id):
            unit.record("KeyRevoked", id=str(row["id"]), because="user_removed")
        await unit.execute(store.REMOVE_USER, unit.tenant, user.id)
        unit.record("UserRemoved", id=user.id)
        unit.changed()

    async def require_new(self, unit: UnitOfWork, email: str) -> None:
        """Raise AlreadyExists when there is such a user."""
        if await self.find(unit, email) is not None:
            message = f"There is a user {email!r} already."
            raise AlreadyExists(message)


def _check_roles(unit: UnitOfWork, roles: tuple[str, ...]) -> None:
    for role in roles:
        if role not in TENANT_ROLES:
            message = f"{role!r} is no role; the roles are {', '.join(TENANT_ROLES)}"
            raise InvalidSpecification(message, param="roles")
    if not permissions_of(roles, platform=False) <= unit.scope.permissions:
        message = "Nobody can grant roles that include more than their own rights."
        raise RightsExceeded(message, param="roles")
