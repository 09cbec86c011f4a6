"""Houses whose tenants trust a test issuer, and browsers that sign in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.issuer import TestIssuer, open_issuer
from tests.support.world import world

CALL = {"model": "simulated/echo", "messages": [{"role": "user", "content": "Good morning"}], "max_tokens": 9}


def issuer_part(issuer: TestIssuer, **changes: Any) -> dict[str, Any]:
    """The issuer as a tenant declares it."""
    return {
        "name": "login",
        "url": issuer.url,
        "audiences": ["enfilade-api"],
        "client_id": issuer.client_id,
        "client_secret": {"value": "a-client-secret"},
        "email_domains": ["acme.example"],
        "roles": {"staff": ["developer"], "admins": ["admin"]},
        "create_users": True,
        "allow_private_network": True,
    } | changes


@dataclass(slots=True)
class Place:
    """A house, an issuer that acme trusts, and their clock."""

    house: House
    issuer: TestIssuer
    clock: ManualClock
    is_changed: bool = False
    _caller: httpx2.AsyncClient | None = None

    async def call(self, token: str) -> httpx2.Response:
        """A call to a model."""
        if self._caller is None:
            self._caller = self.house.client(None)
        # The server ends idle connections by the clock that tests advance.
        headers = {"authorization": f"Bearer {token}", "connection": "close"}
        reply: httpx2.Response = await self._caller.post("/v1/chat/completions", json=CALL, headers=headers)
        return reply

    async def declare(self, *, tenant: dict[str, Any] | None = None, **changes: Any) -> None:
        """Change what acme says of the issuer, and of itself."""
        self.is_changed = True
        document = world()
        document["tenants"][0] |= tenant or {}
        document["tenants"][0]["issuers"] = [issuer_part(self.issuer, **changes)]
        await self.house.apply(document)

    def browser(self) -> httpx2.AsyncClient:
        """A browser: it keeps cookies, and goes only where it is told."""
        client = self.house.client(None)
        client.headers["connection"] = "close"
        return client

    async def depart(self, browser: httpx2.AsyncClient, target: str = "/auth/signed-in", **query: str) -> str:
        """Begin to sign in; the address to which the issuer sends the browser back."""
        begun = await browser.get("/auth/oidc/acme/login/start", params={"next": target} | query)
        assert begun.status_code == 303, begun.text
        async with httpx2.AsyncClient(trust_env=False) as outside:
            authorised = await outside.get(begun.headers["location"])
        return str(authorised.headers["location"])

    async def sign_in(self, browser: httpx2.AsyncClient) -> str:
        """Sign in; the session's token."""
        back = await browser.get(await self.depart(browser))
        assert back.status_code == 303, back.text
        return str(browser.cookies["enfilade_session"])


@asynccontextmanager
async def open_place(database: Address, **changes: Any) -> AsyncIterator[Place]:
    """A house and an issuer, both by one clock."""
    clock = ManualClock()
    async with open_issuer(lambda: clock.now_ns() / 10**9) as issuer:
        document = world()
        document["tenants"][0]["issuers"] = [issuer_part(issuer, **changes)]
        async with open_house(database, HouseOptions(document=document, clock=clock)) as house:
            yield Place(house, issuer, clock)
