"""Every operation of the admin API, and how the walk exercises it."""

from dataclasses import dataclass
from typing import Any

NEVER = {
    "tenants": "umbrella",
    "departments": "umbrella-sales",
    "groups": "group-of-ana@umbrella.example",
    "users": "ana@umbrella.example",
    "applications": "umbrella-app",
    "keys": "umbrella-key",
    "issuers": "umbrella-login",
    "use-cases": "umbrella-writing",
    "invoices": "INV-2026-000009",
    "roles": "role-of-ana@umbrella.example",
    "approval-rules": "rule-of-ana@umbrella.example",
    "access-review-schedules": "schedule-of-ana@umbrella.example",
}
"""Names alike to acme's, which nobody has."""
PRICE = {"input": 1, "output": 2}
MODEL = {"name": "walked", "deployments": [{"provider": "sim", "model": "echo"}], "price": PRICE}
PLATFORM_NOUNS = ("providers", "models", "aliases", "prices", "price-lists", "currencies", "cells")
WISH = {"kind": "model", "model": "chat", "duration": "1h", "reason": "walked"}
SCOPED = ("department:{departments}", "application:{applications}", "user:{users}", "key:{keys}")


@dataclass(frozen=True, slots=True)
class Route:
    """How the walk exercises an operation."""

    noun: str | None = None
    """What the last parameter in its path names; None when it has none."""
    bodies: tuple[dict[str, Any], ...] = ()
    """Bodies in which `{departments}` and the like stand for a reference, and `{it}` for what the path names."""
    filters: tuple[tuple[str, str], ...] = ()
    """Query parameters and the noun that each names."""
    platform: bool = False
    """For the platform alone: a tenant's administrator gets 403, whatever is asked for."""
    lists: bool = False


def _crud(noun: str, body: dict[str, Any], *, platform: bool = False, changes: bool = True) -> dict[str, Route]:
    name = {"limits": "id", "budgets": "id", "users": "email", "prices": "model"}.get(noun, "name")
    routes = {
        f"GET /{noun}": Route(lists=True, platform=platform),
        f"POST /{noun}": Route(bodies=(body,), platform=platform),
        f"GET /{noun}/{{{name}}}": Route(noun, platform=platform),
        f"PUT /{noun}/{{{name}}}": Route(noun, bodies=(body,), platform=platform),
        f"DELETE /{noun}/{{{name}}}": Route(noun, platform=platform),
    }
    if not changes:
        del routes[f"PUT /{noun}/{{{name}}}"]
    return routes


