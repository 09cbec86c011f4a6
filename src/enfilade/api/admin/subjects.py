"""From the names in filters to ids."""

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, TenantRequired
from enfilade.api.admin.seen import seen
from enfilade.storage.unit_of_work import UnitOfWork


async def subject_id(context: AdminContext, unit: UnitOfWork, actor: Actor, kind: str, name: str | None) -> str | None:
    """The id behind a name in a filter."""
    if name is None:
        return None
    if actor.tenant is None:
        message = f"A name such as this {kind}'s means something within a tenant only."
        raise TenantRequired(message, param="tenant")
    return await seen(context, unit, actor, kind, name)
