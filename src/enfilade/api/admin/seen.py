"""What the routes find by its name. What lies where the caller's right does not hold is answered like what there is not."""

from typing import Any

from enfilade.api.admin.confinement import Place, is_seen, require_place
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor
from enfilade.audit.errors import UnknownCall
from enfilade.costs.errors import UnknownBudget, UnknownLimit
from enfilade.costs.holds.types import BudgetRule, LimitRule
from enfilade.identity.errors import UnknownApplication, UnknownDepartment, UnknownKey, UnknownPerson
from enfilade.identity.types import Application, Department, Key, User
from enfilade.storage.unit_of_work import UnitOfWork


async def seen_department(context: AdminContext, unit: UnitOfWork, actor: Actor, name: str) -> Department:
    """The department of that name or id. Raises UnknownDepartment."""
    found = await context.rooms.identity.departments.get(unit, name)
    if not is_seen(actor, (found.id, None)):
        message = f"There is no department {name!r} in this tenant."
        raise UnknownDepartment(message, param="department")
    return found


async def seen_application(context: AdminContext, unit: UnitOfWork, actor: Actor, name: str) -> Application:
    """The application of that name or id. Raises UnknownApplication."""
    found = await context.rooms.identity.applications.get(unit, name)
    if not is_seen(actor, (found.department_id, found.id)):
        message = f"There is no application {name!r} in this tenant."
        raise UnknownApplication(message, param="application")
    return found


async def seen_user(context: AdminContext, unit: UnitOfWork, actor: Actor, email: str) -> User:
    """The user with that address or id. Raises UnknownPerson."""
    found = await context.rooms.identity.users.get(unit, email)
    if not is_seen(actor, (found.department_id, None)):
        message = f"There is no user {email!r} in this tenant."
        raise UnknownPerson(message, param="user")
    return found


async def seen_key(context: AdminContext, unit: UnitOfWork, actor: Actor, name: str) -> Key:
    """The key of that name or id. Raises UnknownKey."""
    found = await context.rooms.identity.keys.get(unit, name)
    if not is_seen(actor, key_place(context, found)):
        message = f"There is no key {name!r} in this tenant, or it was revoked."
        raise UnknownKey(message)
    return found


def key_place(context: AdminContext, key: Key) -> Place:
    """Where a key belongs."""
    return context.principals.place_of(key.tenant, "key", key.id)


async def seen_limit(context: AdminContext, unit: UnitOfWork, actor: Actor, identifier: str) -> LimitRule:
    """The limit with that id. Raises UnknownLimit."""
    found = await context.rooms.limits.get(unit, identifier)
    if not is_seen(actor, rule_place(context, found)):
        message = f"There is no limit {identifier!r} in this tenant."
        raise UnknownLimit(message)
    return found


async def seen_budget(context: AdminContext, unit: UnitOfWork, actor: Actor, identifier: str) -> BudgetRule:
    """The budget with that id. Raises UnknownBudget."""
    found = await context.rooms.budgets.get(unit, identifier)
    if not is_seen(actor, rule_place(context, found)):
        message = f"There is no budget {identifier!r} in this tenant."
        raise UnknownBudget(message)
    return found


def rule_place(context: AdminContext, rule: LimitRule | BudgetRule) -> Place:
    """Where the subject of a limit or budget belongs; the tenant, or each one of a kind, belongs nowhere."""
    return context.principals.place_of(rule.tenant, rule.subject.kind, rule.subject.id)


async def require_subject(context: AdminContext, unit: UnitOfWork, actor: Actor, scope: str) -> None:
    """Refuse a new limit or budget of what lies elsewhere. Raises PermissionMissing, and what finding the name raises."""
    if actor.within.everywhere:
        return
    kind, _, name = scope.partition(":")
    if kind == "tenant" or name in {"", "*"}:
        require_place(actor, (None, None))
    await seen(context, unit, actor, kind, name)


async def seen(context: AdminContext, unit: UnitOfWork, actor: Actor, kind: str, name: str) -> str:
    """The id behind a name of one of the four kinds. Raises what there is for one that is not found."""
    if kind == "department":
        return (await seen_department(context, unit, actor, name)).id
    if kind == "application":
        return (await seen_application(context, unit, actor, name)).id
    if kind == "user":
        return (await seen_user(context, unit, actor, name)).id
    return (await seen_key(context, unit, actor, name)).id


async def seen_call(context: AdminContext, unit: UnitOfWork, actor: Actor, identifier: str) -> Any:
    """The record of a call. Raises UnknownCall."""
    found = await context.audit.find_call(unit, identifier)
    if not is_seen(actor, (_text(found["department_id"]), _text(found["application_id"]))):
        message = "There is no call with this id."
        raise UnknownCall(message)
    return found


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
