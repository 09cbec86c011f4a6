"""Two tenants with rows in every table. Everything of acme's carries `acme` in its name, so that a leak shows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2

from enfilade.core.clock import ManualClock
from enfilade.gateway.stored.forms import raw
from enfilade.gateway.stored.types import RESPONSE, Exchange, public_id
from enfilade.storage.address import Address
from tests.support.accounts import leave_accounts
from tests.support.approving import leave_approvals
from tests.support.house import House, HouseOptions, open_house
from tests.support.parts import unit_in
from tests.support.two_tenants import bill, change_keys, correct, give_roles, leave_traces, note_anomaly, sign_in
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, GLOBEX_ADMIN_KEY, GLOBEX_KEY, OWNER_KEY, world

TENANTS = ("acme", "globex")
KEYS = {"acme": ACME_KEY, "globex": GLOBEX_KEY}
ADMINS = {"acme": ACME_ADMIN_KEY, "globex": GLOBEX_ADMIN_KEY}
WALKERS = {
    f"{name}-{part}": f"{name}-{part}-key-with-enough-characters-for-anybody"
    for name in TENANTS
    for part in ("person", "scim")
} | {f"{name}-app": key for name, key in KEYS.items()}
"""The keys of those who walk."""
SECOND_KEY = "acme-second-application-key-with-enough-characters"
USER_KEY = "acme-ana-personal-key-with-enough-characters-too"
"""Other owners in the same tenant."""
NEVER_ID = "01a19c21-7200-7000-8000-00000000dead"
SHARED_KEY = "the-same-idempotency-key"
NOUNS = ("departments", "users", "applications", "keys", "limits", "budgets", "calls", "use-cases")


def document() -> dict[str, Any]:
    content = world()
    content["tenants"] = [_tenant("acme"), _tenant("globex")]
    content["models"].append(
        {
            "name": "acme-private",
            "deployments": [{"provider": "sim", "model": "echo"}],
            "price": {"input": 1, "output": 2},
        }
    )
    acme = content["tenants"][0]
    acme["applications"].append({"name": "acme-second"})
    acme["keys"] += [
        {"name": "acme-second-key", "application": "acme-second", "secret": {"value": SECOND_KEY}},
        {"name": "acme-ana-key", "user": "ana@acme.example", "secret": {"value": USER_KEY}},
    ]
    content["tenants"][1]["allowed_models"] = ["simulated/*", "chat", "fast"]
    return content


def _tenant(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "departments": [{"name": f"{name}-sales"}],
        "users": [{"email": f"ana@{name}.example", "department": f"{name}-sales", "roles": ["owner"]}],
        "applications": [{"name": f"{name}-app", "department": f"{name}-sales", "cache": {"ttl": "1h"}}],
        "keys": [
            {"name": f"{name}-key", "application": f"{name}-app", "secret": {"value": KEYS[name]}},
            {"name": f"{name}-admin", "roles": ["admin"], "secret": {"value": ADMINS[name]}},
            {
                "name": f"{name}-person",
                "user": f"ana@{name}.example",
                "roles": ["owner"],
                "secret": {"value": WALKERS[f"{name}-person"]},
            },
            {"name": f"{name}-scim", "roles": ["provisioning"], "secret": {"value": WALKERS[f"{name}-scim"]}},
        ],
        "limits": [{"scope": f"application:{name}-app", "requests": 1000, "per": "minute"}],
        "budgets": [{"scope": f"user:ana@{name}.example", "window": "month", "limit_usd": 10}],
        "use_cases": [{"name": f"{name}-writing", "owner": f"ana@{name}.example", "purpose": "for the walk"}],
        "access": {
            "default": "allow",
            "matrix": [{"name": f"{name}-row", "departments": [f"{name}-sales"]}],
            "policies": [
                {"name": f"{name}-policy", "cedar": 'permit (principal, action == Action::"call", resource);'}
            ],
        },
    }


@dataclass(slots=True)
class TwoTenants:
    """The house, and what acme has in it."""

    house: House
    ids: dict[str, list[str]] = field(default_factory=dict)
    """Acme's ids by noun: tenants, departments, …, calls."""
    stored: dict[str, str] = field(default_factory=dict)
    """What acme has stored, by its public id: a response, a conversation, and an item of it."""

    @property
    def names(self) -> dict[str, str]:
        """Acme's names by noun."""
        return {
            "tenants": "acme",
            "departments": "acme-sales",
            "groups": "group-of-ana@acme.example",
            "users": "ana@acme.example",
            "applications": "acme-app",
            "keys": "acme-key",
            "issuers": "acme-login",
            "use-cases": "acme-writing",
            "invoices": "INV-2026-000001",
            "roles": "role-of-ana@acme.example",
            "approval-rules": "rule-of-ana@acme.example",
            "access-review-schedules": "schedule-of-ana@acme.example",
        }

    def everything_of_acme(self) -> set[str]:
        """No reply to anybody else may hold any of this."""
        return {"acme", *self.stored.values(), *(identifier for group in self.ids.values() for identifier in group)}

    def as_admin(self, tenant: str) -> httpx2.AsyncClient:
        """A client with a tenant's administrator's key."""
        return self.house.client(ADMINS[tenant])


