"""What the directory keeps of a tenant's roles: who has which, where, and what the tenant's owners demand."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from enfilade.core.clock import to_ns
from enfilade.core.scope import PlaceKind
from enfilade.identity.roles import store
from enfilade.identity.roles.effective import (
    NO_RIGHTS,
    Assignment,
    Rights,
    RoleTable,
    add_up,
    permissions_in,
    role_table,
)
from enfilade.identity.roles.narrowing import narrowing_of
from enfilade.identity.roles.types import LOCAL, BrokenGlass, SecuritySettings
from enfilade.storage.unit_of_work import UnitOfWork

DEFAULTS = SecuritySettings()


@dataclass(slots=True)
class Standing:
    """One tenant's roles and assignments."""

    table: RoleTable
    assignments: dict[str, list[Assignment]] = field(default_factory=dict)
    """By the id of the user who has them, by themselves or through a group: those that somebody made."""
    vouched: dict[str, dict[str, list[Assignment]]] = field(default_factory=dict)
    """Those for which issuers vouch, by user and source."""
    settings: SecuritySettings = DEFAULTS
    glass: dict[str, list[BrokenGlass]] = field(default_factory=dict)
    """What is open, by who opened it."""
    _sums: dict[tuple[str, ...], Rights] = field(default_factory=dict)

    def of_user(self, user: str, roles: tuple[str, ...], temporary: tuple[Assignment, ...] = ()) -> Rights:
        """The rights of a user with these roles of their own, and some for a time."""
        assignments = self.assignments.get(user)
        if assignments or temporary:
            return add_up(self.table, roles, (*(assignments or ()), *temporary))
        return self.of_roles(roles)

    def of_person(self, user: str, roles: tuple[str, ...], temporary: tuple[Assignment, ...] = ()) -> Rights:
        """All that a user has, also what issuers vouch for."""
        vouched = (held for found in self.vouched.get(user, {}).values() for held in found)
        return self.of_user(user, roles, (*temporary, *vouched))

    def vouched_roles(self, user: str, source: str) -> frozenset[str]:
        """The roles that a user has of one source."""
        return frozenset(held.role for held in self.vouched.get(user, {}).get(source, ()))

    def of_roles(self, roles: tuple[str, ...]) -> Rights:
        """What roles alone include."""
        # Thousands of people and keys have the same roles.
        found = self._sums.get(roles)
        if found is None:
            found = self._sums[roles] = add_up(self.table, roles)
        return found

    def granted(self, roles: tuple[str, ...]) -> frozenset[str]:
        """The permissions that the roles add up to."""
        return permissions_in(self.table, roles)

    def glass_of(self, actor: str, now_ns: int) -> BrokenGlass | None:
        """What somebody has open here, of several that which lasts longest."""
        held = [glass for glass in self.glass.get(actor, ()) if now_ns < to_ns(glass.expires_at)]
        return max(held, key=lambda glass: glass.expires_at, default=None)


Place = tuple[PlaceKind, str]


def place_of_key(row: Any) -> Place | None:
    """Where a key's roles hold, when that is not the whole tenant."""
    if row["only_department_id"] is not None:
        return "department", str(row["only_department_id"])
    return None if row["only_application_id"] is None else ("application", str(row["only_application_id"]))


def key_rights(
    standing: Standing, roles: tuple[str, ...], scopes: Collection[str], only: Place | None, holder: Rights | None
) -> Rights:
    """What a key may do: what its roles include and its scopes leave, and never more than the user whom it stands for."""
    if not roles and holder is None:
        return NO_RIGHTS
    granted = standing.of_roles(roles)
    if scopes:
        granted = granted.only(narrowing_of(scopes).permissions or frozenset())
    if holder is not None:
        granted = holder.only(granted.permissions)
    return granted if only is None else granted.within(*only)


async def load_standing(unit: UnitOfWork, wanted: Collection[str] | None) -> Mapping[str, Standing]:
    """Of these tenants, or of all; of those only that have something of their own."""
    tenants = None if wanted is None else list(wanted)
    own: dict[str, dict[str, frozenset[str]]] = {}
    for row in await unit.fetch(store.LOAD_ROLES, tenants):
        own.setdefault(str(row["tenant_id"]), {})[row["name"]] = frozenset(row["permissions"])
    found: dict[str, Standing] = {tenant: Standing(role_table(tenant, roles)) for tenant, roles in own.items()}

    def of(row: Any) -> Standing:
        tenant = str(row["tenant_id"])
        standing = found.get(tenant)
        if standing is None:
            standing = found[tenant] = Standing(role_table(tenant))
        return standing

    for row in await unit.fetch(store.LOAD_ASSIGNMENTS, tenants):
        found_one, member = assignment_of(row), str(row["member"])
        if found_one.source == LOCAL:
            of(row).assignments.setdefault(member, []).append(found_one)
        else:
            of(row).vouched.setdefault(member, {}).setdefault(found_one.source, []).append(found_one)
    for row in await unit.fetch(store.LOAD_SETTINGS, tenants):
        of(row).settings = settings_of(row)
    for row in await unit.fetch(store.LOAD_GLASS, tenants):
        of(row).glass.setdefault(row["actor"], []).append(glass_of(row))
    return found


def assignment_of(row: Any) -> Assignment:
    """An assignment from its row."""
    user, group, department, application = (
        None if row[name] is None else str(row[name])
        for name in ("user_id", "group_id", "department_id", "application_id")
    )
    return Assignment(
        str(row["id"]), str(row["tenant_id"]), row["role"], user, group, department, application, row["source"]
    )


def settings_of(row: Any) -> SecuritySettings:
    """Settings from their row; the defaults without one."""
    if row is None:
        return DEFAULTS
    return SecuritySettings(row["operator_access"], row["max_key_lifetime_s"], row["version"])


def glass_of(row: Any) -> BrokenGlass:
    """Broken glass from its row."""
    return BrokenGlass(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        actor=row["actor"],
        reason=row["reason"],
        opened_at=row["opened_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
        reviewed_at=row["reviewed_at"],
        reviewed_by=row["reviewed_by"],
        review_note=row["review_note"],
    )
