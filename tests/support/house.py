"""The whole program in this process: every room, a real database, a real server on a loopback port."""

import asyncio
import io
import ipaddress
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import bring_up, listen, running, serving, shut
from enfilade.bootstrap.vault import SecretRules
from enfilade.configuration.service import read_document
from enfilade.core.clock import Clock, SystemClock
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.storage.address import Address
from enfilade.storage.unit_of_work import UnitOfWork
from enfilade.telemetry.logs import LineWriter
from tests.support.postgres import TEMPLATE, TestServer
from tests.support.world import ACME_KEY, OWNER_KEY, world

SEED = 20261121
FURNISHED = "template_world"


@dataclass(slots=True)
class HouseOptions:
    """How a test wants its house built."""

    clock: Clock = field(default_factory=SystemClock)
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_env: Sequence[str] = ("*_API_KEY",)
    secret_dirs: Sequence[Path] = ()
    secrets: SecretRules = field(default_factory=SecretRules)
    trusted_proxies: Sequence[str] = ()
    max_body_bytes: int = 1_000_000
    master_key: bytes | None = bytes(range(32))
    document: dict[str, Any] | None = field(default_factory=world)
    """Applied before the house opens; None leaves it empty."""


class House:
    """A running Enfilade. `open_house` makes one."""

    def __init__(self, address: Address, options: HouseOptions) -> None:
        """Build the parts; nothing runs yet."""
        self.address = address
        self.options = options
        self.log_text = io.StringIO()
        self.log = LineWriter(self.log_text)
        self.parts = Parts(
            Ingredients(
                address,
                options.clock,
                random=random.Random(SEED),
                log=self.log,
                master_key=options.master_key,
                environment=options.environment,
                secret_env=options.secret_env,
                secret_dirs=options.secret_dirs,
                secrets=options.secrets,
                trusted_proxies=[ipaddress.ip_network(text) for text in options.trusted_proxies],
                max_body_bytes=options.max_body_bytes,
            )
        )
        self.url = ""
        self.host = ""
        self.port = 0
        self._clients = AsyncExitStack()
        self._stop = asyncio.Event()
        self._opened = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start everything, in a task of its own: a task group must be left by the task that entered it."""
        self._life = asyncio.create_task(self._live())
        opened = asyncio.create_task(self._opened.wait())
        await asyncio.wait({self._life, opened}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if self._life.done():
            await self._life

    async def close_clients(self) -> None:
        """Close what `client` made."""
        await self._clients.aclose()
        self._clients = AsyncExitStack()

    async def close(self) -> None:
        """Stop everything; raises what failed inside."""
        await self._clients.aclose()
        self._stop.set()
        if self._life is not None:
            await self._life
        self.log.close()

    async def _live(self) -> None:
        parts = self.parts
        listener = listen("127.0.0.1", 0)
        try:
            await bring_up(parts, migrates=True)
            if self.options.document is not None:
                await self.apply(self.options.document)
            async with running(parts), serving(parts, listener) as listening:
                self.url, self.host, self.port = listening.url, listening.host, listening.port
                self._opened.set()
                await self._stop.wait()
        finally:
            await shut(parts)
            listener.close()

    async def apply(self, document: dict[str, Any], *, prune: bool = False) -> None:
        """Apply a configuration document, and let it be in force at once."""
        await self.parts.configuration.apply(system_scope("test"), read_document(document), prune=prune)
        await self.parts.directory.refresh()

    def client(self, key: str | None = ACME_KEY, **options: Any) -> httpx2.AsyncClient:
        """An HTTP client that presents `key`; it is closed with the house."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        client = httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False, **options)
        self._clients.push_async_callback(client.aclose)
        return client

    def admin(self, key: str = OWNER_KEY) -> httpx2.AsyncClient:
        """A client of the admin API."""
        return self.client(key)

    @asynccontextmanager
    async def unit(self, tenant: str | None = None) -> AsyncIterator[UnitOfWork]:
        """A unit of work as the platform, or as one tenant (by its id)."""
        scope = system_scope("test") if tenant is None else tenant_scope(tenant, "test")
        async with self.parts.storage.unit_of_work(scope) as unit:
            yield unit

    def tenant_id(self, name: str) -> str:
        """The id of a tenant."""
        return next(tenant.id for tenant in self.parts.principals.tenants() if tenant.name == name)

    def log_lines(self) -> str:
        """What was logged so far."""
        return self.log_text.getvalue()


@asynccontextmanager
async def open_house(address: Address, options: HouseOptions | None = None) -> AsyncIterator[House]:
    """A running house on that database."""
    house = House(address, options or HouseOptions())
    await house.open()
    try:
        yield house
    finally:
        await house.close()


async def furnished_template(server: TestServer) -> str:
    """The name of a template in which the world stands already: applying it anew takes as long as all else of a start."""
    if FURNISHED not in server.furnished:
        async with server.maintenance() as connection:
            await connection.execute(f'CREATE DATABASE "{FURNISHED}" TEMPLATE "{TEMPLATE}" STRATEGY FILE_COPY')
        async with open_house(server.at(FURNISHED)):
            server.furnished.add(FURNISHED)
    return FURNISHED
