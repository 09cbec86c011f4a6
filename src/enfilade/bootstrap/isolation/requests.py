"""What the walk says at the addresses that need to be told something, so that ownership decides the answer.

In a body `{departments}` and the like stand for a thing of that noun, and `{it}` for what the address names. An address
that can name nothing has its reason here. What is served, and neither can be asked nor has a reason, is a finding.
"""

from typing import Any, Final

from enfilade.bootstrap.isolation.things import THEIRS

Body = Any
ANA: Final = f"ana@{THEIRS}.example"
WISH: Final = {"kind": "model", "model": "chat", "duration": "1h", "reason": "walked"}
ROLE_WISH: Final = {"kind": "role", "role": "member", "duration": "1h", "reason": "walked"}
RULE: Final = {"name": "{it}", "kinds": ["model"], "stages": [{"reviewers": ["manager"]}]}
ISSUER: Final = {"name": "{it}", "url": "https://x.example", "audiences": ["walked"]}
SCOPED: Final = ("department:{departments}", "application:{applications}", "user:{users}", "key:{keys}")
ASKED: Final = {"resource": {"type": "model", "id": "chat"}, "action": {"name": "call"}}
SCIM_USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
SCIM_STAFF: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SCIM_GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
SCIM_PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SUBJECTS: Final = (("user", "{users}"), ("application", "{applications}"), ("key", "{keys}"))


def _patch(path: str, value: Body) -> Body:
    return {"schemas": [SCIM_PATCH], "Operations": [{"op": "replace", "path": path, "value": value}]}


API: Final[dict[str, tuple[Body, ...]]] = {
    "POST /departments": ({"name": "{it}"},),
    "POST /users": (
        {"email": "{it}@x.example", "department": "{departments}"},
        {"email": "{it}@x.example", "manager": "{users}"},
    ),
    "PUT /users/{email}": (
        {"email": "{it}", "department": "{departments}"},
        {"email": "{it}", "manager": "{users}"},
    ),
    "PUT /users/{email}/password": ({"password": "seven green lamps over the river"},),
    "POST /applications": ({"name": "{it}", "department": "{departments}"},),
    "PUT /applications/{name}": ({"name": "{it}", "department": "{departments}"},),
    "POST /keys": ({"name": "{it}", "application": "{applications}"}, {"name": "{it}", "user": "{users}"}),
    "PUT /keys/{name}": ({"name": "{it}", "application": "{applications}"}, {"name": "{it}", "user": "{users}"}),
    "POST /keys/{name}/rotate": ({"grace": "1h"},),
    "POST /limits": tuple({"scope": scope, "requests": 5, "per": "minute"} for scope in SCOPED),
    "PUT /limits/{id}": ({"amount": 1},),
    "POST /budgets": tuple({"scope": scope, "window": "day", "limit_usd": 1} for scope in SCOPED),
    "PUT /budgets/{id}": ({"limit_usd": 1},),
    "POST /budgets/{id}/raises": ({"by_usd": 1, "until": "2099-12-31", "reason": "walked"},),
    "POST /use-cases": ({"name": "{it}", "owner": "o@x.example", "purpose": "walked"},),
    "PUT /use-cases/{name}": ({"name": "{it}", "owner": "o@x.example", "purpose": "walked"},),
    "POST /groups": ({"name": "{it}", "members": ["{users}"]},),
    "PUT /groups/{name}": ({"name": "{it}", "members": ["{users}"]},),
    "POST /roles": ({"name": "{it}", "permissions": ["applications:read"]},),
    "PUT /roles/{name}": ({"name": "{it}", "permissions": ["applications:read"]},),
    "POST /role-assignments": (
        {"role": "member", "user": "{users}"},
        {"role": "member", "group": "{groups}"},
        {"role": "member", "user": ANA, "department": "{departments}"},
        {"role": "member", "user": ANA, "application": "{applications}"},
        {"role": "{roles}", "user": ANA},
    ),
    "POST /issuers": (ISSUER,),
    "PUT /issuers/{name}": (ISSUER,),
    "PUT /security-settings": ({},),
    "PUT /account-rules": ({},),
    "PUT /anomaly-rules": ({"factor": 3},),
    "PUT /access": ({"content": {}},),
    "POST /access/check": ({},),
    "PUT /access/matrix": ({"rows": []},),
    "PUT /access/policies/{name}": ({"name": "{it}", "cedar": "permit (principal, action, resource);"},),
    "POST /access/versions": ({"content": {}},),
    "PUT /access/versions/{number}": ({"content": {}},),
    "POST /access/explain": tuple({"model": "chat", kind: noun} for kind, noun in SUBJECTS),
    "POST /access/what-if": ({"content": {}},),
    "POST /approval-rules": (RULE,),
    "PUT /approval-rules/{name}": (RULE,),
    "PUT /approval-delegations/{email}": ({"ends_at": "2099-12-31"},),
    "POST /approval-requests": (
        WISH | {"application": "{applications}"},
        ROLE_WISH | {"department": "{departments}"},
        {"kind": "key_scope", "key": "{keys}", "scopes": ["keys:read"], "duration": "1h", "reason": "walked"},
    ),
    "POST /approval-requests/{id}/approve": ({},),
    "POST /approval-requests/{id}/refuse": ({"reason": "walked"},),
    "POST /approval-requests/{id}/comments": ({"text": "walked"},),
    "POST /access-grants/{id}/revoke": ({"reason": "walked"},),
    "POST /emergency-access": (ROLE_WISH | {"department": "{departments}"},),
    "POST /emergency-access/{id}/review": ({"justified": True, "note": "walked"},),
    "POST /access-reviews": ({"name": "{it}", "department": "{departments}"},),
    "POST /access-reviews/{id}/items/{item}/answer": ({"decision": "keep", "reason": "walked"},),
    "PUT /access-reviews/{id}/items/{item}/reviewers": ({"reviewers": ["x@y.example"]},),
    "PUT /access-review-schedules/{name}": ({"name": "{it}", "every": "year", "department": "{departments}"},),
    "POST /break-glass/{id}/review": ({"note": "walked"},),
    "PUT /encryption/master-key": ({"service": None},),
    "POST /encryption/destroy": ({"confirm": "walked"},),
    "PUT /me/password": ({"current": "x", "new": "x"},),
    "POST /me/second-factors/totp": ({},),
    "POST /me/second-factors/totp/{id}/confirm": ({"code": "0"},),
    "POST /me/second-factors/webauthn/confirm": ({"challenge": "x", "credential": {}},),
}
"""Under `/api/v1`. What is for the platform's people alone needs none: nobody else's request is read so far."""

