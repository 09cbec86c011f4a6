"""Who acts, for whom, with what rights."""

from dataclasses import dataclass

from enfilade.core.ids import PLATFORM_ID


@dataclass(frozen=True, slots=True)
class Scope:
    """The rights under which something is done.

    Only `identity` makes one (a test looks for constructions elsewhere), so that holding a Scope proves
    that somebody was authenticated, or that the process acts for itself and says as what.
    """

    tenant: str
    """The tenant's id; `PLATFORM_ID` for the platform itself."""
    actor: str
    """Who is behind it, for the audit log: `key:<id>` or `system:<part>`."""
    permissions: frozenset[str] = frozenset()
    department: str | None = None
    application: str | None = None
    user: str | None = None
    key: str | None = None
    roles: frozenset[str] = frozenset()
    """The roles that the permissions come from, for policies that speak of them."""

    @property
    def is_platform(self) -> bool:
        """Whether this is the platform's operator, who sees every tenant."""
        return self.tenant == PLATFORM_ID

    def may(self, permission: str) -> bool:
        """Whether the permission was granted."""
        return permission in self.permissions
