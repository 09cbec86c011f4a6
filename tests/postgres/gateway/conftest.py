"""The small world on a database, without a server, and ways to keep exchanges in it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.configuration.service import read_document
from enfilade.core.clock import ManualClock
from enfilade.gateway.stored.forms import items_of_input, raw
from enfilade.gateway.stored.service import Stored
from enfilade.gateway.stored.types import RESPONSE, Exchange, public_id
from enfilade.identity.principal import Principal
from enfilade.identity.scopes import system_scope
from enfilade.storage.address import Address
from tests.support.parts import open_parts, unit_in
from tests.support.world import ACME_KEY, ACME_USER_KEY, GLOBEX_KEY, world

REVIEW_KEY = "acme-review-application-key-with-enough-characters"
BRIEF_KEY = "acme-brief-application-key-with-enough-characters"
SILENT_KEY = "acme-silent-application-key-with-enough-characters"
KEYS = {
    "copilot": ACME_KEY,
    "ana": ACME_USER_KEY,
    "globex": GLOBEX_KEY,
    "review": REVIEW_KEY,
    "brief": BRIEF_KEY,
    "silent": SILENT_KEY,
}
"""Who asks: applications of acme's, a user of acme's, another tenant. `brief` keeps for 2 days, `silent` nothing."""
DAY = 86_400


def document() -> dict[str, Any]:
    """The world with further applications."""
    content = world()
    acme = content["tenants"][0]
    acme["applications"] += [{"name": "brief", "response_days": 2}, {"name": "silent", "store_responses": False}]
    acme["keys"] += [
        {"name": f"{name}-key", "application": name, "secret": {"value": KEYS[name]}}
        for name in ("review", "brief", "silent")
    ]
    return content


@dataclass
class Desk:
    """Keeps exchanges, and tells what became of them."""

    parts: Parts
    clock: ManualClock
    kept: list[str] = field(default_factory=list)

    @property
    def stored(self) -> Stored:
        """What is tested."""
        return self.parts.stored

    def who(self, name: str) -> Principal:
        """A principal by the name in `KEYS`."""
        return self.parts.principals.authenticate(KEYS[name].encode(), None, self.clock.now_ns())

    async def keep(self, text: object, answer: str, by: str = "copilot", **references: str | None) -> str:
        """Keep a question and its answer; the response's public id."""
        self.clock.advance(1)
        call_id = self.parts.ids.new_id()
        principal = self.who(by)
        exchange = Exchange(
            call_id,
            "chat",
            self.clock.now_ns(),
            items_of_input(raw(text)),
            response_object(answer),
            **references,
        )
        await self.stored.keep(principal, principal.scope, exchange)
        self.kept.append(public_id(RESPONSE, call_id))
        return self.kept[-1]

    async def expand(self, by: str = "copilot", **references: str | None) -> list[str]:
        """The texts that a request continues."""
        return texts(await self.stored.expand(self.who(by).scope, **references))

    async def count(self, table: str) -> int:
        """Rows of a table, as its owner sees them with row-level security out of the way."""
        async with unit_in(self.parts) as unit:
            found: int = await unit.fetch_value(f"SELECT count(*) FROM {table}")
        return found

    async def events(self, *types: str) -> list[dict[str, Any]]:
        """The bodies of events of these types, of all tenants."""
        async with unit_in(self.parts) as unit:
            rows = await unit.fetch("SELECT body FROM events WHERE type = ANY($1) ORDER BY at, seq", list(types))
        return [msgspec.json.decode(row["body"]) for row in rows]


def response_object(answer: str, **more: Any) -> bytes:
    """A provider's response object."""
    part = {"type": "output_text", "text": answer, "annotations": []}
    message = {"id": f"msg_{answer}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    body = {
        "id": "resp_upstream",
        "object": "response",
        "status": "completed",
        "instructions": "Obey the instructions",
        "output": [message],
        "store": False,
        "previous_response_id": None,
    }
    return msgspec.json.encode(body | more)


def texts(items: list[msgspec.Raw]) -> list[str]:
    """What items say."""
    found = []
    for item in items:
        content = msgspec.json.decode(item)["content"]
        found.append(content if isinstance(content, str) else content[0]["text"])
    return found


@pytest.fixture
async def desk(database: Address) -> AsyncIterator[Desk]:
    """See `Desk`. Its clock stands still."""
    clock = ManualClock()
    async with open_parts(database, clock) as parts:
        await parts.configuration.apply(system_scope("test"), read_document(document()), prune=False)
        await parts.directory.refresh()
        yield Desk(parts, clock)
