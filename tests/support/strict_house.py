"""A house whose models are at strict services."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from enfilade.core.clock import Clock, SystemClock
from enfilade.core.messages import Completion
from enfilade.storage.address import Address
from tests.support.callers import CALLERS
from tests.support.callers.caller import Caller, Heard
from tests.support.house import House, HouseOptions, open_house
from tests.support.speaking import answered
from tests.support.strict.server import VENDORS, Service, open_service
from tests.support.strict.types import KEY
from tests.support.world import OWNER_KEY, world

MODELS = {
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-3-pro",
    "chat": "gpt-4o",
    "openai": "gpt-5.1",
    "mistral": "mistral-large",
    "deepseek": "deepseek-chat",
}
"""One model of each service, by that service's name for it."""
FINISHES = {
    "openai_chat": {"stop": "stop", "calls": "tool_calls", "length": "length"},
    "anthropic_messages": {"stop": "end_turn", "calls": "tool_use", "length": "max_tokens"},
    "openai_responses": {"stop": "completed", "calls": "completed", "length": "max_output_tokens"},
    "gemini_generate": {"stop": "STOP", "calls": "STOP", "length": "MAX_TOKENS"},
}
"""What callers of each dialect read when an answer ends so."""


@dataclass
class StrictHouse:
    """The house, and the services by name."""

    house: House
    services: dict[str, Service]
    client: httpx2.AsyncClient
    admin: httpx2.AsyncClient

    async def send(self, caller: Caller, service: str) -> tuple[httpx2.Response, Heard, Completion]:
        """Send the conversation, put the answer into it. Whatever the service refuses was sent correctly to us."""
        reply = await self.raw(caller)
        refusals = self.services[service].refusals
        assert not refusals, (caller.dialect, service, caller.stream, refusals)
        assert reply.status_code == 200, (caller.dialect, service, caller.stream, reply.text)
        completion = answered(caller.dialect, reply, stream=caller.stream)
        return reply, caller.takes(reply.text), completion

    async def raw(self, caller: Caller) -> httpx2.Response:
        """Send the conversation."""
        return await self.client.post(caller.path, json=caller.body, headers=caller.headers)

    async def record(self, reply: httpx2.Response) -> dict[str, Any]:
        """What the ledger says of a call."""
        found = await self.admin.get(f"/api/v1/calls/{reply.headers['x-request-id']}")
        assert found.status_code == 200, found.text
        record: dict[str, Any] = found.json()
        return record


def calling(dialect: str, service: str, *, stream: bool) -> Caller:
    """A caller of the dialect, for the model at that service."""
    return CALLERS[dialect](f"at-{service}", stream)


@asynccontextmanager
async def open_strict_house(
    database: Address, *names: str, clock: Clock | None = None, models: dict[str, str] | None = None
) -> AsyncIterator[StrictHouse]:
    """A house with a model at each of these services: `at-NAME`."""
    async with AsyncExitStack() as stack:
        services = {name: await stack.enter_async_context(open_service(name)) for name in names}
        options = HouseOptions(clock=clock or SystemClock(), document=_document(services, MODELS | (models or {})))
        house = await stack.enter_async_context(open_house(database, options))
        # A clock that jumps ends connections that are kept.
        kept = httpx2.Limits(max_keepalive_connections=0 if clock is not None else 10)
        yield StrictHouse(house, services, house.client(limits=kept), house.client(OWNER_KEY, limits=kept))


def _document(services: dict[str, Service], models: dict[str, str]) -> dict[str, Any]:
    document = world()
    for name, service in services.items():
        provider = {"name": name, "kind": VENDORS[name].kind, "base_url": service.url, "api_key": {"value": KEY}}
        document["providers"].append(provider | {"allow_private_network": True})
        document["models"] += _models(name, [f"at-{name}"], models[name])
    return document


def _models(provider: str, names: Sequence[str], model: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "deployments": [{"provider": provider, "model": model}],
            "context_window": 100_000,
            "max_output_tokens": 8_000,
            "price": {"input": 1, "output": 2, "cached_input": 0.5},
        }
        for name in names
    ]
