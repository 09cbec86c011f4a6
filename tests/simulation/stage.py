"""A house that can be stopped, crash, lose its database and start again, on one database and one clock."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import httpx2

from enfilade.api import server
from enfilade.bootstrap import process
from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from enfilade.storage.errors import DatabaseUnavailable
from tests.simulation.calls import Answer, Ask, make
from tests.support.house import House, HouseOptions
from tests.support.waiting import eventually
from tests.support.world import OWNER_KEY

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"
OTHERS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
TRIES = 50
STEP_S = 0.5
"""Virtual time passes in such steps while something is waited for, so that no patience runs out on the way."""


class Stage:
    """Where a simulation plays."""

    def __init__(self, address: Address, document: dict[str, Any]) -> None:
        """Set it up; `open` raises the curtain."""
        self.address = address
        self.clock = ManualClock()
        self._document: dict[str, Any] | None = document
        self.house = House(address, HouseOptions())
        self._calls: dict[asyncio.Task[None], Answer] = {}
        self.answers: list[Answer] = []
        """Every call that was made, in the order of asking, with what its caller got."""

    async def open(self) -> None:
        """Start a house on the database."""
        self.house = House(self.address, HouseOptions(clock=self.clock, document=self._document))
        self._document = None
        await self.house.open()

    # Calls.

    def call(self, ask: Ask) -> None:
        """Make a call that runs beside everything else."""
        answer = Answer(ask)
        self.answers.append(answer)
        task = asyncio.get_running_loop().create_task(self._follow(ask, answer))
        self._calls[task] = answer
        task.add_done_callback(self._calls.pop)

    async def _follow(self, ask: Ask, answer: Answer) -> None:
        got = await make(self.house, ask)
        answer.status, answer.headers, answer.body, answer.complete = got.status, got.headers, got.body, got.complete

    async def called(self) -> None:
        """Return when every call has come as far as it can without time passing, as far as one can tell."""
        for _ in range(20):
            await asyncio.sleep(0)

    # Time.

    async def pass_time(self, seconds: float) -> None:
        """Let virtual time pass, and everybody whose time has come do something."""
        self.clock.advance(seconds)
        await self.called()

    async def until(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let time pass until the work is done."""
        task = asyncio.get_running_loop().create_task(work)
        while not task.done():
            await self._a_moment(task)
        return task.result()

    async def settle_down(self) -> None:
        """Let time pass until no call is running and everything is written."""
        parts = self.house.parts
        while self._calls:
            await self._a_moment(*self._calls)
        while parts.data_plane.running or parts.meter_book.holds:
            await self._a_moment()
        await self.until(parts.writer.flush())

    async def _a_moment(self, *tasks: "asyncio.Task[Any]") -> None:
        """A little virtual time, and as much real time as the database may need for an answer."""
        self.clock.advance(STEP_S)
        if tasks:
            await asyncio.wait(tasks, timeout=0.003)
        else:
            await asyncio.sleep(0.003)

    # Administration.

    async def admin(
        self, method: str, path: str, *, key: str = OWNER_KEY, body: Any = None, **parameters: str
    ) -> httpx2.Response:
        """A request to the admin API, as often as the database's troubles require."""
        for _ in range(TRIES):
            async with httpx2.AsyncClient(base_url=self.house.url, timeout=30, trust_env=False) as client:
                headers = {"authorization": f"Bearer {key}"}
                reply: httpx2.Response = await self.until(
                    client.request(method, f"/api/v1{path}", headers=headers, params=parameters, json=body)
                )
            if reply.status_code != 503:
                return reply
        raise AssertionError(f"{method} {path} got nothing but 503")

    async def refresh(self) -> None:
        """Let the last change be in force."""
        await self.persist(self.house.parts.directory.refresh)

    async def persist(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Do something with the database, as often as its troubles require."""
        for _ in range(TRIES):
            try:
                return await work()
            except DatabaseUnavailable:
                await self._a_moment()
        raise AssertionError("the database did not come back")

    # Troubles.

    async def restart(self) -> None:
        """Stop as an operator would, with calls running: they finish or are interrupted, then start again."""
        await self.until(self.house.parts.data_plane.drain(2))
        await self.until(self.house.close())
        await self.end_calls()
        await self.open()

    async def crash(self) -> None:
        """End the house in the middle of everything, as SIGKILL would, and start another."""
        house, parts = self.house, self.house.parts
        # First the database is out of reach, so that nothing that happens from here on is written.
        parts.database.address = replace(parts.database.address, url=NOWHERE)
        pools, parts.database._pools = parts.database._pools, {}
        if parts.writer._connection is not None:
            parts.writer._connection.terminate()
        for pool in pools.values():
            pool.terminate()
        parts.presence._drop()
        with _without_patience():
            assert house._life is not None
            house._life.cancel()
            await asyncio.wait([house._life])
        while running := list(parts.data_plane._running):
            for task in running:
                task.cancel()
            await asyncio.sleep(0)
        await self.end_calls()
        await self._server_has_noticed()
        await self.open()

    async def end_calls(self) -> None:
        """The callers of a house that is no more."""
        while tasks := list(self._calls):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def kill_connections(self, role: str | None = None) -> None:
        """The database ends connections: all, or those of one role."""
        async with self.owner() as connection:
            statement = f"SELECT pg_terminate_backend(pid) FROM ({OTHERS}) AS o"
            if role is not None:
                user, _ = self.address.login(role)
                statement = f"SELECT pg_terminate_backend(pid) FROM ({OTHERS} AND usename = '{user}') AS o"
            await connection.fetch(statement)

    async def _server_has_noticed(self) -> None:
        async with self.owner() as connection:

            async def nobody_is_left() -> bool:
                return not await connection.fetch(OTHERS)

            await eventually(nobody_is_left)

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection that belongs to no house."""
        connection = await asyncpg.connect(self.address.url)
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        """The end."""
        await self.end_calls()
        await self.until(self.house.close())


@contextlib.contextmanager
def _without_patience() -> Any:
    """Let nobody wait for anything at the end of a house."""
    flush, close = process.FLUSH_DEADLINE_S, server.CLOSE_DEADLINE_S
    process.FLUSH_DEADLINE_S = server.CLOSE_DEADLINE_S = 0
    try:
        yield
    finally:
        process.FLUSH_DEADLINE_S, server.CLOSE_DEADLINE_S = flush, close