SIGN_IN: Final = {"password": "no such password", "email": "ana@{tenants}.example"}
CALL: Final = {"model": "chat", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9}
SAID: Final = {"role": "user", "parts": [{"text": "x"}]}
GEMINI: Final[dict[str, Body]] = {
    "generateContent": {"contents": [SAID]},
    "streamGenerateContent": {"contents": [SAID]},
    "countTokens": {"contents": [SAID]},
    "embedContent": {"content": SAID},
    "batchEmbedContents": {"requests": [{"model": "models/chat", "content": SAID}]},
}
ELSEWHERE: Final[dict[str, tuple[Body, ...]]] = {
    "POST /v1/chat/completions": (CALL,),
    "POST /v1/messages": (CALL,),
    "POST /v1/messages/count_tokens": ({"model": "chat", "messages": CALL["messages"]},),
    "POST /v1/embeddings": ({"model": "chat", "input": "x"},),
    "POST /v1/responses": (
        {"model": "chat", "input": "x"},
        {"model": "chat", "input": "x", "previous_response_id": "{responses}"},
        {"model": "chat", "input": "x", "conversation": "{conversations}"},
    ),
    **{
        f"POST /{version}/models/{{model}}:{method}": (body,)
        for version in ("v1", "v1beta")
        for method, body in GEMINI.items()
    },
    "POST /v1/conversations": ({},),
    "POST /v1/conversations/{conversations}": ({"metadata": {}},),
    "POST /v1/conversations/{conversations}/items": ({"items": [{"role": "user", "content": "x"}]},),
    "POST /access/v1/evaluation": tuple(ASKED | {"subject": {"type": kind, "id": noun}} for kind, noun in SUBJECTS),
    "POST /access/v1/evaluations": tuple(
        {"evaluations": [ASKED | {"subject": {"type": kind, "id": noun}}]} for kind, noun in SUBJECTS
    ),
    "POST /scim/v2/Users": (
        {"schemas": [SCIM_USER], "userName": "new@x.example", SCIM_STAFF: {"manager": {"value": "{users}"}}},
    ),
    "PUT /scim/v2/Users/{id}": ({"schemas": [SCIM_USER], "userName": "walked@x.example"},),
    "PATCH /scim/v2/Users/{id}": (_patch("displayName", "walked"),),
    "POST /scim/v2/Users/.search": ({"filter": 'userName eq "{users}"'},),
    "POST /scim/v2/Groups": ({"schemas": [SCIM_GROUP], "displayName": "walked", "members": [{"value": "{users}"}]},),
    "PUT /scim/v2/Groups/{id}": ({"schemas": [SCIM_GROUP], "displayName": "walked"},),
    "PATCH /scim/v2/Groups/{id}": (_patch("members", [{"value": "{users}"}]),),
    "POST /scim/v2/Groups/.search": ({"filter": 'displayName eq "{groups}"'},),
    "POST /auth/local/sign-in": (SIGN_IN | {"tenant": "{tenants}"}, SIGN_IN | {"tenant": THEIRS}),
}
"""Everywhere else."""
BODIES: Final = {
    **{operation.replace(" ", " /api/v1", 1): bodies for operation, bodies in API.items()},
    **ELSEWHERE,
}

