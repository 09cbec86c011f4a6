"""What a tenant's owners demand of keys, and of the platform's people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import IfMatch, expected_version, tag
from enfilade.configuration.role_parts import Security
from enfilade.configuration.roles import security_fields, security_settings
from enfilade.identity.permissions import SECURITY_READ, SECURITY_WRITE
from enfilade.identity.roles.types import SecuritySettings


class SecurityView(Security):
    """A tenant's security settings."""

    version: int


ROUTER = APIRouter(prefix="/security-settings", tags=["roles"])
Reader = Annotated[Actor, Depends(Needs(SECURITY_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(SECURITY_WRITE, "one"))]


def show(settings: SecuritySettings) -> SecurityView:
    """As they are shown."""
    return SecurityView(**security_fields(settings), version=settings.version)


@ROUTER.get("")
async def read(context: Context, actor: Reader, response: Response) -> SecurityView:
    """Show the tenant's security settings."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        settings = await context.rooms.identity.security.get(unit)
    tag(response, settings.version)
    return show(settings)


@ROUTER.put("")
async def change(
    context: Context, body: Security, actor: Writer, response: Response, if_match: IfMatch = None
) -> SecurityView:
    """Change the tenant's security settings; what is left out is as it is without."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        settings, _ = await context.rooms.identity.security.put(
            unit, security_settings(body), expected_version(if_match)
        )
    tag(response, settings.version)
    return show(settings)
