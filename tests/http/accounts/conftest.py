"""A house in which signing in is quick and time stands still, and what its people do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from argon2 import PasswordHasher
from httpx2 import AsyncClient, Response

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.world import world

PASSWORD = "seven green lamps over the river"
SCIM_KEY = "a-provisioning-key-with-enough-characters"
GLOBEX_SCIM_KEY = "globex-provisioning-key-with-enough-characters"


@dataclass
class Place:
    """The house, its clock, and clients."""

    house: House
    clock: ManualClock

    @property
    def anybody(self) -> AsyncClient:
        """Somebody who is not known yet."""
        return self.house.client(None)

    async def set_password(
        self, email: str = "ana@acme.example", tenant: str = "acme", password: str = PASSWORD
    ) -> None:
        """As an administrator does."""
        path = f"/api/v1/users/{email}/password"
        reply = await self.house.admin().put(path, params={"tenant": tenant}, json={"password": password})
        assert reply.status_code == 204, reply.text

    async def sign_in(
        self, email: str = "ana@acme.example", password: str = PASSWORD, tenant: str | None = "acme", **more: Any
    ) -> Response:
        """Try to."""
        body = {"tenant": tenant, "email": email, "password": password, "token": True} | more
        return await self.anybody.post("/auth/local/sign-in", json=body)

    async def session(self, email: str = "ana@acme.example", **more: Any) -> AsyncClient:
        """A client of somebody who signed in."""
        reply = await self.sign_in(email, **more)
        assert reply.status_code == 200, reply.text
        return self.house.client(reply.json()["session"]["token"])

    async def events(self, kind: str, tenant: str = "acme") -> list[dict[str, Any]]:
        """What the log says."""
        reply = await self.house.admin().get("/api/v1/events", params={"tenant": tenant, "type": kind, "limit": 100})
        return [event["event"]["data"] for event in reply.json()["items"] if event["type"] == kind]

    async def require_second_factor(self, who: str, tenant: str = "acme") -> None:
        """As an owner does."""
        path, body = "/api/v1/account-rules", {"require_second_factor": who}
        reply = await self.house.admin().put(path, params={"tenant": tenant}, json=body)
        assert reply.status_code == 200, reply.text


@pytest.fixture
async def place(database: Address) -> AsyncIterator[Place]:
    """See `Place`."""
    clock = ManualClock()
    document = world()
    for tenant, secret in zip(document["tenants"], (SCIM_KEY, GLOBEX_SCIM_KEY), strict=True):
        tenant["keys"].append({"name": "scim", "roles": ["provisioning"], "secret": {"value": secret}})
    async with open_house(database, HouseOptions(document=document, clock=clock)) as house:
        yield quick(house, clock)


def quick(house: House, clock: ManualClock) -> Place:
    """A place where hashing takes no time. What it costs elsewhere is tested by itself."""
    house.parts.accounts.passwords.hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    return Place(house, clock)
