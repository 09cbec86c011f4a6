"""Keys under which everything kept is sealed: looked at, rotated, withdrawn, restored, destroyed."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.core.errors import InvalidRequest
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.permissions import ENCRYPTION_MANAGE, ENCRYPTION_READ
from enfilade.sealing.statuses import InstallationStatus, KeyVersion, TenantStatus

ROUTER = APIRouter(prefix="/encryption", tags=["encryption"])
PlatformReader = Annotated[Actor, Depends(Needs(ENCRYPTION_READ, "platform"))]
PlatformManager = Annotated[Actor, Depends(Needs(ENCRYPTION_MANAGE, "platform"))]
Reader = Annotated[Actor, Depends(Needs(ENCRYPTION_READ, "one"))]
Manager = Annotated[Actor, Depends(Needs(ENCRYPTION_MANAGE, "one"))]
AnyManager = Annotated[Actor, Depends(Needs(ENCRYPTION_MANAGE))]


class Strict(BaseModel):
    """A body without fields that nobody reads."""

    model_config = ConfigDict(extra="forbid")


class VersionView(BaseModel):
    """One version of a tenant's key."""

    version: int
    id: str
    state: str
    master_key: str
    own_master_key: bool
    created_at: datetime
    renewed_at: datetime | None


class TenantKeyView(BaseModel):
    """How a tenant's things are sealed."""

    tenant: str
    state: str = Field(description="active, withdrawn, destroyed, or none when nothing was sealed yet.")
    withdrawn_by: str | None = Field(description="tenant or platform, while it is withdrawn: who may restore it.")
    versions: list[VersionView]
    subjects: int = Field(description="People and applications with a key.")
    erased_subjects: int
    outdated_subjects: int = Field(description="Those whose key is not wrapped under the newest version yet.")


class MasterKeyView(BaseModel):
    """A master key, and what is wrapped under it."""

    name: str
    tenants: int
    keys: int
    is_current: bool
    may_be_removed: bool
    own_of_tenant: bool


class EncryptionView(BaseModel):
    """How everything is sealed, and how far rotations have come."""

    has_master_key: bool
    master_keys: list[MasterKeyView]
    active: int
    retired: int
    renewing: int = Field(description="Retired versions under which something may still be sealed.")
    withdrawn: int = Field(description="Tenants.")
    destroyed: int = Field(description="Tenants.")
    secrets_outdated: int
    old_form_done: bool = Field(description="Whether nothing is sealed directly under a master key any more.")
    platform: list[VersionView]


class Renewed(BaseModel):
    """What was wrapped or sealed anew."""

    renewed: int


class OwnMasterKey(Strict):
    """A master key of the tenant's own; null goes back to the installation's."""

    service: str | None = Field(max_length=2200, description="vault-transit:MOUNT/KEY or aws-kms:REGION/KEY-ID.")


class Confirmation(Strict):
    """What cannot be undone is confirmed by the tenant's name."""

    confirm: str = Field(max_length=100)


def _version(version: KeyVersion) -> VersionView:
    return VersionView.model_validate(version, from_attributes=True)


def _name(context: Context, actor: Actor) -> str:
    tenant = context.principals.tenant(str(actor.tenant))
    return tenant.name if tenant else str(actor.tenant)


def _tenant(context: Context, actor: Actor, status: TenantStatus) -> TenantKeyView:
    return TenantKeyView(
        tenant=_name(context, actor),
        state=status.state,
        withdrawn_by=status.withdrawn_by,
        versions=[_version(version) for version in status.versions],
        subjects=status.subjects,
        erased_subjects=status.erased_subjects,
        outdated_subjects=status.outdated_subjects,
    )


def _is_above(actor: Actor) -> bool:
    """Whether the platform does it, rather than the tenant."""
    return actor.principal.scope.is_platform


def _installation(status: InstallationStatus) -> EncryptionView:
    return EncryptionView.model_validate(status, from_attributes=True)


@ROUTER.get("")
async def read(context: Context, actor: PlatformReader) -> EncryptionView:
    """Show the master keys, how many tenants' keys are wrapped under each, and how far rotations have come."""
    del actor
    return _installation(await context.encryption.status())


@ROUTER.get("/key")
async def read_key(context: Context, actor: Reader) -> TenantKeyView:
    """Show the versions of a tenant's key, and how far a rotation has come."""
    return _tenant(context, actor, await context.encryption.status_of(str(actor.tenant)))


@ROUTER.post("/rotate")
async def rotate(context: Context, actor: AnyManager) -> list[VersionView]:
    """Give a tenant a new version of its key, or the platform when no tenant is named. Nothing is interrupted."""
    await context.encryption.rotate(actor.scope)
    status = await context.encryption.status_of(actor.tenant or PLATFORM_ID)
    return [_version(version) for version in status.versions]


@ROUTER.post("/rewrap")
async def rewrap(context: Context, actor: PlatformManager) -> Renewed:
    """Wrap and seal anew what a rotation left, now rather than in the background."""
    del actor
    return Renewed(renewed=await context.encryption.renew())


@ROUTER.put("/master-key")
async def declare(context: Context, body: OwnMasterKey, actor: Manager) -> TenantKeyView:
    """Wrap a tenant's key under a master key of the tenant's own. It is tried before anything changes."""
    await context.encryption.declare(actor.scope, body.service, _name(context, actor), by_platform=_is_above(actor))
    return _tenant(context, actor, await context.encryption.status_of(str(actor.tenant)))


@ROUTER.post("/withdraw")
async def withdraw(context: Context, actor: Manager) -> TenantKeyView:
    """Withdraw a tenant's key: nothing of it is read and no call of its is served, within a second, until it is restored."""
    await context.encryption.withdraw(actor.scope, by_platform=_is_above(actor))
    return _tenant(context, actor, await context.encryption.status_of(str(actor.tenant)))


@ROUTER.post("/restore")
async def restore(context: Context, actor: Manager) -> TenantKeyView:
    """Give a withdrawn key back. What the platform withdrew, only the platform does."""
    await context.encryption.restore(actor.scope, by_platform=_is_above(actor))
    return _tenant(context, actor, await context.encryption.status_of(str(actor.tenant)))


@ROUTER.post("/destroy")
async def destroy(context: Context, body: Confirmation, actor: Manager) -> TenantKeyView:
    """Destroy a tenant's key for good: what was sealed under it can be read by nobody any more."""
    if body.confirm != _name(context, actor):
        message = "Confirm by the tenant's name: nobody can undo this."
        raise InvalidRequest(message, param="confirm")
    await context.encryption.destroy(actor.scope, by_platform=_is_above(actor))
    return _tenant(context, actor, await context.encryption.status_of(str(actor.tenant)))
