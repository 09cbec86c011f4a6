"""The nouns of roles."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

LOCAL = "local"
"""The source of assignments that somebody made by hand."""
OperatorAccess = Literal["standing", "break_glass"]


def source_of(issuer: str) -> str:
    """The source of assignments for which an issuer of this name vouches."""
    return f"oidc:{issuer}"


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """What an administrator says of a role."""

    name: str
    permissions: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """A role; a built-in one has no id and no version."""

    tenant: str
    spec: RoleSpec
    id: str | None = None
    version: int = 0
    created_at: datetime | None = None

    @property
    def is_built_in(self) -> bool:
        """Whether it cannot be changed."""
        return self.id is None


@dataclass(frozen=True, slots=True)
class AssignmentSpec:
    """Who is to have which role, and where: in the tenant, or in one department or application of it."""

    role: str
    user: str | None = None
    """An e-mail address."""
    group: str | None = None
    department: str | None = None
    application: str | None = None


@dataclass(frozen=True, slots=True)
class NamedAssignment:
    """An assignment with the names of all that it names."""

    id: str
    tenant: str
    role: str
    user: str | None
    group: str | None
    department: str | None
    application: str | None
    source: str
    created_at: datetime
    user_id: str | None
    group_id: str | None
    department_id: str | None
    application_id: str | None


@dataclass(frozen=True, slots=True)
class SecuritySettings:
    """What a tenant's owners demand."""

    operator_access: OperatorAccess = "standing"
    """Whether the platform's people come in as they are, or by breaking the glass only."""
    max_key_lifetime_s: int | None = None
    """How long a key may live that is issued or changed from now on."""
    version: int = 0


@dataclass(frozen=True, slots=True)
class BrokenGlass:
    """One of the platform's people in a tenant, for a time and a reason."""

    id: str
    tenant: str
    actor: str
    reason: str
    opened_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None
    reviewed_at: datetime | None = None
    reviewed_by: str | None = None
    review_note: str | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether its rights hold."""
        return self.ended_at is None and now < self.expires_at

    def state(self, now: datetime) -> str:
        """`open`, `unreviewed` or `reviewed`."""
        if self.is_open(now):
            return "open"
        return "reviewed" if self.reviewed_at else "unreviewed"