ROUTES: dict[str, Route] = {
    **_crud("departments", {"name": "{it}"}, changes=False),
    **_crud("users", {"email": "{it}", "department": "{departments}"}),
    **_crud("applications", {"name": "{it}", "department": "{departments}"}),
    **_crud("keys", {"name": "{it}", "application": "{applications}"}),
    **_crud("limits", {}),
    **_crud("use-cases", {"name": "{it}", "owner": "o@x.example", "purpose": "walked"}),
    "GET /access": Route(),
    "PUT /access": Route(bodies=({"content": {}},)),
    "POST /access/check": Route(bodies=({},)),
    "GET /access/schema": Route(),
    "GET /access/matrix": Route(),
    "PUT /access/matrix": Route(bodies=({"rows": []},)),
    "GET /access/policies": Route(),
    # Policies and versions are named within a tenant: those of others cannot even be asked for.
    "GET /access/policies/{name}": Route(),
    "PUT /access/policies/{name}": Route(),
    "DELETE /access/policies/{name}": Route(),
    "GET /access/versions": Route(),
    "POST /access/versions": Route(bodies=({"content": {}},)),
    "GET /access/versions/{number}": Route(),
    "PUT /access/versions/{number}": Route(bodies=({"content": {}},)),
    "DELETE /access/versions/{number}": Route(),
    "POST /access/versions/{number}/approve": Route(),
    "POST /access/versions/{number}/publish": Route(),
    "POST /access/versions/{number}/rollback": Route(),
    "GET /access/versions/{number}/diff": Route(),
    "POST /access/explain": Route(
        bodies=(
            {"model": "chat", "application": "{applications}"},
            {"model": "chat", "user": "{users}"},
            {"model": "chat", "key": "{keys}"},
        )
    ),
    "POST /access/what-if": Route(bodies=({"content": {}},)),
    **_crud("budgets", {}),
    **_crud("tenants", {"name": "{it}"}, platform=True),
    **_crud("cells", {"name": "walked", "address": {"env": "WALKED_API_KEY"}}, platform=True),
    **_crud("providers", {"name": "walked", "kind": "simulated"}, platform=True),
    "POST /providers/{name}/rotate-key": Route("providers", bodies=({"api_key": {"env": "W_API_KEY"}},), platform=True),
    **_crud("models", MODEL, platform=True),
    **_crud("aliases", {"name": "walked", "model": "chat"}, platform=True),
    **_crud("prices", {"price": PRICE}, platform=True),
    "GET /price-lists": Route(lists=True, platform=True),
    "GET /price-lists/{name}": Route("price-lists", platform=True),
    "GET /price-lists/{name}/differences": Route("price-lists", platform=True),
    "PUT /price-lists/{name}": Route("price-lists", bodies=({"prices": [{"model": "m"} | PRICE]},), platform=True),
    "GET /price-books": Route(lists=True, platform=True),
    "GET /price-books/differences": Route(platform=True),
    "POST /price-books/differences": Route(bodies=({"prices": [{"model": "m"} | PRICE]},), platform=True),
    "GET /price-adjustments": Route(lists=True, platform=True),
    "PUT /price-adjustments": Route(bodies=({"kind": "discount", "percent": 1},), platform=True),
    "POST /price-adjustments/end": Route(bodies=({"kind": "discount"},), platform=True),
    "GET /currencies": Route(lists=True, platform=True),
    "PUT /currencies/{currency}": Route("currencies", bodies=({"rate": 1},), platform=True),
    "GET /issuers": Route(lists=True),
    "POST /issuers": Route(
        bodies=({"name": "walked", "url": "https://x.example", "audiences": ["walked"]},), platform=True
    ),
    "GET /issuers/{name}": Route("issuers"),
    # Owners' and not administrators', as whom the walk comes: refused whatever is asked for.
    "PUT /issuers/{name}": Route(
        "issuers", bodies=({"name": "{it}", "url": "https://x.example", "audiences": ["walked"]},), platform=True
    ),
    "DELETE /issuers/{name}": Route("issuers", platform=True),
    "POST /issuers/{name}/test": Route("issuers", platform=True),
    "GET /sessions": Route(lists=True, filters=(("user", "users"),)),
    "GET /sessions/current": Route(),
    "GET /sessions/mine": Route(),
    "DELETE /sessions": Route(),
    "DELETE /sessions/mine": Route(),
    "DELETE /sessions/{id}": Route("sessions"),
    # A tenant may look at itself.
    "GET /tenants": Route(lists=True),
    "GET /tenants/{name}/size": Route("tenants", platform=True),
    "POST /tenants/{name}/suspend": Route("tenants", bodies=({"reason": "walked"},), platform=True),
    "POST /tenants/{name}/resume": Route("tenants", platform=True),
    "GET /tenants/{name}/moves": Route("tenants", platform=True),
    "POST /tenants/{name}/moves": Route("tenants", bodies=({"isolation": "schema"},), platform=True),
    "GET /tenants/{name}/moves/{move}": Route("tenants", platform=True),
    "POST /tenants/{name}/moves/{move}/abort": Route("tenants", platform=True),
    "GET /tenant-erasures": Route(platform=True),
    "POST /tenant-erasures": Route(bodies=({"tenant": "{tenants}", "confirm": "{tenants}"},), platform=True),
    "GET /tenant-erasures/{erasure}": Route("tenants", platform=True),
    "GET /tenants/{name}/archive": Route("tenants", platform=True),
    "POST /tenant-archives": Route(platform=True),
    "GET /tenant-archives/signing-key": Route(platform=True),
    "GET /tenants/{name}": Route("tenants"),
    "POST /keys": Route(
        bodies=({"name": "walked", "application": "{applications}"}, {"name": "walked", "user": "{users}"})
    ),
    "POST /keys/{name}/rotate": Route("keys", bodies=({"grace": "1h"},)),
    "POST /limits": Route(bodies=tuple({"scope": scope, "requests": 5, "per": "minute"} for scope in SCOPED)),
    "PUT /limits/{id}": Route("limits", bodies=({"amount": 1},)),
    "POST /budgets": Route(bodies=tuple({"scope": scope, "window": "day", "limit_usd": 1} for scope in SCOPED)),
    "PUT /budgets/{id}": Route("budgets", bodies=({"limit_usd": 1},)),
    "GET /budgets/{id}/raises": Route("budgets"),
    "POST /budgets/{id}/raises": Route("budgets", bodies=({"by_usd": 1, "until": "2030-12-31", "reason": "walked"},)),
    "DELETE /budgets/{id}/raises/{raise}": Route("budgets"),
    "GET /calls": Route(
        lists=True,
        filters=(
            ("department", "departments"),
            ("application", "applications"),
            ("user", "users"),
            ("key", "keys"),
        ),
    ),
    "GET /calls/{id}": Route("calls"),
    "GET /calls/{id}/costs": Route("calls"),
    "POST /calls/{id}/corrections": Route("calls", bodies=({"amount_usd": "1", "reason": "walked"},), platform=True),
    "GET /events": Route(lists=True),
    "GET /events/export": Route(lists=True),
    "GET /spend": Route(
        lists=True,
        filters=(("department", "departments"), ("application", "applications"), ("user", "users"), ("key", "keys")),
    ),
    "GET /spend/roll-ups": Route(),
    "GET /forecast": Route(lists=True),
    # Compares whole hours, of which this world has none.
    "GET /movers": Route(),
    "GET /savings": Route(lists=True),
    "GET /alerts": Route(lists=True),
    "GET /encryption": Route(platform=True),
    "POST /encryption/rewrap": Route(platform=True),
    "GET /encryption/key": Route(),
    # For owners; the walk's administrators are none.
    "POST /encryption/rotate": Route(platform=True),
    "PUT /encryption/master-key": Route(bodies=({"service": None},), platform=True),
    "POST /encryption/withdraw": Route(platform=True),
    "POST /encryption/restore": Route(platform=True),
    "POST /encryption/destroy": Route(bodies=({"confirm": "acme"},), platform=True),
    "POST /users/{email}/erase": Route("users", platform=True),
    "GET /anomaly-rules": Route(),
    "PUT /anomaly-rules": Route(bodies=({"factor": 3},)),
    "DELETE /anomaly-rules": Route(),
    "GET /exports": Route(),
    "GET /exports/spend": Route(lists=True),
    "GET /usage-events": Route(),
    "POST /spend/rebuild": Route(platform=True),
    "GET /invoices": Route(lists=True),
    "POST /invoices": Route(bodies=({"tenant": "{it}"},), platform=True),
    "GET /invoices/preview": Route(lists=True),
    "GET /invoices/{name}": Route("invoices"),
    "GET /invoices/{name}/credit-notes": Route("invoices"),
    "POST /invoices/{name}/credit-notes": Route("invoices", bodies=({"reason": "walked"},), platform=True),
    "GET /statements": Route(lists=True, filters=(("department", "departments"), ("application", "applications"))),
    "GET /credits": Route(lists=True),
    "POST /credits": Route(bodies=({"tenant": "{it}", "amount_usd": 1, "reason": "walked"},), platform=True),
    "GET /billing-profiles/{tenant_name}": Route("tenants"),
    "PUT /billing-profiles/{tenant_name}": Route("tenants", bodies=({"name": "walked"},), platform=True),
    "DELETE /billing-profiles/{tenant_name}": Route("tenants", platform=True),
    "GET /issuer": Route(),
    "PUT /issuer": Route(bodies=({"name": "walked"},), platform=True),
    "GET /whoami": Route(lists=True),
    "GET /configuration": Route(lists=True),
    "GET /configuration/schema": Route(lists=True),
    "POST /configuration/plan": Route(bodies=({"version": 1},), platform=True),
    "POST /configuration/apply": Route(bodies=({"version": 1},), platform=True),
    "GET /deployments": Route(platform=True),
    "GET /replicas": Route(platform=True),
    "GET /reconciliations": Route(platform=True),
    "POST /reconciliations": Route(platform=True),
    "GET /reconciliations/{id}": Route(platform=True),
    "POST /reconciliations/{id}/bookings": Route(bodies=({"reason": "walked"},), platform=True),
}
ROUTES |= {
    **_crud("groups", {"name": "{it}", "members": ["{users}"]}),
    "GET /account-rules": Route(),
    "PUT /account-rules": Route(bodies=({},), platform=True),
    "DELETE /account-rules": Route(platform=True),
    "POST /users/{email}/password-link": Route("users"),
    "PUT /users/{email}/password": Route("users", bodies=({"password": "seven green lamps over the river"},)),
    "DELETE /users/{email}/password": Route("users"),
    "GET /users/{email}/second-factors": Route("users"),
    "DELETE /users/{email}/second-factors": Route("users"),
    "GET /me": Route(lists=True),
    # One's own account, in a session: tests/http/accounts has it.
    "PUT /me/password": Route(bodies=({"current": "x", "new": "x"},), platform=True),
    "GET /me/second-factors": Route(platform=True),
    "POST /me/second-factors/totp": Route(bodies=({},), platform=True),
    "POST /me/second-factors/totp/{id}/confirm": Route("users", bodies=({"code": "0"},), platform=True),
    "POST /me/second-factors/webauthn": Route(platform=True),
    "POST /me/second-factors/webauthn/confirm": Route(bodies=({"challenge": "x", "credential": {}},), platform=True),
    "DELETE /me/second-factors/{id}": Route("users", platform=True),
    "POST /me/recovery-codes": Route(platform=True),
}
ROUTES |= {
    **_crud("roles", {"name": "{it}", "permissions": ["applications:read"]}),
    "GET /role-assignments": Route(lists=True),
    "POST /role-assignments": Route(
        bodies=(
            {"role": "member", "user": "{users}"},
            {"role": "member", "user": "ana@globex.example", "department": "{departments}"},
            {"role": "member", "user": "ana@globex.example", "application": "{applications}"},
            {"role": "{roles}", "user": "ana@globex.example"},
        )
    ),
    "DELETE /role-assignments/{id}": Route("role-assignments"),
    "GET /security-settings": Route(),
    "PUT /security-settings": Route(bodies=({},), platform=True),
    "GET /break-glass": Route(lists=True),
    "POST /break-glass": Route(bodies=({"tenant": "{tenants}", "reason": "walked"},), platform=True),
    "POST /break-glass/{id}/end": Route("break-glass"),
    "POST /break-glass/{id}/review": Route("break-glass", bodies=({"note": "walked"},), platform=True),
}
ROUTES |= {
    **_crud("approval-rules", {"name": "{it}", "kinds": ["model"], "stages": [{"reviewers": ["manager"]}]}),
    "GET /approval-requests": Route(lists=True),
    "POST /approval-requests": Route(
        bodies=(
            WISH | {"application": "{applications}"},
            WISH | {"kind": "role", "model": None, "role": "member", "department": "{departments}"},
            WISH | {"kind": "key_scope", "model": None, "key": "{keys}", "scopes": ["keys:read"]},
        )
    ),
    "GET /approval-requests/{id}": Route("approval-requests"),
    "POST /approval-requests/{id}/approve": Route("approval-requests", bodies=({},)),
    "POST /approval-requests/{id}/refuse": Route("approval-requests", bodies=({"reason": "walked"},)),
    "POST /approval-requests/{id}/withdraw": Route("approval-requests"),
    "POST /approval-requests/{id}/comments": Route("approval-requests", bodies=({"text": "walked"},)),
    "GET /approval-delegations": Route(),
    "PUT /approval-delegations/{email}": Route("users", bodies=({"ends_at": "2026-12-31"},)),
    "DELETE /approval-delegations/{email}": Route("users"),
    "GET /access-grants": Route(lists=True),
    "GET /access-grants/{id}": Route("access-grants"),
    "POST /access-grants/{id}/revoke": Route("access-grants", bodies=({"reason": "walked"},)),
    "GET /emergency-access": Route(lists=True),
    "POST /emergency-access": Route(
        bodies=(WISH | {"kind": "role", "model": None, "role": "member", "department": "{departments}"},)
    ),
    "GET /emergency-access/{id}": Route("emergency-access"),
    "POST /emergency-access/{id}/review": Route(
        "emergency-access", bodies=({"justified": True, "note": "walked"},), platform=True
    ),
    "GET /access-reviews": Route(lists=True),
    "POST /access-reviews": Route(bodies=({"name": "walked", "department": "{departments}"},)),
    "GET /access-reviews/{id}": Route("access-reviews"),
    "GET /access-reviews/{id}/items": Route("access-reviews"),
    "GET /access-reviews/{id}/report": Route("access-reviews"),
    "POST /access-reviews/{id}/close": Route("access-reviews"),
    "POST /access-reviews/{id}/items/{item}/answer": Route(
        "access-reviews", bodies=({"decision": "keep", "reason": "walked"},)
    ),
    "PUT /access-reviews/{id}/items/{item}/reviewers": Route(
        "access-reviews", bodies=({"reviewers": ["x@y.example"]},)
    ),
    "GET /access-review-schedules": Route(lists=True),
    "GET /access-review-schedules/{name}": Route("access-review-schedules"),
    "PUT /access-review-schedules/{name}": Route(
        bodies=({"name": "{it}", "every": "year", "department": "{departments}"},)
    ),
    "DELETE /access-review-schedules/{name}": Route("access-review-schedules"),
}
del ROUTES["POST /prices"]
LISTS = sorted(name.split(" ")[1] for name, route in ROUTES.items() if route.lists and not route.platform)

STORED: dict[str, dict[str, Any] | None] = {
    "GET /v1/responses": None,
    "GET /v1/responses/{response}": None,
    "DELETE /v1/responses/{response}": None,
    "POST /v1/responses/{response}/cancel": None,
    "GET /v1/responses/{response}/input_items": None,
    "GET /v1/conversations": None,
    "POST /v1/conversations": {},
    "GET /v1/conversations/{conversation}": None,
    "POST /v1/conversations/{conversation}": {"metadata": {}},
    "DELETE /v1/conversations/{conversation}": None,
    "GET /v1/conversations/{conversation}/items": None,
    "POST /v1/conversations/{conversation}/items": {"items": [{"role": "user", "content": "x"}]},
    "GET /v1/conversations/{conversation}/items/{item}": None,
    "DELETE /v1/conversations/{conversation}/items/{item}": None,
}
"""Every address of what callers have stored, with a body where it takes one."""
