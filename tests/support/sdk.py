"""What the tests of the official SDKs share: one process, and calls that work alike for sync and async clients."""

import asyncio
import inspect
import itertools
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.dialect_models import declare_dialect_models
from tests.support.process import EnfiladeProcess, enfilade_up
from tests.support.upstream import Step, Upstream, open_upstream
from tests.support.waiting import eventually
from tests.support.world import ACME_KEY, OWNER_KEY, world

LIMITED_KEY = "acme-limited-key-with-enough-characters"
POOR_KEY = "acme-poor-key-with-enough-characters-too"
NARROW_KEY = "acme-narrow-key-with-enough-characters"
WRONG_KEY = "enf_nobody_ever_made_this_key_of_enough_characters"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


_NUMBERS = itertools.count(1)


def untried(model: str) -> str:
    """The model under a name that no test has called yet, if it is one that fails: breakers remember by name."""
    return f"{model}+text-{next(_NUMBERS)}" if "/fail-" in model else model


def sdk_world() -> dict[str, Any]:
    """The small world, models of every dialect, and applications that are refused for one reason each."""
    document = declare_dialect_models(world())
    acme = document["tenants"][0]
    for name, secret in (("limited", LIMITED_KEY), ("poor", POOR_KEY), ("narrow", NARROW_KEY)):
        acme["applications"].append({"name": name, "department": "sales"})
        acme["keys"].append({"name": f"{name}-key", "application": name, "secret": {"value": secret}})
    acme["applications"][-1]["allowed_models"] = ["chat"]
    acme["limits"] = [{"scope": "application:limited", "requests": 1, "per": "second"}]
    acme["budgets"] = [{"scope": "application:poor", "window": "total", "limit_usd": "0.000000001"}]
    return document


@contextmanager
def sdk_process(home: Path) -> Iterator[EnfiladeProcess]:
    """`enfilade up` with that world."""
    path = home / "world.json"
    path.write_text(json.dumps(sdk_world()))
    with enfilade_up(home, "--config", str(path)) as process:
        yield process


def forget_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs read the environment: leave out what this machine has in it."""
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.startswith(("OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)


async def call(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a method of a sync or an async client, without standing in the way of this event loop."""
    result = await asyncio.to_thread(function, *arguments, **named)
    return await result if inspect.isawaitable(result) else result


async def collect(stream: Any) -> list[Any]:
    """Everything that a sync or an async stream brings."""
    if hasattr(stream, "__aiter__"):
        return [item async for item in stream]
    return await asyncio.to_thread(list, stream)


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """Enter a sync or an async context manager."""
    if hasattr(manager, "__aenter__"):
        async with manager as inside:
            yield inside
        return
    inside = await asyncio.to_thread(manager.__enter__)
    try:
        yield inside
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


class Office:
    """The platform owner's view of the process."""

    def __init__(self, process: EnfiladeProcess) -> None:
        """Look at `process`."""
        self._client = httpx2.AsyncClient(
            base_url=process.url, headers={"authorization": f"Bearer {OWNER_KEY}"}, timeout=30, trust_env=False
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def record(self, call_id: str) -> dict[str, Any]:
        """The record of an answered call, which must be there already."""
        reply = await self._client.get(f"/api/v1/calls/{call_id}")
        assert reply.status_code == 200, reply.text
        record: dict[str, Any] = reply.json()
        return record

    async def latest(self, **wanted: Any) -> dict[str, Any]:
        """The newest record with these fields, waiting until there is one."""
        found: dict[str, Any] = {}

        async def is_there() -> bool:
            reply = await self._client.get("/api/v1/calls", params={"limit": 20})
            for record in reply.json()["items"]:
                if all(record[name] == value for name, value in wanted.items()):
                    found.update(record)
                    return True
            return False

        await eventually(is_there, within=60)
        return found

    @asynccontextmanager
    async def upstream_model(self, name: str, kind: str, *steps: Step) -> AsyncIterator[Upstream]:
        """A model `name` at a scripted provider of `kind`, declared through the admin API."""
        async with open_upstream(*steps) as upstream:
            provider = {
                "name": f"{name}-provider",
                "kind": kind,
                "base_url": upstream.url.removesuffix("/v1") if kind == "anthropic" else upstream.url,
                "api_key": {"value": "sk-upstream-secret"},
                "allow_private_network": True,
            }
            model = {
                "name": name,
                "deployments": [{"provider": provider["name"], "model": "upstream-1"}],
                "max_output_tokens": 1000,
                "price": {"input": 1, "output": 2},
            }
            for path, body in (("providers", provider), ("models", model)):
                reply = await self._client.post(f"/api/v1/{path}", json=body)
                assert reply.status_code == 201, reply.text
            await self._is_in_force(name)
            try:
                yield upstream
            finally:
                for path in (f"models/{name}", f"providers/{provider['name']}"):
                    reply = await self._client.delete(f"/api/v1/{path}")
                    assert reply.status_code == 204, reply.text
                await self._is_in_force(name, status=404)  # Another test may use the name.

    async def _is_in_force(self, model: str, status: int = 200) -> None:
        async def is_served() -> bool:
            reply = await self._client.get(f"/v1/models/{model}", headers={"authorization": f"Bearer {ACME_KEY}"})
            return reply.status_code == status

        await eventually(is_served, within=60)


def joined(pieces: Iterable[str | None]) -> str:
    """Text that came in pieces."""
    return "".join(piece or "" for piece in pieces)