ANSWERED: Final = frozenset(
    {
        "POST /access/v1/evaluation",
        "POST /access/v1/evaluations",
        "POST /scim/v2/Users/.search",
        "POST /scim/v2/Groups/.search",
    }
)
"""Where what is not there is no error: a decision is no, and a search finds nothing."""
DOES_MORE: Final = {
    "POST /auth/local/sign-in": "the work is not compared: a wrong password of somebody who is there is told to their "
    "tenant, beside a hash that takes many times as long for everybody",
}
"""Where more is done for what is there, and why that is no telling."""
NAMED_WITHIN: Final = frozenset({"PUT /api/v1/access/policies/{name}", "PUT /api/v1/access-review-schedules/{name}"})
"""Where whatever is named is made if the caller's tenant has none of that name: only what else they say is tried."""

COUNTED: Final = "counted within the caller's own tenant: another's cannot even be asked for"
EVERYBODY: Final = "says the same to everybody"
HANDED_OVER: Final = (
    "needs a secret of 128 bits and more, made for one browser or command line: who has it is who was meant"
)
A_BROWSER: Final = "a browser's own: it is known by its session, and names nothing"
REASONS: Final[dict[str, str]] = {
    "GET /": EVERYBODY,
    "GET /healthz": EVERYBODY,
    "GET /readyz": EVERYBODY,
    "GET /api/openapi.json": EVERYBODY,
    "GET /api/static/{file}": EVERYBODY,
    "GET /api/docs": EVERYBODY,
    "GET /api/docs/oauth2-redirect": EVERYBODY,
    "GET /api/redoc": EVERYBODY,
    "GET /.well-known/authzen-configuration": EVERYBODY,
    "GET /scim/v2/ResourceTypes/{id}": EVERYBODY,
    "GET /scim/v2/Schemas/{id}": EVERYBODY,
    **{
        f"{method} /api/v1/access/versions/{{number}}{rest}": COUNTED
        for method, rest in (
            ("GET", ""),
            ("PUT", ""),
            ("DELETE", ""),
            ("POST", "/approve"),
            ("POST", "/publish"),
            ("POST", "/rollback"),
            ("GET", "/diff"),
        )
    },
    "GET /auth/cli": A_BROWSER,
    "POST /auth/cli": A_BROWSER,
    "POST /auth/cli/token": HANDED_OVER,
    "POST /auth/device/code": "makes codes for whoever waits: it names nothing",
    "POST /auth/device/token": HANDED_OVER,
    "POST /auth/device/issuer/token": HANDED_OVER,
    "POST /auth/device/issuer/code": "who signs in is not known yet: it leads to the service that the named tenant declared",
    "GET /auth/device": A_BROWSER,
    "POST /auth/device": A_BROWSER,
    "POST /auth/local/second-factor": HANDED_OVER,
    "POST /auth/local/password": HANDED_OVER,
    "POST /auth/local/enrolment/totp": HANDED_OVER,
    "POST /auth/local/enrolment/totp/confirm": HANDED_OVER,
    "POST /auth/local/enrolment/webauthn": HANDED_OVER,
    "POST /auth/local/enrolment/webauthn/confirm": HANDED_OVER,
    "GET /auth/sign-in": EVERYBODY,
    "GET /auth/oidc/start": "who signs in is not known yet: it leads to the service that the named tenant declared",
    "GET /auth/oidc/{tenant}/{issuer}/start": "who signs in is not known yet: it leads to the service that the named "
    "tenant declared",
    "GET /auth/oidc/callback": HANDED_OVER,
    "GET /auth/signed-in": A_BROWSER,
    "POST /auth/sign-out": A_BROWSER,
    "GET /auth/signed-out": EVERYBODY,
}
"""What is served and not asked for somebody else's things, and why."""
