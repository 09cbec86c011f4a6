"""What a person may do: the roles on their row, assignments to them, and assignments to their groups, added up.

Everybody who makes a scope for a person asks the directory's section `Principals`, which has this worked out:

* `principals.rights(tenant_id, user_id) -> Rights | None`: None for a person who is not there or not active.
* A key that stands for a user has what its own roles and scopes name and the user has now (`Rights.only`).

Roles for which an issuer vouches are assignments too, of the source `oidc:<issuer>` (`tokens/vouched.py`). They hold in
the sessions that the issuer vouched for and in its tokens, not in keys, which would have them when the issuer has long
forgotten the person. They are exempt from the rule that nobody grants what they lack: an issuer is
declared by somebody who has all of a tenant's rights.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from enfilade.core.ids import PLATFORM_ID
from enfilade.core.scope import Confined, PlaceKind
from enfilade.identity.permissions import PLATFORM_ROLES, TENANT_ROLES

RoleTable = Mapping[str, frozenset[str]]
"""What each role of a tenant includes, by its name: built-in ones and the tenant's own."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role given to a user or to a group: for the whole tenant, or for one department or application of it."""

    id: str
    tenant: str
    role: str
    user_id: str | None = None
    group_id: str | None = None
    department_id: str | None = None
    application_id: str | None = None
    source: str = "local"


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do in a tenant."""

    permissions: frozenset[str] = frozenset()
    """In the whole tenant."""
    confined: tuple[Confined, ...] = ()
    """In departments and applications, one entry for each."""
    roles: frozenset[str] = frozenset()
    """The names of all roles that this comes from, confined ones among them."""

    def only(self, permissions: frozenset[str]) -> "Rights":
        """No more than these permissions, wherever they hold."""
        confined = (Confined(part.kind, part.id, part.permissions & permissions) for part in self.confined)
        return Rights(self.permissions & permissions, tuple(part for part in confined if part.permissions), self.roles)

    def within(self, kind: PlaceKind, identifier: str) -> "Rights":
        """No more than what holds in this department or application."""
        here = frozenset(self.permissions).union(
            *(part.permissions for part in self.confined if (part.kind, part.id) == (kind, identifier))
        )
        return Rights(frozenset(), (Confined(kind, identifier, here),) if here else (), self.roles)


NO_RIGHTS = Rights()


def role_table(tenant: str, own: Mapping[str, frozenset[str]] | None = None) -> RoleTable:
    """The roles that there are in a tenant. A built-in role cannot be replaced by one of the tenant's own."""
    if tenant == PLATFORM_ID:
        return PLATFORM_ROLES
    return {**own, **TENANT_ROLES} if own else TENANT_ROLES


def permissions_in(table: RoleTable, roles: Iterable[str]) -> frozenset[str]:
    """The permissions that the roles add up to; unknown roles add none."""
    return frozenset().union(*(table.get(role, frozenset()) for role in roles))


def add_up(table: RoleTable, roles: Iterable[str], assignments: Iterable[Assignment] = ()) -> Rights:
    """A person's rights from the roles on their row and from all assignments to them and to their groups."""
    wide = {role for role in roles if role in table}
    places: dict[tuple[PlaceKind, str], set[str]] = {}
    for assignment in assignments:
        if assignment.role not in table:
            continue
        if assignment.department_id is not None:
            places.setdefault(("department", assignment.department_id), set()).add(assignment.role)
        elif assignment.application_id is not None:
            places.setdefault(("application", assignment.application_id), set()).add(assignment.role)
        else:
            wide.add(assignment.role)
    confined = tuple(
        Confined(kind, identifier, permissions_in(table, held)) for (kind, identifier), held in sorted(places.items())
    )
    return Rights(permissions_in(table, wide), confined, frozenset(wide).union(*places.values()))
