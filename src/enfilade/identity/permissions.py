"""What roles may do. Deny by default: what no role names, nobody may."""

from collections.abc import Iterable

TENANT_READ = "tenant:read"
TENANT_WRITE = "tenant:write"
TENANTS_MANAGE = "tenants:manage"
CELLS_READ = "cells:read"
CELLS_WRITE = "cells:write"
PEOPLE_READ = "people:read"
PEOPLE_WRITE = "people:write"
PROVISIONING_WRITE = "provisioning:write"
APPLICATIONS_READ = "applications:read"
APPLICATIONS_WRITE = "applications:write"
KEYS_READ = "keys:read"
KEYS_WRITE = "keys:write"
LIMITS_READ = "limits:read"
LIMITS_WRITE = "limits:write"
BUDGETS_READ = "budgets:read"
BUDGETS_WRITE = "budgets:write"
CATALOGUE_READ = "catalogue:read"
CATALOGUE_WRITE = "catalogue:write"
CALLS_READ = "calls:read"
SPEND_READ = "spend:read"
LEDGER_WRITE = "ledger:write"
RECONCILIATIONS_READ = "reconciliations:read"
RECONCILIATIONS_WRITE = "reconciliations:write"
BILLING_READ = "billing:read"
BILLING_WRITE = "billing:write"
AUDIT_READ = "audit:read"
CONFIGURATION_READ = "configuration:read"
CONFIGURATION_WRITE = "configuration:write"
REPLICAS_READ = "replicas:read"
METRICS_READ = "metrics:read"
SESSIONS_READ = "sessions:read"
SESSIONS_WRITE = "sessions:write"
ISSUERS_READ = "issuers:read"
ISSUERS_WRITE = "issuers:write"
ROLES_READ = "roles:read"
ROLES_WRITE = "roles:write"
SECURITY_READ = "security:read"
SECURITY_WRITE = "security:write"
BREAK_GLASS_READ = "break_glass:read"
BREAK_GLASS_WRITE = "break_glass:write"
BREAK_GLASS_MANAGE = "break_glass:manage"
ACCESS_READ = "access:read"
ACCESS_WRITE = "access:write"
ACCESS_APPROVE = "access:approve"
ACCESS_EVALUATE = "access:evaluate"
ENCRYPTION_READ = "encryption:read"
ENCRYPTION_MANAGE = "encryption:manage"
USE_CASES_READ = "use_cases:read"
USE_CASES_WRITE = "use_cases:write"
APPROVALS_READ = "approvals:read"
APPROVALS_WRITE = "approvals:write"
APPROVALS_REVIEW = "approvals:review"
REVIEWS_READ = "reviews:read"
REVIEWS_WRITE = "reviews:write"

_READ = frozenset(
    {
        TENANT_READ,
        PEOPLE_READ,
        APPLICATIONS_READ,
        KEYS_READ,
        LIMITS_READ,
        BUDGETS_READ,
        CATALOGUE_READ,
        CALLS_READ,
        SPEND_READ,
        SESSIONS_READ,
        ISSUERS_READ,
        ACCESS_READ,
        USE_CASES_READ,
        APPROVALS_READ,
        REVIEWS_READ,
    }
)
_TENANT_ADMIN = _READ | {
    TENANT_WRITE,
    PEOPLE_WRITE,
    APPLICATIONS_WRITE,
    KEYS_WRITE,
    LIMITS_WRITE,
    BUDGETS_WRITE,
    BILLING_READ,
    AUDIT_READ,
    CONFIGURATION_READ,
    ROLES_READ,
    ROLES_WRITE,
    SESSIONS_WRITE,
    SECURITY_READ,
    BREAK_GLASS_READ,
    ACCESS_WRITE,
    ACCESS_APPROVE,
    ACCESS_EVALUATE,
    USE_CASES_WRITE,
    APPROVALS_WRITE,
    APPROVALS_REVIEW,
    REVIEWS_WRITE,
    ENCRYPTION_READ,
}
_OWNERS_ONLY = frozenset({ISSUERS_WRITE, SECURITY_WRITE, BREAK_GLASS_WRITE, ENCRYPTION_MANAGE, PROVISIONING_WRITE})
"""What a tenant's administrators lack, and therefore cannot give to anybody, not even to themselves. Whoever provisions
puts people into groups without being asked what these may do."""
BREAK_GLASS_RIGHTS = frozenset(name for name in _TENANT_ADMIN if name.endswith(":read")) | {
    APPLICATIONS_WRITE,
    LIMITS_WRITE,
    BUDGETS_WRITE,
}
"""What breaking the glass opens: nothing by which a right could be had that outlasts it."""

