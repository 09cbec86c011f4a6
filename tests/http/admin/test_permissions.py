"""Who may do what: the roles, route by route; and nothing of another tenant, not even that it exists."""

import re
from typing import Any

import pytest
import pytest_asyncio
from httpx2 import AsyncClient

from tests.support.house import House
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, ACME_USER_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

TENANT_NOUNS = {
    "tenants",
    "departments",
    "users",
    "groups",
    "applications",
    "keys",
    "limits",
    "budgets",
    "calls",
    "spend",
    "statements",
} | {"exports", "usage-events"}
OUTLOOK = {"forecast", "movers", "savings", "alerts", "anomaly-rules"}
APPROVALS = {"approval-rules", "access-review-schedules"}
TENANT_NOUNS |= OUTLOOK | {"issuers", "sessions"} | {"access", "use-cases"} | APPROVALS
BILLING = {"invoices", "credits", "billing-profiles", "issuer"}
CATALOGUE = {"models", "deployments", "aliases", "providers", "prices"}
WRITABLE = {
    "departments",
    "users",
    "groups",
    "applications",
    "keys",
    "limits",
    "budgets",
    "anomaly-rules",
    "access",
    "use-cases",
}
WRITABLE |= APPROVALS | {"access-reviews", "sessions"}
READS_ALL = {("GET", noun) for noun in TENANT_NOUNS} | {
    ("POST", f"access/{question}") for question in ("check", "explain", "what-if")
}
PRICES = {"price-adjustments", "price-lists", "price-books", "currencies"}
CATALOGUE_READS = {("GET", noun) for noun in CATALOGUE | PRICES} | {("POST", "price-books")}
ROLES = {("GET", noun) for noun in ("account-rules", "roles", "role-assignments", "security-settings", "break-glass")}
AUDITS = {("GET", "events"), ("GET", "configuration"), ("GET", "encryption/key")} | ROLES
REPLICAS = {("GET", "replicas")}
RECONCILES = {("GET", "reconciliations")}
BILLS = {("GET", noun) for noun in BILLING}


def _changes(nouns: set[str]) -> set[tuple[str, str]]:
    return {(method, noun) for noun in nouns for method in ("POST", "PUT", "DELETE")}


GIVES_ROLES = _changes({"roles", "role-assignments"})
OWNS = {
    ("PUT", "security-settings"),
    ("PUT", "account-rules"),
    ("DELETE", "account-rules"),
    ("POST", "break-glass/{id}/end"),
    ("POST", "break-glass/{id}/review"),
}
OWNS |= {("POST", f"encryption/{act}") for act in ("rotate", "withdraw", "restore", "destroy")}
OWNS |= _changes({"issuers"})
OWNS |= {("PUT", "encryption/master-key"), ("POST", "users/{email}/erase")}
"""What owners may and administrators may not."""
MOVES = {("GET", f"tenants/{{name}}/{place}") for place in ("size", "moves", "moves/{move}")}
MOVES |= {("GET", "tenant-erasures"), ("POST", "tenant-erasures")}
MOVES |= {("GET", "tenants/{name}/archive"), ("GET", "tenant-archives/signing-key"), ("POST", "tenant-archives")}
MAY: dict[str, set[tuple[str, str]]] = {
    "platform owner": READS_ALL
    | CATALOGUE_READS
    | AUDITS
    | REPLICAS
    | RECONCILES
    | {("POST", "reconciliations")}
    | BILLS
    | _changes(BILLING)
    | _changes(WRITABLE | CATALOGUE | PRICES | {"tenants", "cells"})
    | {("GET", "cells")}
    | {("POST", "calls"), ("POST", "configuration"), ("POST", "spend")}
    | GIVES_ROLES
    | OWNS
    | MOVES
    | {("POST", "break-glass"), ("GET", "encryption"), ("POST", "encryption/rewrap")},
    "platform operator": READS_ALL | CATALOGUE_READS | REPLICAS | _changes({"keys", "limits"}),
    "platform auditor": READS_ALL
    | CATALOGUE_READS
    | REPLICAS
    | AUDITS
    | BILLS
    | RECONCILES
    | {("GET", "encryption"), ("POST", "break-glass/{id}/end")},
    "platform monitor": REPLICAS,
    "platform break_glass": {("GET", "break-glass"), ("POST", "break-glass"), ("POST", "break-glass/{id}/end")},
    "owner": READS_ALL | AUDITS | BILLS | _changes(WRITABLE) | GIVES_ROLES | OWNS,
    "admin": READS_ALL | AUDITS | BILLS | _changes(WRITABLE) | GIVES_ROLES | {("POST", "break-glass/{id}/end")},
    "operator": READS_ALL | _changes({"keys", "limits"}),
    "auditor": READS_ALL | AUDITS | BILLS | {("POST", "break-glass/{id}/end")},
    "developer": {
        ("GET", noun)
        for noun in (
            "applications",
            "calls",
            "spend",
            "statements",
            "budgets",
            "limits",
            "exports",
            "usage-events",
            "use-cases",
        )
    }
    | {("GET", noun) for noun in OUTLOOK},
    "member": set(),
    "provisioning": set(),
}
"""The catalogue belongs to the platform: no role of a tenant reaches it here (`/v1/models` shows its own part)."""


