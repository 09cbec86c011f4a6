"""Departments and users of a tenant."""

import re
from dataclasses import replace
from typing import Any

import msgspec

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.errors import StillInUse
from enfilade.core.ids import IdFactory
from enfilade.identity import store
from enfilade.identity.errors import (
    AlreadyExists,
    InvalidSpecification,
    ManagedElsewhere,
    UnknownDepartment,
    UnknownPerson,
)
from enfilade.identity.roles.book import drop_assignments
from enfilade.identity.roles.effective import permissions_in
from enfilade.identity.roles.granting import (
    check_given,
    check_grant,
    check_power_over,
    check_roles,
    check_standing,
    table_of,
)
from enfilade.identity.rows import EMAIL, START, check_name, check_version, department_of, user_of
from enfilade.identity.signing_out import end_sessions
from enfilade.identity.types import SCIM, Department, Origin, Outcome, User, UserSpec
from enfilade.storage.unit_of_work import UnitOfWork

MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE = 512
MAX_DISPLAY_NAME = 200
ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
OWNED: dict[str, Any] = {"display_name": None, "manager": None, "attributes": {}, "active": True}
"""What a SCIM client looks after, and what each is where it is not given. Roles and departments are given here."""


class Departments:
    """The use cases of departments."""

    def __init__(self, ids: IdFactory) -> None:
        """Name new departments with `ids`."""
        self._ids = ids

    async def page(
        self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None
    ) -> list[Department]:
        """Departments in the order of their making."""
        rows = await unit.fetch_listed(store.LIST_DEPARTMENTS, after or START, limit, tenant)
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
        await drop_assignments(unit, "department", department.id)
        await unit.execute(store.REMOVE_DEPARTMENT, unit.tenant, department.id)
        unit.record("DepartmentRemoved", id=department.id, name=department.name)
        unit.changed()


class Users:
    """The use cases of users."""

    def __init__(self, ids: IdFactory, clock: Clock, departments: Departments) -> None:
        """Name new users with `ids`."""
        self._ids = ids
        self._clock = clock
        self._departments = departments

    async def page(self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None) -> list[User]:
        """Users in the order of their making."""
        return [user_of(row) for row in await unit.fetch_listed(store.LIST_USERS, after or START, limit, tenant)]

    async def find(self, unit: UnitOfWork, email: str) -> User | None:
        """The current tenant's user with that address or id."""
        row = await unit.fetch_row(store.FIND_USER, email.lower(), unit.tenant)
        return None if row is None else user_of(row)

    async def get(self, unit: UnitOfWork, email: str, param: str = "user") -> User:
        """Like `find`; raises UnknownPerson."""
        user = await self.find(unit, email)
        if user is None:
            message = f"There is no user {email!r} in this tenant."
            raise UnknownPerson(message, param=param)
        return user

    async def put(
        self, unit: UnitOfWork, spec: UserSpec, expected: int | None = None, origin: Origin | None = None
    ) -> tuple[User, Outcome]:
        """Make the user as specified, or change them to be so; without an origin, by hand.

        Raises InvalidSpecification, UnknownDepartment, UnknownPerson, RightsExceeded, VersionMismatch, ManagedElsewhere.
        """
        return await self._write(unit, spec, await self.find(unit, spec.email.lower()), expected, origin)

    async def change(
        self,
        unit: UnitOfWork,
        user: User,
        spec: UserSpec,
        expected: int | None = None,
        origin: Origin | None = None,
    ) -> tuple[User, Outcome]:
        """Change a user, their address too. Raises what `put` raises, and AlreadyExists for an address that is taken."""
        if spec.email.lower() != user.spec.email:
            await self.require_new(unit, spec.email)
        return await self._write(unit, spec, user, expected, origin)

    async def _write(
        self, unit: UnitOfWork, spec: UserSpec, present: User | None, expected: int | None, origin: Origin | None
    ) -> tuple[User, Outcome]:
        spec = checked_user(spec)
        if present is not None:
            check_version(expected, present.version)
            if origin is None:
                spec = by_hand(present, spec)
            if present.spec == spec and origin in (None, present.origin):
                return present, Outcome.UNCHANGED
        if present is None or present.spec.roles != spec.roles:
            await _check_roles(unit, spec.roles)
        if present is not None and origin is None:
            await check_power_over(unit, present.id, present.spec.roles)
        origin = origin or (present.origin if present else Origin())
        identifier = present.id if present else self._ids.new_id()
        department = await self._departments.id_of(unit, spec.department)
        await unit.execute(
            store.UPDATE_USER if present else store.INSERT_USER,
            *(unit.tenant, identifier, spec.email, department, list(spec.roles), spec.display_name),
            *(await self._manager(unit, identifier, spec), msgspec.json.encode(spec.attributes).decode(), spec.active),
            *(origin.source, origin.external_id, to_datetime(self._clock.now_ns())),
        )
        # The address and the name stay out of the event: the log cannot be edited when a person asks to be forgotten.
        unit.record(
            "UserChanged" if present else "UserCreated",
            id=identifier,
            department=department,
            roles=list(spec.roles),
            active=spec.active,
            source=origin.source,
        )
        if present is not None and not spec.active:
            # Whoever is let in again later signs in again.
            await end_sessions(unit, identifier, to_datetime(self._clock.now_ns()), "user_inactive")
        unit.changed()
        return await self.get(unit, identifier), Outcome.CHANGED if present else Outcome.CREATED

    async def _manager(self, unit: UnitOfWork, identifier: str, spec: UserSpec) -> str | None:
        if spec.manager is None:
            return None
        manager = await self.get(unit, spec.manager, "manager")
        if await unit.fetch_value(store.IS_ABOVE, unit.tenant, identifier, manager.id):
            message = f"{spec.manager} cannot be the manager of {spec.email}, whom they answer to."
            raise InvalidSpecification(message, param="manager")
        return manager.id

    async def remove(
        self, unit: UnitOfWork, email: str, expected: int | None = None, origin: Origin | None = None
    ) -> None:
        """Remove a user and revoke their keys. Raises UnknownPerson, VersionMismatch, ManagedElsewhere."""
        user = await self.get(unit, email)
        check_version(expected, user.version)
        if origin is None and user.origin.source == SCIM and user.spec.active:
            raise managed_elsewhere(user, "user")
        if origin is None:
            await check_power_over(unit, user.id, user.spec.roles)
        await self.revoke_keys(unit, user, "user_removed")
        await drop_assignments(unit, "user", user.id)
        await unit.execute(store.LEAVE_MANAGER, unit.tenant, user.id)
        await self.leave_groups(unit, user)
        await unit.execute(store.REMOVE_USER, unit.tenant, user.id)
        unit.record("UserRemoved", id=user.id)
        unit.changed()

    async def leave_groups(self, unit: UnitOfWork, user: User) -> None:
        """Take a user out of all groups, each of which is another group then."""
        await unit.execute(store.LEAVE_GROUPS, unit.tenant, user.id, to_datetime(self._clock.now_ns()))
        unit.changed()

    async def revoke_keys(self, unit: UnitOfWork, user: User, because: str) -> None:
        """End all of a user's keys."""
        for row in await unit.fetch(store.REVOKE_KEYS_OF_USER, unit.tenant, user.id):
            unit.record("KeyRevoked", id=str(row["id"]), because=because)
            unit.changed()

    async def require_new(self, unit: UnitOfWork, email: str) -> None:
        """Raise AlreadyExists when there is such a user."""
        if await self.find(unit, email) is not None:
            message = f"There is a user {email!r} already."
            raise AlreadyExists(message)