STANDING_RIGHTS = frozenset(
    {
        TENANT_READ,
        TENANTS_MANAGE,
        LIMITS_READ,
        LIMITS_WRITE,
        BUDGETS_READ,
        BUDGETS_WRITE,
        CATALOGUE_READ,
        CATALOGUE_WRITE,
        SPEND_READ,
        LEDGER_WRITE,
        RECONCILIATIONS_READ,
        RECONCILIATIONS_WRITE,
        BILLING_READ,
        BILLING_WRITE,
        BREAK_GLASS_READ,
        BREAK_GLASS_WRITE,
        BREAK_GLASS_MANAGE,
    }
)
"""What the platform's people may do in a tenant that lets them in by breaking the glass only: run it and bill it."""

TENANT_ROLES: dict[str, frozenset[str]] = {
    "owner": _TENANT_ADMIN | _OWNERS_ONLY,
    "admin": _TENANT_ADMIN,
    "developer": frozenset({APPLICATIONS_READ, CATALOGUE_READ, CALLS_READ, SPEND_READ, BUDGETS_READ, LIMITS_READ})
    | {USE_CASES_READ},
    "operator": _READ | {KEYS_WRITE, LIMITS_WRITE},
    "auditor": _READ
    | {AUDIT_READ, BILLING_READ, CONFIGURATION_READ, ROLES_READ, SECURITY_READ, BREAK_GLASS_READ}
    | {ENCRYPTION_READ},
    # For the key of a directory elsewhere that says who there is, by SCIM.
    "provisioning": frozenset({PROVISIONING_WRITE}),
    "member": frozenset(),
}
PLATFORM_ROLES: dict[str, frozenset[str]] = {
    "owner": _TENANT_ADMIN
    | _OWNERS_ONLY
    | {BREAK_GLASS_MANAGE}
    | {
        TENANTS_MANAGE,
        CELLS_READ,
        CELLS_WRITE,
        LEDGER_WRITE,
        BILLING_WRITE,
        CATALOGUE_WRITE,
        CONFIGURATION_WRITE,
        REPLICAS_READ,
        METRICS_READ,
    }
    | {RECONCILIATIONS_READ, RECONCILIATIONS_WRITE},
    "operator": _READ | {KEYS_WRITE, LIMITS_WRITE, REPLICAS_READ, METRICS_READ},
    "auditor": _READ
    | {AUDIT_READ, BILLING_READ, CONFIGURATION_READ, REPLICAS_READ, RECONCILIATIONS_READ}
    | {ROLES_READ, SECURITY_READ, BREAK_GLASS_READ, ENCRYPTION_READ},
    "monitor": frozenset({METRICS_READ, REPLICAS_READ}),
    # No standing rights in any tenant: it opens them for a time, and every act is then an event there.
    "break_glass": frozenset({BREAK_GLASS_MANAGE, BREAK_GLASS_READ}),
}
TENANT_PERMISSIONS = frozenset().union(*TENANT_ROLES.values())
"""What a tenant's own roles can be made of."""
ALL_PERMISSIONS = frozenset().union(*TENANT_ROLES.values(), *PLATFORM_ROLES.values())


def permissions_of(roles: Iterable[str], *, platform: bool) -> frozenset[str]:
    """The permissions that the roles add up to; unknown roles add none."""
    table = PLATFORM_ROLES if platform else TENANT_ROLES
    return frozenset().union(*(table.get(role, frozenset()) for role in roles))
