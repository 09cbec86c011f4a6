"""Nobody grants what they lack: the one place where that is checked."""

from collections.abc import Iterable, Mapping

from enfilade.core.ids import PLATFORM_ID
from enfilade.core.scope import Confined
from enfilade.identity.errors import BreakGlassRequired, InvalidSpecification, RightsExceeded, UnknownSubject
from enfilade.identity.permissions import ROLES_WRITE
from enfilade.identity.roles import store
from enfilade.identity.roles.effective import Rights, RoleTable, add_up, role_table
from enfilade.identity.roles.standing import assignment_of, settings_of
from enfilade.identity.roles.types import SecuritySettings
from enfilade.storage.unit_of_work import UnitOfWork

FOR_A_TIME = "You have these rights for a time only, and nobody can give for good what they have for a time."


async def table_of(unit: UnitOfWork) -> RoleTable:
    """The roles that there are in the current tenant."""
    if unit.tenant == PLATFORM_ID:
        return role_table(PLATFORM_ID)
    own = {row["name"]: frozenset(row["permissions"]) for row in await unit.fetch(store.OWN_ROLES, unit.tenant)}
    return role_table(unit.tenant, own)


def check_roles(table: RoleTable, roles: Iterable[str], param: str = "roles") -> None:
    """Refuse roles that there are not. Raises InvalidSpecification."""
    for role in roles:
        if role not in table:
            message = f"{role!r} is no role here; the roles are {', '.join(table)}"
            raise InvalidSpecification(message, param=param)


def check_grant(
    unit: UnitOfWork,
    permissions: Iterable[str],
    department: str | None = None,
    application: str | None = None,
    *,
    param: str = "roles",
    gives: bool = True,
) -> None:
    """Refuse to grant what the scope lacks where it is to hold. Raises RightsExceeded.

    What `gives` lasts: what the scope has for a time only is refused then. To change or take away it is enough.
    """
    wanted = frozenset(permissions)
    if not all(unit.scope.may_in(permission, department, application) for permission in wanted):
        message = "Nobody can grant roles that include more than their own rights."
        raise RightsExceeded(message, param=param)
    if gives and not all(unit.scope.for_good.may_in(permission, department, application) for permission in wanted):
        raise RightsExceeded(FOR_A_TIME, param=param)


def check_given(unit: UnitOfWork, roles: Iterable[str], place: tuple[str | None, str | None] = (None, None)) -> None:
    """Refuse to give roles that the scope does not have, unless it looks after roles there. Raises RightsExceeded.

    What a role includes is not all that it gives: policies speak of roles, of those without any permission too.
    """
    for scope in (unit.scope, unit.scope.for_good):
        if not scope.roles.issuperset(roles) and not scope.may_in(ROLES_WRITE, *place):
            message = f"Nobody can give roles that they do not have themselves, without `{ROLES_WRITE}`."
            raise RightsExceeded(message if scope is unit.scope else FOR_A_TIME, param="roles")


def check_all(
    unit: UnitOfWork,
    rights: Rights,
    departments: Mapping[str, str | None],
    param: str = "roles",
    *,
    gives: bool = False,
) -> None:
    """Refuse what would give the rights (with `gives`), or power over somebody who has them.

    `departments` holds the department of each application in them. Raises RightsExceeded.
    """
    check_grant(unit, rights.permissions, param=param, gives=gives)
    for part in rights.confined:
        check_grant(unit, part.permissions, *_place(part, departments), param=param, gives=gives)


def _place(part: Confined, departments: Mapping[str, str | None]) -> tuple[str | None, str | None]:
    return (part.id, None) if part.kind == "department" else (departments.get(part.id), part.id)


async def rights_of_user(unit: UnitOfWork, user: str, roles: Iterable[str]) -> Rights:
    """What a user of the current tenant may do, as this transaction sees it."""
    rows = await unit.fetch(store.RIGHTS_OF_USER, unit.tenant, user)
    return add_up(await table_of(unit), roles, [assignment_of(row) for row in rows])


async def check_power_over(unit: UnitOfWork, user: str, roles: Iterable[str]) -> None:
    """Refuse to change or remove somebody who may do more. Raises RightsExceeded."""
    await _check_everywhere(unit, await rights_of_user(unit, user, roles), "user", gives=False)


async def check_power_over_group(unit: UnitOfWork, group: str, *, gives: bool) -> None:
    """Refuse to change who is in a group that may do more. What `gives` rights gives them for good. Raises RightsExceeded."""
    rows = await unit.fetch(store.RIGHTS_OF_GROUP, unit.tenant, group)
    if rows:
        rights = add_up(await table_of(unit), (), [assignment_of(row) for row in rows])
        await _check_everywhere(unit, rights, "members", gives=gives)


async def _check_everywhere(unit: UnitOfWork, rights: Rights, param: str, *, gives: bool) -> None:
    departments: dict[str, str | None] = {}
    for part in rights.confined:
        if part.kind == "application":
            row = await unit.fetch_row(store.FIND_SUBJECT["application"], unit.tenant, part.id)
            departments[part.id] = None if row is None or row["department_id"] is None else str(row["department_id"])
    check_all(unit, rights, departments, param, gives=gives)


async def find_place(unit: UnitOfWork, text: str) -> tuple[str, str, str | None]:
    """Kind, id and department of `department:NAME` or `application:NAME`. Raises InvalidSpecification, UnknownSubject."""
    kind, colon, name = text.partition(":")
    if not colon or kind not in {"department", "application"}:
        message = f"{text!r} is no place: use department:NAME or application:NAME"
        raise InvalidSpecification(message, param="confined_to")
    row = await unit.fetch_row(store.FIND_SUBJECT[kind], unit.tenant, name)
    if row is None:
        message = f"There is no {kind} {name!r} in this tenant."
        raise UnknownSubject(message, param="confined_to")
    return kind, str(row["id"]), None if row["department_id"] is None else str(row["department_id"])


async def settings_in(unit: UnitOfWork, tenant: str | None = None) -> SecuritySettings:
    """What the owners of a tenant, or of the current one, demand."""
    return settings_of(await unit.fetch_row(store.FIND_SETTINGS, tenant or unit.tenant))


async def check_standing(unit: UnitOfWork) -> SecuritySettings:
    """Refuse the platform's people in a tenant that lets them in by breaking the glass only. Raises BreakGlassRequired.

    A document that the platform applies could otherwise make itself a key there.
    """
    settings = await settings_in(unit)
    is_person = not unit.scope.actor.startswith("system:")
    if unit.scope.is_platform and is_person and unit.tenant != PLATFORM_ID:
        require_standing(settings)
    return settings


def require_standing(settings: SecuritySettings) -> None:
    """Raises BreakGlassRequired where the tenant lets the platform's people in by breaking the glass only."""
    if settings.operator_access == "break_glass":
        message = "This tenant lets the platform's people in by breaking the glass only."
        raise BreakGlassRequired(message)
