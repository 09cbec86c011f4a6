"""Who acts, for whom, with what rights."""

from dataclasses import dataclass
from typing import Literal

from enfilade.core.ids import PLATFORM_ID

PlaceKind = Literal["department", "application"]


@dataclass(frozen=True, slots=True)
class Confined:
    """Rights that hold for one department, with its applications and users, or for one application only."""

    kind: PlaceKind
    id: str
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a permission holds."""

    everywhere: bool
    departments: frozenset[str] = frozenset()
    applications: frozenset[str] = frozenset()

    @property
    def is_nowhere(self) -> bool:
        """Whether the permission was not granted at all."""
        return not (self.everywhere or self.departments or self.applications)

    def covers(self, department: str | None, application: str | None = None) -> bool:
        """Whether it holds for what belongs to this department or application; what belongs to neither is tenant-wide."""
        return self.everywhere or department in self.departments or application in self.applications


EVERYWHERE = Extent(everywhere=True)
NOWHERE = Extent(everywhere=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """The rights under which something is done.

    Only `identity` makes one (a test looks for constructions elsewhere), so that holding a Scope proves
    that somebody was authenticated, or that the process acts for itself and says as what.
    """

    tenant: str
    """The tenant's id; `PLATFORM_ID` for the platform itself."""
    actor: str
    """Who is behind it, for the audit log: `key:<id>`, `user:<id>`, `break_glass:<id>` or `system:<part>`."""
    permissions: frozenset[str] = frozenset()
    """What may be done in the whole tenant."""
    department: str | None = None
    application: str | None = None
    user: str | None = None
    key: str | None = None
    roles: frozenset[str] = frozenset()
    """The roles that the permissions come from, for policies that speak of them."""
    confined: tuple[Confined, ...] = ()
    """What may be done in parts of the tenant besides."""
    lasting: "Scope | None" = None
    """The same without what is held for a time only; None where nothing is. That alone may be passed on to others."""

    @property
    def is_platform(self) -> bool:
        """Whether this is the platform's operator, who sees every tenant."""
        return self.tenant == PLATFORM_ID

    @property
    def for_good(self) -> "Scope":
        """What may be passed on to others."""
        return self.lasting or self

    def may(self, permission: str) -> bool:
        """Whether the permission was granted for the whole tenant."""
        return permission in self.permissions

    def extent(self, permission: str) -> Extent:
        """Where in the tenant the permission was granted."""
        if permission in self.permissions:
            return EVERYWHERE
        if not self.confined:
            return NOWHERE
        held = [part for part in self.confined if permission in part.permissions]
        return Extent(
            everywhere=False,
            departments=frozenset(part.id for part in held if part.kind == "department"),
            applications=frozenset(part.id for part in held if part.kind == "application"),
        )

    def may_in(self, permission: str, department: str | None, application: str | None = None) -> bool:
        """Whether the permission was granted for what belongs to this department or application."""
        return permission in self.permissions or self.extent(permission).covers(department, application)
