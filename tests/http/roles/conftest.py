"""A house in which somebody's rights are confined to the department sales, and keys by which to act in it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import AsyncClient

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.world import ACME_ADMIN_KEY, world

OWNER_OF_ACME = "acme-owner-key-with-enough-characters-in-it"
OPERATOR_KEY = "platform-operator-key-with-enough-characters"
GLASS_KEY = "platform-break-glass-key-with-enough-characters"


@dataclass
class Roles:
    """The house and its clients."""

    house: House
    clock: ManualClock

    @property
    def owner(self) -> AsyncClient:
        """The tenant's owner."""
        return self.house.admin(OWNER_OF_ACME)

    @property
    def admin(self) -> AsyncClient:
        """The tenant's administrator."""
        return self.house.admin(ACME_ADMIN_KEY)

    @property
    def platform(self) -> AsyncClient:
        """The platform's owner."""
        return self.house.admin()

    async def person(self, email: str, **assignment: Any) -> AsyncClient:
        """A client with an everything-keeping key of a user to whom a role was assigned."""
        given = await self.owner.post("/api/v1/role-assignments", json={"user": email, **assignment})
        assert given.status_code == 201, given.text
        return await self.key_of(email)

    async def key_of(self, email: str, **more: Any) -> AsyncClient:
        """A client with a key that has whatever rights its user has."""
        body = {"name": f"{email} {self.house.parts.ids.new_id()}", "user": email, "roles": ["owner"], **more}
        made = await self.owner.post("/api/v1/keys", json=body)
        assert made.status_code == 201, made.text
        return self.house.admin(made.json()["secret"])


def document() -> dict[str, Any]:
    """The world with an owner in acme and the platform's operators."""
    content = world()
    acme = content["tenants"][0]
    acme["users"] += [{"email": "cy@acme.example", "department": "sales"}, {"email": "eve@acme.example"}]
    acme["keys"].append({"name": "acme-owner", "roles": ["owner"], "secret": {"value": OWNER_OF_ACME}})
    acme["keys"].append({"name": "review-key", "application": "review"})
    acme["limits"] = [
        {"scope": f"application:{name}", "requests": 1000, "per": "minute"} for name in ("copilot", "review")
    ]
    acme["budgets"] = [
        {"scope": f"user:{name}@acme.example", "window": "month", "limit_usd": 10} for name in ("ana", "ben")
    ]
    content["keys"] += [
        {"name": "operator", "roles": ["operator"], "secret": {"value": OPERATOR_KEY}},
        {"name": "glass", "roles": ["break_glass"], "secret": {"value": GLASS_KEY}},
    ]
    return content


@pytest.fixture
async def roles(database: Address) -> AsyncIterator[Roles]:
    """See `Roles`."""
    # The database has its own clock, and reads no secrets whose time it thinks is over.
    clock = ManualClock(datetime.now(UTC).replace(second=0))
    async with open_house(database, HouseOptions(document=document(), clock=clock)) as house:
        yield Roles(house, clock)
