"""Provisioning: a directory elsewhere says who there is (SCIM 2.0, RFC 7643 and 7644)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from enfilade.identity.errors import AlreadyExists, UnknownGroup, UnknownPerson
from enfilade.identity.people import Departments, Users
from enfilade.identity.provisioning import store
from enfilade.identity.provisioning.changes import Operation
from enfilade.identity.provisioning.compiling import Compiler
from enfilade.identity.provisioning.filters import parse_filter, parse_path
from enfilade.identity.provisioning.group_forms import GroupDraft, group_resource, unknown_member
from enfilade.identity.provisioning.groups import Groups
from enfilade.identity.provisioning.schemas import GROUPS, USERS, Kind
from enfilade.identity.provisioning.user_forms import Draft, user_resource
from enfilade.identity.rows import check_version, user_of
from enfilade.identity.sign_in.sessions import Sessions
from enfilade.identity.types import LOCAL, SCIM, Group, GroupSpec, Origin, User, UserSpec
from enfilade.storage.unit_of_work import UnitOfWork

DEFAULT_COUNT = 100
MAX_COUNT = 500
MAX_START = 10_000_000


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for."""

    filter: str | None = None
    sort_by: str | None = None
    descending: bool = False
    start: int = 1
    count: int = DEFAULT_COUNT
    members: bool = True
    """Whether groups' members are wanted."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of resources, and how many there are in all."""

    resources: list[dict[str, Any]]
    total: int
    start: int