@asynccontextmanager
async def two_tenants(address: Address) -> AsyncIterator[TwoTenants]:
    """Both tenants at work: calls were answered, refused and are running, changes were made."""
    clock = ManualClock()
    async with open_house(address, HouseOptions(document=document(), clock=clock)) as house:
        both = TwoTenants(house)
        for tenant in TENANTS:
            await _use(house, tenant)
        clock.advance(1)  # Reports end at the present moment, without it.
        for noun in NOUNS:
            reply = await both.as_admin("acme").get(f"/api/v1/{noun}")
            both.ids[noun] = [item["id"] for item in reply.json()["items"]]
            assert both.ids[noun], noun
        for tenant in TENANTS:
            await bill(house.parts, house.tenant_id(tenant))
            await note_anomaly(house.parts, house.tenant_id(tenant))
            await sign_in(house.parts, house.tenant_id(tenant))
            await change_keys(house.parts, house.tenant_id(tenant))
            await leave_traces(house.parts, house.tenant_id(tenant))
            async with unit_in(house.parts, house.tenant_id(tenant)) as unit:
                key = await house.parts.identity.keys.get(unit, f"{tenant}-key")
                await give_roles(house.parts, unit, f"ana@{tenant}.example", key.id)
                await leave_accounts(house.parts, unit, f"ana@{tenant}.example")
        left: dict[str, str] = {}
        for tenant in TENANTS[::-1]:
            left = await leave_approvals(house.parts, house.tenant_id(tenant), f"ana@{tenant}.example")
        both.ids |= {noun: [identifier] for noun, identifier in left.items()}
        for noun in ("issuers", "sessions", "groups", "invoices", "credits", "role-assignments", "break-glass"):
            items = (await both.as_admin("acme").get(f"/api/v1/{noun}")).json()["items"]
            both.ids[noun] = [item["id"] for item in items]
        roles = (await both.as_admin("acme").get("/api/v1/roles")).json()["items"]
        both.ids["roles"] = [role["id"] for role in roles if role.get("id")]
        both.ids["tenants"] = [house.tenant_id("acme")]
        both.stored = await _store(house, "acme")
        both.ids["stored"] = [_uuid(both.stored["responses"]), _uuid(both.stored["conversations"])]
        await _store(house, "globex")
        for tenant in TENANTS:
            await _correct(house, tenant)
        await house.parts.roll_ups.catch_up()
        async with asyncio.TaskGroup() as group:
            for tenant in TENANTS:
                group.create_task(_ask(house, tenant, "simulated/text-5+slow-2s"))
            await eventually(lambda: len(house.parts.meter_book.holds) == len(TENANTS))
            await eventually(lambda: _intents(house))
            yield both
            clock.advance(2)


async def _use(house: House, tenant: str) -> None:
    answered = await _ask(house, tenant, "simulated/echo")
    assert answered.status_code == 200
    assert (await _ask(house, tenant, "no-such-model")).status_code == 404
    body = {"name": f"{tenant}-second"}
    headers = {"idempotency-key": f"{tenant}-of-its-own"}
    made = await house.client(ADMINS[tenant]).post("/api/v1/departments", json=body, headers=headers)
    assert made.status_code == 201
    (budget,) = (await house.client(ADMINS[tenant]).get("/api/v1/budgets")).json()["items"]
    body = {"by_usd": "1", "until": "2027-12-31", "reason": f"a raise of {tenant}"}
    made = await house.client(ADMINS[tenant]).post(f"/api/v1/budgets/{budget['id']}/raises", json=body)
    assert made.status_code == 201, made.text


async def _correct(house: House, tenant: str) -> None:
    async with house.unit(house.tenant_id(tenant)) as unit:
        call = await unit.fetch_value("SELECT call_id::text FROM ledger WHERE amount_nano > 0 LIMIT 1")
    await correct(house.parts, house.tenant_id(tenant), call)


async def _store(house: House, tenant: str) -> dict[str, str]:
    """What a tenant's application leaves with us."""
    item = {"type": "message", "role": "user", "content": f"The plans of {tenant}", "id": f"msg_{tenant}"}
    body = {"metadata": {"of": tenant}, "items": [item]}
    made = await house.client(KEYS[tenant]).post("/v1/conversations", json=body)
    assert made.status_code == 200, made.text
    call_id = house.parts.ids.new_id()
    principal = house.parts.principals.authenticate(KEYS[tenant].encode(), None, house.parts.clock.now_ns())
    reply = {"object": "response", "status": "completed", "output": [item | {"role": "assistant"}]}
    exchange = Exchange(call_id, "chat", house.parts.clock.now_ns(), (raw(item),), bytes(raw(reply)))
    await house.parts.stored.keep(principal, principal.scope, exchange)
    return {
        "responses": public_id(RESPONSE, call_id),
        "conversations": made.json()["id"],
        "items": item["id"],
    }


def _uuid(name: str) -> str:
    return str(UUID(name.partition("_")[2]))


async def _ask(house: House, tenant: str, model: str) -> httpx2.Response:
    body = {"model": model, "messages": [{"role": "user", "content": f"The plans of {tenant}"}], "max_tokens": 9}
    headers = {"x-enfilade-metadata": f'{{"team": "{tenant}-team"}}'}
    # One of these runs for as long as the tests do.
    client = house.client(KEYS[tenant])
    client.timeout = httpx2.Timeout(None)
    reply: httpx2.Response = await client.post("/v1/chat/completions", json=body, headers=headers)
    return reply


async def _intents(house: House) -> bool:
    async with house.unit() as unit:
        return bool(await unit.fetch_value("SELECT count(*) = $1 FROM intents", len(TENANTS)))


def as_owner(both: TwoTenants) -> httpx2.AsyncClient:
    """A client of the platform's owner."""
    return both.house.client(OWNER_KEY)
