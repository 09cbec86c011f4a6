"""A server process keeps what it has seen of each schema: connections that have seen many are made anew."""

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.identity.scopes import system_scope
from enfilade.storage import database as of_database
from enfilade.storage import group_commit
from tests.support.parts import call_event, make_tenant, new_ids
from tests.support.waiting import eventually

PID = "SELECT pg_backend_pid()"


async def test_connections_that_have_seen_many_schemas_are_made_anew(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_database, "SCHEMAS_A_CONNECTION", 2)
    monkeypatch.setattr(group_commit, "SCHEMAS_A_CONNECTION", 2)
    tenants = [(await make_tenant(parts, f"t{number}", isolation="schema")).id for number in range(3)]

    async def process(tenant: str | None) -> int:
        cell = None if tenant is None else parts.cells.of(tenant)
        async with parts.storage.unit_of_work(system_scope("test"), readonly=True, cell=cell) as unit:
            return int(await unit.fetch_value(PID))

    first, second, third = tenants
    assert len({await process(None) for _ in range(3)}) == 1
    one = await process(first)
    while one != await process(first):
        one = await process(first)
    assert await process(first) == one, "the same schema again is nothing new"
    assert await process(second) == one
    assert await process(third) != one

    writing = []
    for tenant in (first, first, second, first, third):
        (call,) = new_ids(1)
        await parts.writers.of(tenant).settle(call, call_event(tenant, call))
        assert parts.writer._connection is not None
        writing.append(parts.writer._connection.get_server_pid())
    assert len(set(writing[:4])) == 1
    assert writing[4] != writing[3]
    assert parts.writer.statistics.settled == 5


async def test_nothing_is_remembered_of_connections_that_are_gone(parts: Parts) -> None:
    tenant = (await make_tenant(parts, "acme", isolation="schema")).id
    cell = parts.cells.of(tenant)
    async with parts.storage.unit_of_work(system_scope("test"), readonly=True, cell=cell) as unit:
        process = int(await unit.fetch_value(PID))
    assert process in parts.database._schemas
    async with parts.database.owner() as owner:
        await owner.execute("SELECT pg_terminate_backend($1)", process)
    await eventually(lambda: process not in parts.database._schemas)