class Provisioning:
    """The use cases. Resources are addressed under `base`."""

    def __init__(self, users: Users, groups: Groups, departments: Departments, sessions: Sessions) -> None:
        """Change people and groups by the rules of their own rooms."""
        self._users = users
        self._groups = groups
        self._departments = departments
        self._sessions = sessions

    async def list_users(self, unit: UnitOfWork, query: Query, base: str) -> Listed:
        """A page of users. Raises InvalidFilter."""
        ids, total = await _select(unit, USERS, query)
        return Listed(await self._user_resources(unit, ids, base), total, max(query.start, 1))

    async def find_user(self, unit: UnitOfWork, identifier: str) -> User:
        """A user whom a client may see. Raises UnknownPerson."""
        rows = await unit.fetch(store.FIND_USERS, unit.tenant, [identifier]) if _is_id(identifier) else []
        if not rows:
            message = f"There is no user {identifier[:100]!r} in this tenant."
            raise UnknownPerson(message, param="id")
        return user_of(rows[0])

    async def show_user(self, unit: UnitOfWork, identifier: str, base: str) -> dict[str, Any]:
        """A user as clients see them. Raises UnknownPerson."""
        user = await self.find_user(unit, identifier)
        return (await self._user_resources(unit, [user.id], base))[0]

    async def create_user(self, unit: UnitOfWork, draft: Draft) -> str:
        """A new user, or one who was deleted before and comes back; the id. Raises AlreadyExists, ScimFault."""
        spec = draft.spec(None)
        present = await self._users.find(unit, spec.email)
        if present is not None:
            if present.spec.active or present.origin.source == SCIM:
                message = f"There is a user {spec.email!r} already."
                raise AlreadyExists(message, param="userName")
            draft.values["active"] = draft.values.get("active") is not False
            spec = draft.spec(present)
        return (await self._write_user(unit, present, spec, draft)).id

    async def replace_user(self, unit: UnitOfWork, identifier: str, draft: Draft, expected: int | None) -> str:
        """A user made to be as sent. Raises UnknownPerson, VersionMismatch, ScimFault."""
        present = await self.find_user(unit, identifier)
        check_version(expected, present.version)
        return (await self._write_user(unit, present, draft.spec(present), draft)).id

    async def patch_user(
        self, unit: UnitOfWork, identifier: str, operations: Sequence[Operation], expected: int | None
    ) -> str:
        """A user changed. Raises UnknownPerson, VersionMismatch, and what is wrong with an operation."""
        present = await self.find_user(unit, identifier)
        check_version(expected, present.version)
        draft = Draft.of(present)
        for operation in operations:
            draft.apply(operation)
        return (await self._write_user(unit, present, draft.spec(present), draft)).id

    async def delete_user(self, unit: UnitOfWork, identifier: str, expected: int | None) -> None:
        """A user who may not come in any more: inactive, keys and sessions ended, and nobody's but the tenant's again."""
        present = await self.find_user(unit, identifier)
        check_version(expected, present.version)
        spec = replace(present.spec, active=False)
        await self._users.change(unit, present, spec, origin=Origin(LOCAL))
        await self._end(unit, present)
        await self._users.revoke_keys(unit, present, "deprovisioned")

    async def _write_user(self, unit: UnitOfWork, present: User | None, spec: UserSpec, draft: Draft) -> User:
        spec = await self._placed(unit, spec)
        if spec.manager is not None:
            # By the address, as the people's own room has it: what did not change is then seen not to have changed.
            spec = replace(spec, manager=(await self._users.get(unit, spec.manager, "manager")).spec.email)
        origin = Origin(SCIM, draft.values.get("externalId"))
        if present is None:
            user, _ = await self._users.put(unit, spec, origin=origin)
            return user
        user, _ = await self._users.change(unit, present, spec, origin=origin)
        if present.spec.active and not spec.active:
            await self._end(unit, present)
        return user

    async def _placed(self, unit: UnitOfWork, spec: UserSpec) -> UserSpec:
        """With the department of that name, where there is one; what a directory calls one need not be one here."""
        name = spec.attributes.get("department")
        department = await self._departments.find(unit, name) if isinstance(name, str) else None
        return replace(spec, department=department.name) if department else spec

    async def _end(self, unit: UnitOfWork, user: User) -> None:
        await self._sessions.revoke_all(unit, user.id, "deprovisioned")

    async def _user_resources(self, unit: UnitOfWork, ids: Sequence[str], base: str) -> list[dict[str, Any]]:
        users = {str(row["id"]): user_of(row) for row in await unit.fetch(store.FIND_USERS, unit.tenant, list(ids))}
        facts = {str(row["id"]): row for row in await unit.fetch(store.USER_FACTS, unit.tenant, list(ids))}
        return [user_resource(users[name], facts[name], base) for name in ids]

    async def list_groups(self, unit: UnitOfWork, query: Query, base: str) -> Listed:
        """A page of groups. Raises InvalidFilter."""
        ids, total = await _select(unit, GROUPS, query)
        facts = await self._group_facts(unit, ids, members=query.members)
        return Listed([group_resource(facts[name], base) for name in ids], total, max(query.start, 1))

    async def show_group(self, unit: UnitOfWork, identifier: str, base: str, *, members: bool = True) -> dict[str, Any]:
        """A group as clients see it. Raises UnknownGroup."""
        found = await self._group_facts(unit, [identifier], members=members) if _is_id(identifier) else {}
        row = next(iter(found.values()), None)
        if row is None:
            raise _no_group(identifier)
        return group_resource(row, base)

    async def create_group(self, unit: UnitOfWork, draft: GroupDraft) -> str:
        """A new group; its id. Raises AlreadyExists, UnknownPerson."""
        await self._groups.require_new(unit, str(draft.name))
        return (await self._write_group(unit, None, draft)).id

    async def replace_group(self, unit: UnitOfWork, identifier: str, draft: GroupDraft, expected: int | None) -> None:
        """A group made to be as sent. Raises UnknownGroup, VersionMismatch, UnknownPerson."""
        present = await self._group(unit, identifier, expected)
        await self._write_group(unit, present, draft)

    async def patch_group(
        self, unit: UnitOfWork, identifier: str, operations: Sequence[Operation], expected: int | None
    ) -> None:
        """A group changed. Raises UnknownGroup, VersionMismatch, and what is wrong with an operation."""
        present = await self._group(unit, identifier, expected)
        rows = await unit.fetch(store.MEMBER_IDS, unit.tenant, present.id)
        draft = GroupDraft(present.spec.name, present.origin.external_id, {str(row["user_id"]) for row in rows})
        for operation in operations:
            draft.apply(operation)
        await self._write_group(unit, present, draft)

    async def delete_group(self, unit: UnitOfWork, identifier: str, expected: int | None) -> None:
        """No group any more; its members stay."""
        present = await self._group(unit, identifier, expected)
        await self._groups.remove(unit, present.id, origin=Origin(SCIM))

    async def _group(self, unit: UnitOfWork, identifier: str, expected: int | None) -> Group:
        present = await self._groups.find(unit, identifier.lower()) if _is_id(identifier) else None
        if present is None:
            raise _no_group(identifier)
        check_version(expected, present.version)
        return present

    async def _write_group(self, unit: UnitOfWork, present: Group | None, draft: GroupDraft) -> Group:
        wanted = draft.members or set()
        rows = await unit.fetch(store.EMAILS_OF, unit.tenant, list(wanted))
        missing = wanted - {str(row["id"]) for row in rows}
        if missing:
            raise unknown_member(min(missing))
        spec = GroupSpec(str(draft.name), tuple(row["email"] for row in rows))
        origin = Origin(SCIM, draft.external_id)
        if present is None:
            group, _ = await self._groups.put(unit, spec, origin=origin)
        else:
            group, _ = await self._groups.change(unit, present, spec, origin=origin)
        return group

    async def _group_facts(
        self, unit: UnitOfWork, ids: Sequence[str], *, members: bool
    ) -> dict[str, Mapping[str, Any]]:
        rows = await unit.fetch(store.GROUP_FACTS, unit.tenant, list(ids), members)
        return {str(row["id"]): row for row in rows}


async def _select(unit: UnitOfWork, kind: Kind, query: Query) -> tuple[list[str], int]:
    """The ids of a page, and how many there are in all."""
    source, table = (store.FROM_USERS, "u") if kind is USERS else (store.FROM_GROUPS, "g")
    compiler = Compiler(kind, [unit.tenant])
    condition = compiler.condition(parse_filter(query.filter)) if query.filter else None
    total: int = await unit.fetch_value(store.total(source, condition), *compiler.parameters)
    start, count = min(max(query.start, 1), MAX_START), min(max(query.count, 0), MAX_COUNT)
    if count == 0 or start > total:
        return [], total
    order = compiler.sort_key(parse_path(query.sort_by)) if query.sort_by else None
    if order is not None and query.descending:
        order += " DESC NULLS LAST"
    place = len(compiler.parameters)
    statement = store.selection(source, table, condition, order, (f"${place + 1}", f"${place + 2}"))
    rows = await unit.fetch(statement, *compiler.parameters, count, start - 1)
    return [str(row["id"]) for row in rows], total


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _no_group(identifier: str) -> UnknownGroup:
    message = f"There is no group {identifier[:100]!r} in this tenant."
    return UnknownGroup(message, param="id")
