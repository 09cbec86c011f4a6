"""The platform's own issuers in the document: applied, exported, pruned, and signed in by."""

from typing import Any

import httpx2

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.issuer import open_issuer
from tests.support.sign_in import issuer_part
from tests.support.world import ACME_ADMIN_KEY, world

BOSS = {"sub": "boss-1", "email": "boss@corp.example", "email_verified": True, "groups": ["operators"]}


async def test_the_platforms_issuers_stand_in_the_document_like_a_tenants(database: Address) -> None:
    clock = ManualClock()
    async with (
        open_issuer(lambda: clock.now_ns() / 10**9) as issuer,
        open_house(database, HouseOptions(clock=clock)) as house,
    ):
        part = issuer_part(issuer, name="corp", email_domains=["corp.example"], roles={"operators": ["operator"]})
        document = world() | {"issuers": [part]}
        assert await _changes(house, document, "plan") == ["create issuer corp of platform"]
        assert await _changes(house, document) == ["create issuer corp of platform"]
        assert await _changes(house, document) == []
        exported = (await house.admin().get("/api/v1/configuration")).json()
        (shown,) = exported["issuers"]
        assert (shown["name"], shown["roles"]) == ("corp", {"operators": ["operator"]})
        assert "a-client-secret" not in str(exported)
        assert await _changes(house, exported, prune=True) == []
        own = (await house.admin(ACME_ADMIN_KEY).get("/api/v1/configuration")).json()
        assert not own.get("issuers")

        issuer.person = BOSS
        session = await _sign_in(house)
        me = (await house.client(session).get("/api/v1/me")).json()
        assert (me["email"], me["tenant"], me["roles"]) == ("boss@corp.example", "platform", ["operator"])

        unfit = world() | {"issuers": [part | {"roles": {"operators": ["admin"]}}]}
        refused = await house.admin().post("/api/v1/configuration/apply", json=unfit)
        assert (refused.status_code, refused.json()["param"]) == (422, "issuers[0].roles")
        assert await _changes(house, world()) == []
        assert await _changes(house, world(), prune=True) == ["remove issuer corp of platform"]
        assert (await house.client(session).get("/api/v1/me")).status_code == 401
        assert (await house.admin().get("/api/v1/me")).status_code == 200


async def _changes(house: House, document: Any, action: str = "apply", *, prune: bool = False) -> list[str]:
    reply = await house.admin().post(f"/api/v1/configuration/{action}", json=document, params={"prune": prune})
    assert reply.status_code == 200, reply.text
    return [f"{one['action']} {one['kind']} {one['name']} of {one['tenant']}" for one in reply.json()["changes"]]


async def _sign_in(house: House) -> str:
    browser = house.client(None)
    begun = await browser.get("/auth/oidc/platform/corp/start")
    async with httpx2.AsyncClient(trust_env=False) as outside:
        back = (await outside.get(begun.headers["location"])).headers["location"]
    assert (await browser.get(back)).status_code == 303
    return str(browser.cookies["enfilade_session"])
