"""How things are sealed, as it is shown: no key is in it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of a tenant's key, without the key."""

    version: int
    id: str
    state: str
    master_key: str
    own_master_key: bool
    created_at: datetime
    renewed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TenantStatus:
    """How a tenant's things are sealed."""

    tenant: str
    state: str
    """`active`, `withdrawn`, `destroyed`, or `none` when nothing was sealed yet."""
    versions: tuple[KeyVersion, ...] = ()
    withdrawn_by: str | None = None
    """`tenant` or `platform`, while it is withdrawn."""
    subjects: int = 0
    erased_subjects: int = 0
    outdated_subjects: int = 0
    """Subjects' keys that are not wrapped under the newest version yet."""


@dataclass(frozen=True, slots=True)
class MasterKeyUse:
    """A master key, and how many tenants' keys are wrapped under it."""

    name: str
    tenants: int
    keys: int
    is_current: bool
    may_be_removed: bool
    own_of_tenant: bool


@dataclass(frozen=True, slots=True)
class InstallationStatus:
    """How everything is sealed."""

    has_master_key: bool
    master_keys: tuple[MasterKeyUse, ...] = ()
    active: int = 0
    retired: int = 0
    renewing: int = 0
    """Retired versions under which something may still be sealed."""
    withdrawn: int = 0
    destroyed: int = 0
    secrets_outdated: int = 0
    old_form_done: bool = False
    platform: tuple[KeyVersion, ...] = field(default=())


def version_of(row: Any) -> KeyVersion:
    """A version from its row."""
    return KeyVersion(
        version=row["version"],
        id=str(row["id"]),
        state=row["state"],
        master_key=row["master_key"],
        own_master_key=row["for_tenant"] is not None,
        created_at=row["created_at"],
        renewed_at=row["renewed_at"],
    )
