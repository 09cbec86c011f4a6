"""What one of the platform's people does in a tenant after breaking the glass: each request is an event, in two logs."""

from fastapi import Request

from enfilade.api.admin.context import AdminContext
from enfilade.core.scope import Scope
from enfilade.identity.permissions import BREAK_GLASS_MANAGE, BREAK_GLASS_RIGHTS
from enfilade.identity.scopes import glass_scope

NOT_SHOWN = "(an address)"


async def glass_of(
    context: AdminContext, request: Request, scope: Scope, tenant: str, permission: str | None
) -> Scope | None:
    """The scope of whoever broke the glass in the tenant and may do this under it; None for everybody else.

    The request is in both logs before it is worked on: one that cannot be written down is not worked on.
    """
    if permission not in BREAK_GLASS_RIGHTS or not scope.may(BREAK_GLASS_MANAGE):
        return None
    glass = context.principals.glass(tenant, scope.actor, context.clock.now_ns())
    if glass is None:
        return None
    made = glass_scope(tenant, glass.id, BREAK_GLASS_RIGHTS)
    told = {"id": glass.id, "method": request.method, "path": _path(request), "permission": permission}
    async with context.storage.unit_of_work(made, alone=False) as unit:
        unit.record("BreakGlassUsed", **told, by=scope.actor)
    async with context.storage.unit_of_work(scope, alone=False) as unit:
        unit.record("BreakGlassUsed", **told, in_tenant=tenant)
    return made


def _path(request: Request) -> str:
    """The path as it was asked for. A person's address stays out of it: a log cannot be edited."""
    return "/".join(NOT_SHOWN if "@" in part else part for part in request.url.path[:500].split("/"))
