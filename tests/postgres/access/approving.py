"""A tenant with people who ask for access and decide about it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from enfilade.access.approvals.grants import GrantQuery
from enfilade.access.approvals.requests import RequestQuery
from enfilade.access.approvals.service import Approvals
from enfilade.access.approvals.types import Asked, Grant, Request, Rule, Stage, Wish
from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock
from enfilade.identity.scopes import tenant_scope
from enfilade.identity.types import GroupSpec, UserSpec
from enfilade.storage.address import Address
from enfilade.storage.unit_of_work import UnitOfWork
from tests.support.parts import make_tenant, open_parts, unit_in

HOUR = 3600
DAY = 24 * HOUR
PEOPLE = ("ana", "ben", "cleo", "dan", "eve")
MODEL = Asked("model", model="chat")


def address_of(name: str) -> str:
    return f"{name}@acme.example"


def rule(*stages: Stage, **fields: Any) -> Rule:
    return Rule("reviewed", stages or (Stage(("group:reviewers",)),), **fields)


@dataclass
class Office:
    """Ana's manager is Ben; Ben, Cleo and Dan are the group of reviewers."""

    parts: Parts
    clock: ManualClock
    approvals: Approvals
    tenant: str
    ids: dict[str, str]

    @asynccontextmanager
    async def unit(self, actor: str = "test") -> AsyncIterator[UnitOfWork]:
        async with self.parts.storage.unit_of_work(tenant_scope(self.tenant, actor)) as unit:
            yield unit

    async def put_rule(self, given: Rule) -> None:
        async with unit_in(self.parts, self.tenant) as unit:
            await self.approvals.rules.put(unit, given)

    async def put_user(self, name: str, **fields: Any) -> None:
        async with unit_in(self.parts, self.tenant) as unit:
            await self.parts.identity.users.put(unit, UserSpec(address_of(name), **fields))

    async def put_group(self, *members: str) -> None:
        async with unit_in(self.parts, self.tenant) as unit:
            await self.parts.identity.groups.put(unit, GroupSpec("reviewers", tuple(map(address_of, members))))

    async def ask(self, who: str = "ana", asked: Asked = MODEL, duration_s: int = HOUR, **more: Any) -> Request:
        async with self.unit() as unit:
            wish = Wish(asked, f"{who} needs it", duration_s, **more)
            return await self.approvals.requests.ask(unit, self.ids[who], wish)

    async def decide(self, who: str, request: Request | str, *, approves: bool = True, comment: str = "") -> Request:
        identifier = request if isinstance(request, str) else request.id
        async with self.unit() as unit:
            return await self.approvals.requests.decide(
                unit, self.ids[who], identifier, approves=approves, comment=comment
            )

    async def requests(self) -> list[Request]:
        async with self.unit() as unit:
            return await self.approvals.requests.page(unit, RequestQuery(self.tenant), None, 500)

    async def grants(self) -> list[Grant]:
        async with self.unit() as unit:
            return await self.approvals.grants.page(unit, GrantQuery(self.tenant), None, 500)

    async def revoke(self, grant: str, reason: str = "over") -> Grant:
        async with self.unit() as unit:
            return await self.approvals.grants.revoke(unit, grant, reason)

    async def refresh(self) -> None:
        """Load what the book keeps, as the directory does."""
        async with unit_in(self.parts) as unit:
            (await self.approvals.book.load(unit, None))()

    async def active(self, who: str = "ana", model: str | None = "chat", use_case: str | None = None) -> frozenset[str]:
        await self.refresh()
        return self.active_now(who, model, use_case)

    def active_now(self, who: str = "ana", model: str | None = "chat", use_case: str | None = None) -> frozenset[str]:
        book = self.approvals.book
        return book.active(self.tenant, self.ids[who], None, model, use_case, self.clock.now_ns())

    async def events(self, *types: str) -> list[dict[str, Any]]:
        async with self.unit() as unit:
            rows = await unit.fetch("SELECT type, body FROM events WHERE tenant_id = $1 ORDER BY seq", self.tenant)
        return [msgspec.json.decode(row["body"])["data"] for row in rows if not types or row["type"] in types]


async def make_office(parts: Parts, clock: ManualClock, name: str = "acme") -> Office:
    tenant = (await make_tenant(parts, name)).id
    approvals = Approvals(parts.storage, clock, parts.ids)
    ids = {}
    async with unit_in(parts, tenant) as unit:
        for person in ("ben", *(each for each in PEOPLE if each != "ben")):
            manager = address_of("ben") if person == "ana" else None
            user, _ = await parts.identity.users.put(unit, UserSpec(address_of(person), manager=manager))
            ids[person] = user.id
    office = Office(parts, clock, approvals, tenant, ids)
    await office.put_group("ben", "cleo", "dan")
    return office


@asynccontextmanager
async def open_office(address: Address) -> AsyncIterator[Office]:
    clock = ManualClock()
    async with open_parts(address, clock) as parts:
        yield await make_office(parts, clock)
