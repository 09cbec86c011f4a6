"""A process's parts on a database, without a server, and records to write with them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from enfilade.bootstrap.compose import Parts, Service
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import bring_up, shut
from enfilade.core.clock import Clock, SystemClock, to_ns, to_rfc3339
from enfilade.core.ids import IdFactory
from enfilade.gateway.records import SETTLED, CallData, CallEvent, Intent, encode_intent
from enfilade.identity.scopes import system_scope
from enfilade.identity.types import Tenant, TenantSpec
from enfilade.storage.address import Address
from enfilade.storage.turns import Turns
from enfilade.storage.unit_of_work import UnitOfWork

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
"""Where `ManualClock` starts."""

Choose = Callable[[Parts], Sequence[Service]]


def only_writer(parts: Parts) -> Sequence[Service]:
    """The group commit alone."""
    return (parts.writer.run,)


@asynccontextmanager
async def open_parts(
    address: Address, clock: Clock | None = None, services: Choose = only_writer
) -> AsyncIterator[Parts]:
    """Parts that are brought up, with some of their services running."""
    parts = Parts(Ingredients(address, clock or SystemClock(), master_key=bytes(32)))
    await bring_up(parts, migrates=False)
    tasks = [asyncio.ensure_future(service()) for service in services(parts)]
    try:
        yield parts
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        await shut(parts)


def turns_of(parts: Parts) -> Turns:
    """A job's turns through the cells."""
    return Turns(parts.cells, parts.writers, parts.clock)


@asynccontextmanager
async def unit_in(parts: Parts, tenant: str | None = None) -> AsyncIterator[UnitOfWork]:
    """A unit of work of the platform's, acting in a tenant."""
    async with parts.storage.unit_of_work(system_scope("test")) as unit:
        if tenant is not None:
            await unit.act_in(tenant)
        yield unit


async def make_tenant(parts: Parts, name: str, **spec: Any) -> Tenant:
    """A tenant, known to the directory of these parts."""
    async with unit_in(parts) as unit:
        tenant, _ = await parts.identity.tenants.put(unit, TenantSpec(name, **spec))
    await parts.directory.refresh()
    return tenant


def call_event(tenant: str, identifier: str, at: datetime = NOON, **changes: Any) -> str:
    """The event that settles a call, as the gateway writes it."""
    data = CallData(
        id=identifier,
        started_at=to_rfc3339(to_ns(at)),
        dialect="openai_chat",
        stream=False,
        status="ok",
        http_status=200,
        model="chat",
        provider="sim",
        deployment="sim/echo",
        input_tokens=10,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=5,
        reasoning_tokens=0,
        latency_us=1500,
        attempts=1,
        cached=False,
        cost_nano=20_000,
        overrun_nano=0,
        estimated=False,
    )
    event = CallEvent("key:test", to_rfc3339(to_ns(at)), msgspec.structs.replace(data, **changes), tenant, SETTLED)
    return msgspec.json.encode(event, order="sorted").decode()


def intent_text(tenant: str, identifier: str, replica: str, at: datetime = NOON, **changes: Any) -> str:
    """What is noted of a running call."""
    intent = Intent(
        actor="key:test",
        cost_nano=70_000,
        dialect="openai_chat",
        id=identifier,
        input_tokens=30,
        model="chat",
        output_tokens=20,
        replica=replica,
        started_at=to_rfc3339(to_ns(at)),
        stream=True,
        tenant=tenant,
    )
    return encode_intent(msgspec.structs.replace(intent, **changes))


def new_ids(count: int, at: datetime = NOON) -> list[str]:
    """Identifiers of calls that began at `at`, in their order."""
    factory = IdFactory(SystemClock())
    return sorted(factory.new_id(to_ns(at)) for _ in range(count))


@asynccontextmanager
async def service(run: Service) -> AsyncIterator[None]:
    """One more service, for as long as the block lasts."""
    task = asyncio.ensure_future(run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