def checked_user(spec: UserSpec) -> UserSpec:
    """In its normal form. Raises InvalidSpecification."""
    spec = replace(
        spec,
        email=spec.email.lower(),
        roles=tuple(sorted(set(spec.roles))),
        manager=spec.manager.lower() if spec.manager else None,
        display_name=spec.display_name or None,
    )
    check_name(spec.email, EMAIL, "email")
    if len(spec.display_name or "") > MAX_DISPLAY_NAME:
        message = f"a display name has at most {MAX_DISPLAY_NAME} characters"
        raise InvalidSpecification(message, param="display_name")
    if len(spec.attributes) > MAX_ATTRIBUTES:
        message = f"a user has at most {MAX_ATTRIBUTES} attributes"
        raise InvalidSpecification(message, param="attributes")
    for name, value in spec.attributes.items():
        check_name(name, ATTRIBUTE, "attributes")
        if not _fits(value):
            message = (
                f"the attribute {name!r} is a text of at most {MAX_ATTRIBUTE} characters, a whole number, true or false, "
                "or a list of such texts"
            )
            raise InvalidSpecification(message, param="attributes")
    return spec


def _fits(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ATTRIBUTE
    if isinstance(value, list):
        return len(value) <= MAX_ATTRIBUTES and all(isinstance(e, str) and len(e) <= MAX_ATTRIBUTE for e in value)
    return isinstance(value, int) and -(2**53) < value < 2**53


def by_hand(present: User, spec: UserSpec) -> UserSpec:
    """What a change by hand makes of a user that a SCIM client looks after: what is not given stays as it is.

    Raises ManagedElsewhere when it would change what is the client's.
    """
    if present.origin.source != SCIM:
        return spec
    owned: dict[str, Any] = {name: getattr(present.spec, name) for name in OWNED}
    for name, default in OWNED.items():
        if getattr(spec, name) not in (default, owned[name]):
            raise managed_elsewhere(present, name)
    return replace(spec, **owned)


def managed_elsewhere(user: User, param: str) -> ManagedElsewhere:
    """The refusal of a change that belongs to a SCIM client."""
    message = f"{user.spec.email} is provisioned by SCIM: their {param.replace('_', ' ')} is changed there."
    if param == "user":
        message = f"{user.spec.email} is provisioned by SCIM, and active: remove or deactivate them there."
    return ManagedElsewhere(message, param=param)


async def _check_roles(unit: UnitOfWork, roles: tuple[str, ...]) -> None:
    await check_standing(unit)
    table = await table_of(unit)
    check_roles(table, roles)
    check_grant(unit, permissions_in(table, roles))
    check_given(unit, roles)
