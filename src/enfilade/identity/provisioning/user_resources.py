"""People, as a directory elsewhere changes them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from enfilade.identity.errors import AlreadyExists
from enfilade.identity.people import Departments, Users
from enfilade.identity.provisioning import store
from enfilade.identity.provisioning.changes import Operation
from enfilade.identity.provisioning.resources import Listed, Query, is_id, no_such_user, refers_to_nobody, select
from enfilade.identity.provisioning.schemas import USERS
from enfilade.identity.provisioning.user_forms import Draft, user_resource
from enfilade.identity.rows import check_version, user_of
from enfilade.identity.types import LOCAL, SCIM, Origin, User, UserSpec
from enfilade.storage.unit_of_work import UnitOfWork


class UserResources:
    """See `Resources`."""

    kind = USERS

    def __init__(self, users: Users, departments: Departments) -> None:
        """Change people by the rules of their own room."""
        self._users = users
        self._departments = departments

    async def page(self, unit: UnitOfWork, query: Query, base: str) -> Listed:
        """See `Resources`."""
        ids, total = await select(unit, USERS, query)
        return Listed(await self._shown(unit, ids, base), total, max(query.start, 1))

    async def show(self, unit: UnitOfWork, identifier: str, base: str, *, members: bool = True) -> dict[str, Any]:
        """See `Resources`."""
        del members
        user = await self._find(unit, identifier)
        return (await self._shown(unit, [user.id], base))[0]

    async def create(self, unit: UnitOfWork, body: Mapping[str, Any]) -> str:
        """A new user, or one who was deleted before and comes back. See `Resources`."""
        draft = Draft.from_body(body)
        spec = draft.spec(None)
        present = await self._users.find(unit, spec.email)
        if present is not None:
            if present.spec.active or present.origin.source == SCIM:
                message = f"There is a user {spec.email!r} already."
                raise AlreadyExists(message, param="userName")
            draft.values["active"] = draft.values.get("active") is not False
            spec = draft.spec(present)
        return (await self._write(unit, present, spec, draft)).id

    async def replace(self, unit: UnitOfWork, identifier: str, body: Mapping[str, Any], expected: int | None) -> None:
        """See `Resources`."""
        draft = Draft.from_body(body)
        present = await self._find(unit, identifier, expected)
        await self._write(unit, present, draft.spec(present), draft)

    async def patch(
        self, unit: UnitOfWork, identifier: str, operations: Sequence[Operation], expected: int | None
    ) -> None:
        """See `Resources`."""
        present = await self._find(unit, identifier, expected)
        draft = Draft.of(present)
        for operation in operations:
            draft.apply(operation)
        await self._write(unit, present, draft.spec(present), draft)

    async def delete(self, unit: UnitOfWork, identifier: str, expected: int | None) -> None:
        """Let a user not come in any more: inactive, in no group, keys and sessions ended, and nobody's but the tenant's."""
        present = await self._find(unit, identifier, expected)
        await self._users.change(unit, present, replace(present.spec, active=False), origin=Origin(LOCAL))
        await self._users.leave_groups(unit, present)
        await self._users.revoke_keys(unit, present, "deprovisioned")

    async def _find(self, unit: UnitOfWork, identifier: str, expected: int | None = None) -> User:
        """A user whom a client may see. Raises UnknownPerson, VersionMismatch."""
        rows = await unit.fetch(store.FIND_USERS, unit.tenant, [identifier]) if is_id(identifier) else []
        if not rows:
            raise no_such_user(identifier)
        user = user_of(rows[0])
        check_version(expected, user.version)
        return user

    async def _write(self, unit: UnitOfWork, present: User | None, spec: UserSpec, draft: Draft) -> User:
        spec = await self._placed(unit, spec)
        if spec.manager is not None:
            # By the address, as the people's own room has it: what did not change is then seen not to have changed.
            manager = await self._users.find(unit, spec.manager)
            if manager is None:
                raise refers_to_nobody(spec.manager, "manager")
            spec = replace(spec, manager=manager.spec.email)
        origin = Origin(SCIM, draft.values.get("externalId"))
        if present is None:
            user, _ = await self._users.put(unit, spec, origin=origin)
            return user
        user, _ = await self._users.change(unit, present, spec, origin=origin)
        return user

    async def _placed(self, unit: UnitOfWork, spec: UserSpec) -> UserSpec:
        """With the department of that name, where there is one; what a directory calls one need not be one here."""
        name = spec.attributes.get("department")
        department = await self._departments.find(unit, name) if isinstance(name, str) else None
        return replace(spec, department=department.name) if department else spec

    async def _shown(self, unit: UnitOfWork, ids: Sequence[str], base: str) -> list[dict[str, Any]]:
        users = {str(row["id"]): user_of(row) for row in await unit.fetch(store.FIND_USERS, unit.tenant, list(ids))}
        facts = {str(row["id"]): row for row in await unit.fetch(store.USER_FACTS, unit.tenant, list(ids))}
        return [user_resource(users[name], facts[name], base) for name in ids]
