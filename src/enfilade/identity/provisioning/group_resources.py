"""Groups, as a directory elsewhere changes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from enfilade.identity.errors import UnknownGroup
from enfilade.identity.provisioning import store
from enfilade.identity.provisioning.changes import Operation
from enfilade.identity.provisioning.group_forms import GroupDraft, group_resource
from enfilade.identity.provisioning.groups import Groups
from enfilade.identity.provisioning.resources import Listed, Query, is_id, refers_to_nobody, select
from enfilade.identity.provisioning.schemas import GROUPS
from enfilade.identity.rows import check_version
from enfilade.identity.types import SCIM, Group, GroupSpec, Origin
from enfilade.storage.unit_of_work import UnitOfWork


class GroupResources:
    """See `Resources`."""

    kind = GROUPS

    def __init__(self, groups: Groups) -> None:
        """Change groups by the rules of their own room."""
        self._groups = groups

    async def page(self, unit: UnitOfWork, query: Query, base: str) -> Listed:
        """See `Resources`."""
        ids, total = await select(unit, GROUPS, query)
        facts = await self._facts(unit, ids, members=query.members)
        return Listed([group_resource(facts[name], base) for name in ids], total, max(query.start, 1))

    async def show(self, unit: UnitOfWork, identifier: str, base: str, *, members: bool = True) -> dict[str, Any]:
        """See `Resources`."""
        found = await self._facts(unit, [identifier], members=members) if is_id(identifier) else {}
        row = next(iter(found.values()), None)
        if row is None:
            raise _no_group(identifier)
        return group_resource(row, base)

    async def create(self, unit: UnitOfWork, body: Mapping[str, Any]) -> str:
        """See `Resources`."""
        draft = GroupDraft.from_body(body)
        await self._groups.require_new(unit, draft.name)
        spec, origin = await self._wanted(unit, draft)
        group, _ = await self._groups.put(unit, spec, origin=origin)
        return group.id

    async def replace(self, unit: UnitOfWork, identifier: str, body: Mapping[str, Any], expected: int | None) -> None:
        """See `Resources`."""
        draft = GroupDraft.from_body(body)
        await self._change(unit, await self._find(unit, identifier, expected), draft)

    async def patch(
        self, unit: UnitOfWork, identifier: str, operations: Sequence[Operation], expected: int | None
    ) -> None:
        """See `Resources`."""
        present = await self._find(unit, identifier, expected)
        rows = await unit.fetch(store.MEMBER_IDS, unit.tenant, present.id)
        draft = GroupDraft(present.spec.name, present.origin.external_id, {str(row["user_id"]) for row in rows})
        for operation in operations:
            draft.apply(operation)
        await self._change(unit, present, draft)

    async def delete(self, unit: UnitOfWork, identifier: str, expected: int | None) -> None:
        """Remove a group; its members stay. See `Resources`."""
        present = await self._find(unit, identifier, expected)
        await self._groups.remove(unit, present.id, origin=Origin(SCIM))

    async def _find(self, unit: UnitOfWork, identifier: str, expected: int | None) -> Group:
        present = await self._groups.find(unit, identifier.lower()) if is_id(identifier) else None
        if present is None:
            raise _no_group(identifier)
        check_version(expected, present.version)
        return present

    async def _change(self, unit: UnitOfWork, present: Group, draft: GroupDraft) -> None:
        spec, origin = await self._wanted(unit, draft)
        await self._groups.change(unit, present, spec, origin=origin)

    async def _wanted(self, unit: UnitOfWork, draft: GroupDraft) -> tuple[GroupSpec, Origin]:
        """What the groups' own room needs of a draft. Raises ScimFault for members who are not there."""
        rows = await unit.fetch(store.EMAILS_OF, unit.tenant, list(draft.members))
        missing = draft.members - {str(row["id"]) for row in rows}
        if missing:
            raise refers_to_nobody(min(missing), "members")
        return GroupSpec(draft.name, tuple(row["email"] for row in rows)), Origin(SCIM, draft.external_id)

    async def _facts(self, unit: UnitOfWork, ids: Sequence[str], *, members: bool) -> dict[str, Mapping[str, Any]]:
        rows = await unit.fetch(store.GROUP_FACTS, unit.tenant, list(ids), members)
        return {str(row["id"]): row for row in rows}


def _no_group(identifier: str) -> UnknownGroup:
    message = f"There is no group {identifier[:100]!r} in this tenant."
    return UnknownGroup(message, param="id")
