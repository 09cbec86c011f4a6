"""The processes that serve, and who is asking."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from enfilade import __version__
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View
from enfilade.identity.permissions import REPLICAS_READ
from enfilade.storage.replicas import list_replicas


class ReplicaView(View):
    """A serving process."""

    id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    heartbeat_at: datetime
    applied_revision: int
    is_this: bool


class ReplicaList(View):
    """All serving processes. A change is in force everywhere once each has applied `revision`."""

    revision: Annotated[int, Field(description="The revision that this process has applied.")]
    items: list[ReplicaView]


class WhoAmI(View):
    """Whom a key stands for."""

    key: str
    tenant: str
    platform: bool
    application: str | None
    user: Annotated[str | None, Field(description="The person's address.")]
    permissions: list[str]
    version: Annotated[str, Field(description="The program's version.")]


ROUTER = APIRouter(tags=["operations"])
Operator = Annotated[Actor, Depends(Needs(REPLICAS_READ, "platform"))]
Anybody = Annotated[Actor, Depends(Needs(None))]


@ROUTER.get("/replicas")
async def replicas(context: Context, actor: Operator) -> ReplicaList:
    """List the processes that serve, with the revision that each applies."""
    del actor
    items = [
        ReplicaView(
            id=state.id,
            host=state.host,
            pid=state.pid,
            version=state.version,
            started_at=state.started_at,
            heartbeat_at=state.heartbeat_at,
            applied_revision=state.applied_revision,
            is_this=state.id == context.replica,
        )
        for state in await list_replicas(context.database)
    ]
    return ReplicaList(revision=context.directory.revision, items=items)


@ROUTER.get("/whoami")
async def whoami(context: Context, actor: Anybody) -> WhoAmI:
    """Whom the key stands for."""
    principal = actor.principal
    scope = principal.scope
    return WhoAmI(
        key=principal.key_name,
        tenant=principal.tenant.name,
        platform=principal.scope.is_platform,
        application=principal.application.spec.name if principal.application else None,
        user=context.principals.subject_name(scope.tenant, "user", scope.user) if scope.user else None,
        permissions=sorted(principal.scope.permissions),
        version=__version__,
    )
