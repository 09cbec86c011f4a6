"""From the names in filters to ids."""

from typing import Any

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, TenantRequired
from enfilade.storage.unit_of_work import UnitOfWork


async def subject_id(context: AdminContext, unit: UnitOfWork, actor: Actor, kind: str, name: str | None) -> str | None:
    """The id behind a name in a filter."""
    if name is None:
        return None
    if actor.tenant is None:
        message = f"A name such as this {kind}'s means something within a tenant only."
        raise TenantRequired(message, param="tenant")
    found: Any
    if kind == "department":
        found = await context.rooms.identity.departments.get(unit, name)
    elif kind == "application":
        found = await context.rooms.identity.applications.get(unit, name)
    elif kind == "user":
        found = await context.rooms.identity.users.get(unit, name)
    else:
        found = await context.rooms.identity.keys.get(unit, name)
    identifier: str = found.id
    return identifier