for may in MAY.values():
    # One's own sessions are everybody's business.
    may |= {("GET", "sessions/mine"), ("DELETE", "sessions/mine"), ("GET", "sessions/current")}
    # Who is asked something, or takes access in an emergency, need have no role.
    may |= {("GET", "access-reviews"), ("POST", "access-reviews/{id}/items/{item}/answer")}
    may |= {("GET", "emergency-access"), ("POST", "emergency-access")}
    if ("POST", "access-reviews") in may:
        may.add(("POST", "emergency-access/{id}/review"))
    if ("GET", "access-review-schedules") in may:
        may.add(("GET", "access-reviews/{id}/report"))

NAMED = {(method, place) for may in MAY.values() for method, place in may if "/" in place}
"""Operations that differ from the others of their noun."""
EVERYBODYS = {"whoami", "me", "approval-requests", "approval-delegations", "access-grants"}
"""Who is known may ask here; what they see and may do follows from what they ask about."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(shared: House) -> dict[str, AsyncClient]:
    """A client for each role."""
    found = {}
    for role in MAY:
        name, query = role.removeprefix("platform "), {} if role.startswith("platform ") else {"tenant": "acme"}
        body = {"name": f"of {role}", "roles": [name]}
        reply = await shared.admin().post("/api/v1/keys", json=body, params=query)
        found[role] = shared.admin(reply.json()["secret"])
    return found


@pytest.mark.parametrize("role", MAY)
async def test_a_role_may_do_what_it_says_and_no_more(
    clients: dict[str, AsyncClient], role: str, owner: AsyncClient
) -> None:
    described = (await owner.get("/api/openapi.json")).json()
    wrong = []
    for path, operations in described["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        rest = path.removeprefix("/api/v1/")
        if rest.startswith("me/"):
            continue  # One's own account needs a session, whatever the roles: see tests/http/accounts.
        noun = rest.split("/")[0]
        address = re.sub(r"\{[^}]*\}", "00000000-0000-7000-8000-000000000000", path)
        for method in (name.upper() for name in operations):
            reply = await clients[role].request(method, address, json={} if method in {"POST", "PUT"} else None)
            place = (method, rest) if (method, rest) in NAMED else (method, noun)
            allowed = noun in EVERYBODYS or place in MAY[role]
            if (reply.status_code == 403) == allowed or reply.status_code in {401, 500}:
                wrong.append((method, path, reply.status_code))
    assert not wrong


@pytest.mark.parametrize("key", [ACME_KEY, ACME_USER_KEY])
async def test_whoami_needs_a_valid_key_and_nothing_else(shared: House, key: str) -> None:
    reply = await shared.client(key).get("/api/v1/whoami")
    assert reply.status_code == 200
    assert reply.json()["tenant"] == "acme"
    for wrong in ("enf_0000_wrong", None):
        refused = await shared.client(wrong).get("/api/v1/whoami")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("roles", [["admin"], ["operator"], ["auditor"], ["admin", "member"]], ids="+".join)
async def test_nobody_grants_more_than_they_have(clients: dict[str, AsyncClient], roles: list[str]) -> None:
    operator = clients["operator"]
    reply = await operator.post("/api/v1/keys", json={"name": f"more-{roles[0]}", "roles": roles})
    if roles == ["operator"]:
        assert reply.status_code == 201
    else:
        assert (reply.status_code, reply.json()["code"]) == (403, "rights_exceeded")
    rotated = await operator.post("/api/v1/keys/acme-admin/rotate", json={})
    assert (rotated.status_code, rotated.json()["code"]) == (403, "rights_exceeded")


async def test_an_operator_gains_no_rights_by_a_key_for_an_administrator(
    clients: dict[str, AsyncClient], shared: House
) -> None:
    boss = {"email": "boss@acme.example", "roles": ["admin"]}
    assert (await clients["admin"].post("/api/v1/users", json=boss)).status_code == 201
    reply = await clients["operator"].post("/api/v1/keys", json={"name": "by-user", "user": boss["email"]})
    assert reply.status_code in {201, 403}
    if reply.status_code == 201:
        tried = await shared.admin(reply.json()["secret"]).post("/api/v1/departments", json={"name": "escalated"})
        assert tried.status_code == 403


FOREIGN = [
    ("departments", "research"),
    ("applications", "notebook"),
    ("users", "gil@globex.example"),
    ("keys", "notebook-key"),
    ("tenants", "globex"),
]


@pytest.mark.parametrize(("noun", "name"), FOREIGN)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_another_tenants_things_are_answered_like_what_does_not_exist(
    shared: House, noun: str, name: str, method: str
) -> None:
    admin = shared.admin(ACME_ADMIN_KEY)
    query = {} if noun == "tenants" else {"tenant": "globex"}
    identifier = (await shared.admin().get(f"/api/v1/{noun}/{name}", params=query)).json()["id"]
    body: Any = {"email": name} if noun == "users" else {"name": name}
    for tenants in ((None, None, None), ("globex", "globex", "nobody")):
        answers = []
        for used, tenant in zip((name, identifier, "never-heard-of"), tenants, strict=True):
            asked = {} if tenant is None else {"tenant": tenant}
            options = {"json": body} if method == "PUT" else {}
            reply = await admin.request(method, f"/api/v1/{noun}/{used}", params=asked, **options)
            said = reply.text
            for told in (used, tenant):
                said = said.replace(told, "IT") if told else said
            answers.append((reply.status_code, said))
        assert len(set(answers)) == 1, answers
        expected = {404, 405} if method == "PUT" and noun == "departments" else {404}
        assert answers[0][0] in ({403} if noun == "tenants" and method != "GET" else expected)


@pytest.mark.parametrize("noun", sorted(TENANT_NOUNS - {"tenants"} | {"events"}))
async def test_lists_hold_nothing_of_another_tenant(shared: House, noun: str) -> None:
    admin, globex = shared.admin(ACME_ADMIN_KEY), shared.tenant_id("globex")
    text = (await admin.get(f"/api/v1/{noun}")).text
    assert "globex" not in text
    assert globex not in text
    for other in ("globex", globex, "nobody"):
        reply = await admin.get(f"/api/v1/{noun}", params={"tenant": other})
        assert (reply.status_code, reply.json()["code"]) == (404, "tenant_not_found")
    assert (await admin.get(f"/api/v1/{noun}", params={"tenant": "acme"})).status_code == 200
