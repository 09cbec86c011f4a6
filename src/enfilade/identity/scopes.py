"""Where scopes come from."""

from enfilade.core.ids import PLATFORM_ID
from enfilade.core.scope import Scope
from enfilade.identity.permissions import ALL_PERMISSIONS, permissions_of
from enfilade.identity.roles.effective import Rights


def system_scope(part: str) -> Scope:
    """The scope of a part of the program that acts for the platform itself, e.g. the directory."""
    return Scope(PLATFORM_ID, f"system:{part}", ALL_PERMISSIONS)


def tenant_scope(tenant: str, part: str) -> Scope:
    """The scope of a part of the program that acts for one tenant only."""
    return Scope(tenant, f"system:{part}")


def key_scope(
    tenant: str,
    key: str,
    roles: tuple[str, ...] = (),
    *,
    department: str | None = None,
    application: str | None = None,
    user: str | None = None,
) -> Scope:
    """The scope of whoever presented a key."""
    permissions = permissions_of(roles, platform=tenant == PLATFORM_ID)
    return Scope(tenant, f"key:{key}", permissions, department, application, user, key, frozenset(roles))


def rights_scope(
    tenant: str,
    key: str,
    rights: Rights,
    *,
    department: str | None = None,
    application: str | None = None,
    user: str | None = None,
) -> Scope:
    """The scope of whoever presented a key with these rights."""
    return Scope(
        tenant, f"key:{key}", rights.permissions, department, application, user, key, rights.roles, rights.confined
    )


def person_scope(
    tenant: str, user: str, rights: Rights, *, department: str | None = None, lasting: Rights | None = None
) -> Scope:
    """The scope of a person who signed in, or for whom an issuer vouches; `lasting` is what they have for good, if less."""
    kept = None if lasting is None else person_scope(tenant, user, lasting, department=department)
    return Scope(
        tenant, f"user:{user}", rights.permissions, department, None, user, None, rights.roles, rights.confined, kept
    )


def glass_scope(tenant: str, glass: str, permissions: frozenset[str]) -> Scope:
    """The scope of one of the platform's people who broke the glass in a tenant."""
    return Scope(tenant, f"break_glass:{glass}", permissions, roles=frozenset({"break_glass"}))


def application_scope(tenant: str, application: str, *, department: str | None = None) -> Scope:
    """The scope of a program for which an issuer vouches."""
    return Scope(tenant, f"application:{application}", frozenset(), department, application)


def narrowed_to(scope: Scope, tenant: str, permissions: frozenset[str] | None = None) -> Scope:
    """A platform operator's scope, confined to one tenant for one piece of work, and to these permissions.

    Raises PermissionError for anybody who is not the platform: there is no other way from tenant to tenant.
    """
    if scope.tenant == tenant:
        return scope
    if not scope.is_platform:
        message = "only the platform may act in a tenant that is not its own"
        raise PermissionError(message)
    held = scope.permissions if permissions is None else scope.permissions & permissions
    return Scope(tenant, scope.actor, held, key=scope.key, roles=scope.roles)


def with_user(scope: Scope, user: str, department: str | None) -> Scope:
    """An application's scope with the end user for whom it calls."""
    return Scope(
        scope.tenant,
        scope.actor,
        scope.permissions,
        scope.department or department,
        scope.application,
        user,
        scope.key,
        scope.roles,
        scope.confined,
        scope.lasting,
    )
