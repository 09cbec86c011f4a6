"""The directory: every process works with the newest configuration within a second of a change."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from enfilade.bootstrap.compose import Parts, Service
from enfilade.core.clock import ManualClock
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.directory import STALE_AFTER_S
from enfilade.identity.errors import InvalidKey
from enfilade.identity.scopes import tenant_scope
from enfilade.identity.types import ApplicationSpec, KeySpec, TenantSpec
from enfilade.storage.address import Address
from enfilade.storage.announcing import REVISION_CHANNEL
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.replicas import POLL_S, list_replicas
from enfilade.storage.unit_of_work import TakenBack
from tests.support.parts import make_tenant, open_parts, unit_in
from tests.support.waiting import eventually

END_LISTENERS = """
SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a
JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'advisory' AND l.granted
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended($1, 0)
"""


def _followers(parts: Parts) -> Sequence[Service]:
    return (parts.writer.run, parts.presence.run, parts.directory.run)


@pytest.fixture
async def here(database: Address) -> AsyncIterator[Parts]:
    """The process in which an administrator changes something."""
    async with open_parts(database, ManualClock()) as opened:
        yield opened


@pytest.fixture
async def there(database: Address) -> AsyncIterator[Parts]:
    """Another process, which follows. Its clock stands still, so it never polls unless a test lets it."""
    async with open_parts(database, ManualClock(), _followers) as opened:
        await eventually(lambda: _clock(opened).next_wake() is not None)
        yield opened


@pytest.fixture
async def secret(here: Parts, there: Parts) -> str:
    """The secret of a key of the tenant acme that both processes know."""
    tenant = await make_tenant(here, "acme")
    async with unit_in(here, tenant.id) as unit:
        await here.identity.applications.put(unit, ApplicationSpec("copilot"))
        issued = await here.identity.keys.issue(unit, KeySpec("copilot-key", application="copilot"))
    assert issued.secret is not None
    await here.directory.refresh()
    await eventually(lambda: _knows(there, issued.secret or ""))
    return issued.secret


def _clock(parts: Parts) -> ManualClock:
    assert isinstance(parts.clock, ManualClock)
    return parts.clock


def _knows(parts: Parts, secret: str) -> bool:
    try:
        parts.principals.authenticate(secret.encode(), None, parts.clock.now_ns())
    except InvalidKey:
        return False
    return True


async def _revoke(parts: Parts) -> int:
    async with unit_in(parts, parts.principals.tenants()[0].id) as unit:
        await parts.identity.keys.revoke(unit, "copilot-key")
    assert unit.revision is not None
    return unit.revision


async def test_a_revoked_key_is_refused_by_another_process_as_soon_as_it_is_told(
    here: Parts, there: Parts, secret: str
) -> None:
    revision = await _revoke(here)
    await eventually(lambda: not _knows(there, secret))
    assert there.directory.revision == revision
    assert _clock(there).monotonic() == 0  # Nothing but the notification can have told it.


async def test_a_lost_notification_is_caught_by_polling_within_a_second(here: Parts, there: Parts, secret: str) -> None:
    async with here.database.owner() as owner:
        # The same change without its notification.
        await owner.execute("SET search_path = enfilade_shared, enfilade")
        async with owner.transaction():
            await owner.execute("UPDATE keys SET revoked_at = now()")
            revision = await owner.fetchval("UPDATE revision_counter SET revision = revision + 1 RETURNING revision")
            await owner.execute(
                "UPDATE tenant_revisions SET revision = $1 WHERE tenant_id <> $2", revision, PLATFORM_ID
            )
    for _ in range(20):
        await asyncio.sleep(0)
    assert _knows(there, secret)
    assert POLL_S < 1
    _clock(there).advance(POLL_S)
    await eventually(lambda: not _knows(there, secret))


async def test_a_process_whose_listening_connection_ends_hears_again(here: Parts, there: Parts, secret: str) -> None:
    async with here.database.owner() as owner:
        assert await owner.fetch(END_LISTENERS, there.replica)
        connection = there.presence._connection
        assert connection is not None
        await eventually(connection.is_closed)
        await _revoke(here)  # Nobody is there to hear this one.
        there.presence._applied_changed.set()  # The next heartbeat, now.
        await eventually(lambda: not _knows(there, secret))

    replacement = there.presence._connection
    assert replacement is not None
    assert replacement is not connection
    await make_tenant(here, "globex")
    await eventually(lambda: there.principals.tenant_named("globex") is not None)


async def test_each_process_records_the_revision_that_it_has_applied(here: Parts, there: Parts, secret: str) -> None:
    revision = await _revoke(here)

    async def recorded() -> bool:
        states = {state.id: state.applied_revision for state in await list_replicas(here.database)}
        return states[there.replica] == revision

    await eventually(recorded)
    states = {state.id: state for state in await list_replicas(here.database)}
    assert states.keys() == {here.replica, there.replica}
    # This one reports nothing: its services do not run.
    assert states[here.replica].applied_revision < revision


async def test_a_process_that_stops_is_no_longer_listed(database: Address, here: Parts) -> None:
    async with open_parts(database, ManualClock()) as brief:
        assert brief.replica in {state.id for state in await list_replicas(here.database)}
    assert brief.replica not in {state.id for state in await list_replicas(here.database)}


async def test_only_the_changed_tenant_is_loaded(here: Parts, there: Parts, secret: str) -> None:
    before = there.principals.tenant_named("acme")
    await make_tenant(here, "globex")
    await eventually(lambda: there.principals.tenant_named("globex") is not None)
    assert there.principals.tenant_named("acme") is before


async def test_a_change_that_is_taken_back_tells_nobody(here: Parts, secret: str) -> None:
    heard: list[object] = []
    async with here.database.owner() as owner:
        await owner.add_listener(REVISION_CHANNEL, lambda *event: heard.append(event))
        revision = await owner.fetchval("SELECT revision FROM enfilade.revision_counter")
        with contextlib.suppress(TakenBack):
            async with unit_in(here, here.principals.tenants()[0].id) as unit:
                await here.identity.keys.revoke(unit, "copilot-key")
                await unit.finish()
                unit.take_back()
        assert await owner.fetchval("SELECT revision FROM enfilade.revision_counter") == revision
        assert await here.directory.refresh() is False
        assert _knows(here, secret)
        # A change that stays is heard, after which anything earlier would have been heard too.
        await _revoke(here)
        await eventually(lambda: bool(heard))
    assert len(heard) == 1


async def test_changes_of_many_tenants_at_once_are_all_applied_and_in_order(here: Parts, there: Parts) -> None:
    revisions: list[int] = []

    async def change(number: int) -> None:
        async with unit_in(here) as unit:
            await here.identity.tenants.put(unit, TenantSpec(f"tenant-{number}"))
        assert unit.revision is not None
        revisions.append(unit.revision)

    await asyncio.gather(*(change(number) for number in range(20)))
    assert len(set(revisions)) == 20
    await eventually(lambda: there.directory.revision == max(revisions))
    assert {tenant.name for tenant in there.principals.tenants()} == {f"tenant-{number}" for number in range(20)}


async def test_a_reader_never_skips_a_revision_that_commits_late(here: Parts) -> None:
    tenants = [(await make_tenant(here, name)).id for name in ("slow", "quick")]
    async with here.storage.unit_of_work(tenant_scope(tenants[0], "test")) as slow:
        await here.identity.departments.put(slow, "sales")
        # It has changed something and not committed; another change overtakes it.
        async with here.storage.unit_of_work(tenant_scope(tenants[1], "test")) as quick:
            await here.identity.departments.put(quick, "sales")
        await here.directory.refresh()
        first = here.directory.revision
    assert await here.directory.refresh() is True
    assert (quick.revision, slow.revision) == (first, here.directory.revision)
    assert here.directory.revision > first


async def test_a_process_that_cannot_ask_says_so_and_goes_on_with_what_it_has(
    here: Parts, there: Parts, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def away(*_: object, **__: object) -> None:
        asked.append(1)
        message = "The database cannot be reached at the moment."
        raise DatabaseUnavailable(message)

    assert _is_fresh(there)
    with monkeypatch.context() as patch:
        patch.setattr(there.cells.shared.database, "transaction", away)
        await _revoke(here)
        await eventually(lambda: bool(asked))
        _clock(there).advance(STALE_AFTER_S)
        assert not _is_fresh(there)
        assert _knows(there, secret)
    await eventually(lambda: _clock(there).next_wake() is not None)
    _clock(there).advance(POLL_S)
    await eventually(lambda: not _knows(there, secret))
    assert _is_fresh(there)


async def test_the_wall_clock_has_no_say_in_freshness(there: Parts) -> None:
    _clock(there).jump(timedelta(days=400).total_seconds())
    assert _is_fresh(there)


def _is_fresh(parts: Parts) -> bool:
    return parts.directory.is_fresh
