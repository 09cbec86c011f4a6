"""Calls by the hundred against a real process, and a note of each answer that came whole."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2

from tests.support.speaking import Asked
from tests.support.world import ACME_KEY

WORKERS = 24
MODELS = (
    "simulated/echo",
    "simulated/text-30",
    "simulated/text-8+pace-3ms",
    "simulated/text-60",
    "simulated/slow-20ms+text-5",
)


@dataclass(slots=True)
class Load:
    """A number of calls, made by workers that each wait for their answer."""

    url: str
    rng: random.Random
    answered: dict[str, str | None] = field(default_factory=dict)
    """Every call whose last byte came: its cost, where the answer told it."""
    refused: dict[str, int] = field(default_factory=dict)
    """Every call that was answered with an error: its status."""
    broken: int = 0
    """Answers that never came, or came in part."""

    async def run(self, count: int, after: Callable[[int], None] = lambda _count: None) -> None:
        """Make `count` calls; `after` is told the number of whole answers, each time that there is one more."""
        left = iter(range(count))

        async def work(client: httpx2.AsyncClient) -> None:
            for _ in left:
                if await self._one(client):
                    after(len(self.answered))

        async with caller(self.url) as client, asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work(client))

    async def _one(self, client: httpx2.AsyncClient) -> bool:
        body = question(self.rng.choice(MODELS), stream=self.rng.random() < 0.5)
        try:
            reply = await client.post("/v1/chat/completions", json=body)
        except httpx2.TransportError:
            self.broken += 1
            return False
        call_id = reply.headers["x-request-id"]
        if reply.status_code != 200:
            self.refused[call_id] = reply.status_code
            return False
        if body["stream"] and not reply.text.endswith("data: [DONE]\n\n"):
            self.broken += 1
            return False
        self.answered[call_id] = reply.headers.get("x-enfilade-cost-usd")
        return True


def question(model: str, *, stream: bool) -> dict[str, object]:
    """A call of its own."""
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Where does this door lead?"}]}


def caller(url: str) -> httpx2.AsyncClient:
    """A client with room for many calls at once."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=WORKERS)
    headers = {"authorization": f"Bearer {ACME_KEY}"}
    return httpx2.AsyncClient(base_url=url, headers=headers, timeout=60, limits=limits, trust_env=False)


@dataclass(slots=True)
class OpenStream:
    """A stream whose first bytes have come."""

    id: str
    status: int
    lines: AsyncIterator[str]

    async def rest(self) -> str:
        """What is still to come."""
        return "\n".join([line async for line in self.lines])


@asynccontextmanager
async def open_streams(
    url: str, count: int, model: str, asked: Sequence[Asked] = ()
) -> AsyncIterator[list[OpenStream]]:
    """So many calls that are being answered, and those that are `asked`; they are given up when the block ends."""
    own = Asked("/v1/chat/completions", question(model, stream=True))
    async with caller(url) as client:
        replies = []
        try:
            for call in [*[own] * count, *asked]:
                request = client.build_request("POST", call.path, json=call.body)
                replies.append(await client.send(request, stream=True))
            yield [OpenStream(r.headers["x-request-id"], r.status_code, r.aiter_lines()) for r in replies]
        finally:
            for reply in replies:
                await reply.aclose()


def error_code(text: str) -> str:
    """The stable code in an error's body."""
    return str(json.loads(text)["error"]["code"])
