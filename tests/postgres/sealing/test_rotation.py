"""Keys are replaced while everything goes on, in steps that can be cut off anywhere, by one process among several."""

import asyncio
from typing import Any

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.sealing import Sealing
from enfilade.core.errors import EnfiladeError
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.identity.types import UserSpec
from enfilade.sealing import renewal as renewing
from enfilade.sealing.errors import CannotOpen, KeyWithdrawn, MasterKeyFault, MasterKeyRefused, MasterKeyUnavailable
from enfilade.sealing.forms import reference_of
from enfilade.sealing.master_key import Context
from tests.postgres.sealing.conftest import keep
from tests.postgres.sealing.test_starting import old_sealed
from tests.support.parts import unit_in
from tests.support.sealing import FIRST_KEY, SECOND_KEY, another_process

UNDER = """
SELECT m.name, count(*) FROM enfilade.tenant_keys k JOIN enfilade.master_keys m ON m.id = k.master_key GROUP BY 1
"""
PUT = "INSERT INTO enfilade.secrets (name, sealed, fingerprint) VALUES ($1, $2, $3)"

FACTOR = """
INSERT INTO second_factors (tenant_id, id, user_id, kind, name, secret, created_at)
VALUES ($1, $2, $3, 'totp', 'telephone', $4, now())
"""
ISSUER = """
INSERT INTO issuers (tenant_id, id, name, url, settings, client_secret) VALUES ($1, $2, 'one', 'https://idp.example', '{}', $3)
"""


async def test_a_tenants_key_is_rotated_while_two_processes_read_and_write(
    parts: Parts, tenants: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "SUBJECTS_AT_ONCE", 3)
    tenant, here, other = tenants[0], parts.sealing, await _started(parts)
    kept = await keep(here, parts, tenant, 10)
    done = asyncio.Event()

    async def read_and_write(process: Sealing) -> int:
        rounds = 0
        while not done.is_set() or rounds < 3:
            for one in (*kept[rounds % 10 :: 3], *(await keep(process, parts, tenant, 1))):
                assert await one.open(process) == one.purpose.encode()
            process.envelope._ring.drop_subjects(None)
            rounds += 1
        return rounds

    async def rotate() -> None:
        for _ in range(3):
            await here.encryption.rotate(tenant_scope(tenant, "test"))
            await _hear(parts, here, tenant)
            await here.renewal.work()
            await _hear(parts, other, tenant)
        done.set()

    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(read_and_write(process)) for process in (here, other) for _ in range(2)]
        group.create_task(rotate())
    assert all(reader.result() >= 3 for reader in readers)
    parts.clock.advance(60)  # type: ignore[attr-defined]
    await here.renewal.work()
    status = await here.encryption.status_of(tenant)
    assert [version.state for version in status.versions] == ["retired", "retired", "retired", "active"]
    assert all(version.renewed_at for version in status.versions[:3])
    assert status.outdated_subjects == 0
    fresh = await _started(parts)
    assert [await one.open(fresh) for one in kept] == [one.purpose.encode() for one in kept]


async def test_a_renewal_that_is_cut_off_is_taken_up_where_it_was(
    parts: Parts, tenants: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "SUBJECTS_AT_ONCE", 2)
    tenant = tenants[0]
    kept = await keep(parts.sealing, parts, tenant, 7)
    await parts.sealing.encryption.rotate(tenant_scope(tenant, "test"))
    left = []
    for stop_after in (1, 2):
        dying = await _started(parts)
        rewrap, steps = dying.parts.subject_keys.rewrap, 0

        async def cut_off(keys: Any, most: int) -> int:
            nonlocal steps
            if steps == stop_after:  # noqa: B023 - used within the loop's own round
                raise asyncio.CancelledError
            steps += 1
            return await rewrap(keys, most)  # noqa: B023

        monkeypatch.setattr(dying.parts.subject_keys, "rewrap", cut_off)
        with pytest.raises(asyncio.CancelledError):
            await dying.renewal.work()
        left.append((await parts.sealing.encryption.status_of(tenant)).outdated_subjects)
    assert left == [5, 1]
    assert await (await _started(parts)).renewal.work() == 1
    assert [await one.open(parts.sealing) for one in kept] == [one.purpose.encode() for one in kept]


async def test_a_master_key_is_rotated_and_the_former_one_may_then_be_taken_away(
    parts: Parts, tenants: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "KEYS_AT_ONCE", 2)
    kept = [(await keep(parts.sealing, parts, tenant))[0] for tenant in tenants]
    await parts.sealing.renewal.work()
    dying = await _started(parts, SECOND_KEY, FIRST_KEY)
    rewrap, done = dying.renewal._rewrap_one, 0

    async def cut_off(connection: Any, row: Any) -> int:
        nonlocal done
        if done == 3:
            raise asyncio.CancelledError
        done += 1
        return await rewrap(connection, row)

    monkeypatch.setattr(dying.renewal, "_rewrap_one", cut_off)
    with pytest.raises(asyncio.CancelledError):
        await dying.renewal.work()
    assert sorted((await _under(parts)).values()) == [1, 3]
    for alone in (FIRST_KEY, SECOND_KEY):
        with pytest.raises(MasterKeyFault):
            await _started(parts, alone)
    new = await _started(parts, SECOND_KEY, FIRST_KEY)
    assert [await one.open(new) for one in kept] == [b"note:0"] * 3
    before = {one.name: one.may_be_removed for one in (await new.encryption.status()).master_keys}
    assert sorted(before.values()) == [False, False]
    assert await new.renewal.work() == 1
    after = {one.name: one.may_be_removed for one in (await new.encryption.status()).master_keys}
    assert sorted(after.values()) == [False, True]
    without = await _started(parts, SECOND_KEY)
    assert [await one.open(without) for one in kept] == [b"note:0"] * 3
    # What is in memory serves on in processes that started before.
    assert [await one.open(parts.sealing) for one in kept] == [b"note:0"] * 3
    with pytest.raises(MasterKeyFault):
        await _started(parts, FIRST_KEY)


async def test_the_platforms_secrets_are_sealed_anew_after_a_rotation_and_from_the_old_form(parts: Parts) -> None:
    sealer = parts.sealer
    async with unit_in(parts) as unit:
        await unit.execute(PUT, "provider:new", sealer.seal("one", "provider:new"), sealer.fingerprint("one", "x"))
        await unit.execute(PUT, "provider:old", old_sealed(FIRST_KEY, "provider:old", b"two"), b"")
        await unit.execute(PUT, "provider:lost", b"\x01nothing that opens, however long it is", b"")
    assert await parts.sealing.renewal.work() == 1
    assert (await parts.sealing.encryption.status()).old_form_done
    await parts.sealing.encryption.rotate(system_scope("test"))
    await _hear(parts, parts.sealing, None)
    assert (await parts.sealing.encryption.status()).secrets_outdated == 3
    assert await parts.sealing.renewal.work() == 2
    assert (await parts.sealing.encryption.status()).secrets_outdated == 1
    async with parts.database.owner() as owner:
        rows = {row["name"]: row for row in await owner.fetch("SELECT * FROM enfilade.secrets")}
    assert sealer.open(rows["provider:new"]["sealed"], "provider:new") == "one"
    assert sealer.open(rows["provider:old"]["sealed"], "provider:old") == "two"
    assert sealer.is_same(rows["provider:old"]["fingerprint"], "two", "provider:old")
    assert not sealer.is_same(rows["provider:old"]["fingerprint"], "one", "provider:old")
    assert [version.state for version in (await parts.sealing.encryption.status()).platform] == ["retired", "active"]


async def test_a_withdrawn_key_opens_in_no_process_within_a_revision_and_is_restored(
    parts: Parts, tenants: list[str]
) -> None:
    tenant, other = tenants[0], await _started(parts)
    (kept,) = await keep(parts.sealing, parts, tenant)
    assert await kept.open(other) == b"note:0"
    await parts.sealing.encryption.withdraw(tenant_scope(tenant, "test"), by_platform=False)
    for process in (parts.sealing, other, await _started(parts)):
        await _hear(parts, process, tenant)
        process.envelope.check(tenants[1])
        for attempt in (process.envelope.prepare(tenant, kept.subject), kept.open(process)):
            with pytest.raises(KeyWithdrawn):
                await attempt
        with pytest.raises(KeyWithdrawn):
            process.envelope.seal(tenant, "purpose", b"text", kept.subject)
    await other.encryption.restore(tenant_scope(tenant, "test"), by_platform=True)
    for process in (parts.sealing, other):
        await _hear(parts, process, tenant)
        assert await kept.open(process) == b"note:0"


async def test_an_act_whose_event_was_not_written_is_told_later_once(
    parts: Parts, tenants: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, encryption = tenants[0], parts.sealing.encryption
    await keep(parts.sealing, parts, tenant)
    tell = encryption._acts.tell

    async def die(*_: Any) -> int:
        raise asyncio.CancelledError

    monkeypatch.setattr(encryption._acts, "tell", die)
    with pytest.raises(asyncio.CancelledError):
        await encryption.withdraw(tenant_scope(tenant, "somebody"), by_platform=False)
    monkeypatch.setattr(encryption._acts, "tell", tell)
    for _ in range(2):
        await parts.sealing.renewal.work()
    async with unit_in(parts, tenant) as unit:
        bodies = await unit.fetch("SELECT body FROM events WHERE type = 'TenantKeyWithdrawn'")
    assert len(bodies) == 1
    assert '"by":"system:somebody"' in bodies[0]["body"]
    assert await parts.directory.refresh()
    with pytest.raises(KeyWithdrawn):
        parts.envelope.check(tenant)


class OwnKeeper:
    """A service that keeps tenants' own master keys."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.direct: bytes | None = None
        self.fault: EnfiladeError | None = None
        self.kept: dict[bytes, tuple[bytes, Context]] = {}

    async def wrap(self, key: bytes, context: Context) -> bytes:
        self._check()
        wrapped = f"{self.name}#{len(self.kept)}".encode()
        self.kept[wrapped] = (key, context)
        return wrapped

    async def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        self._check()
        key, bound = self.kept.get(wrapped, (b"", {}))
        if bound != context:
            message = "not mine"
            raise MasterKeyRefused(message)
        return key

    def version(self, wrapped: bytes) -> str:
        return "1" if wrapped in self.kept else "?"

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault


async def test_a_tenant_brings_its_own_master_key_and_may_take_it_away(
    parts: Parts, tenants: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, here = tenants[0], parts.sealing
    own = OwnKeeper("vault-transit:transit/acme")
    here.parts.keepers._by_name[own.name] = own
    monkeypatch.setattr(here.parts.keepers, "service", lambda _text: own)
    kept = [(await keep(here, parts, each))[0] for each in tenants]
    scope = tenant_scope(tenant, "test")
    own.fault = MasterKeyUnavailable("it is away")
    with pytest.raises(MasterKeyUnavailable):
        await here.encryption.declare(scope, own.name, "acme", by_platform=True)
    assert await kept[0].open(here) == b"note:0"
    own.fault = None
    await here.encryption.declare(scope, own.name, "acme", by_platform=True)
    assert (await _under(parts))[own.name] == 1
    (version,) = (await here.encryption.status_of(tenant)).versions
    assert (version.master_key, version.own_master_key) == (own.name, True)
    here.envelope._ring.drop_tenant(tenant)
    assert await kept[0].open(here) == b"note:0"
    own.fault = MasterKeyUnavailable("it is away")
    await here.envelope.check_own_keys()
    assert await kept[0].open(here) == b"note:0", "what is in memory serves on"
    await here.encryption.withdraw(scope, by_platform=False)
    assert (await here.encryption.status_of(tenant)).state == "withdrawn", "whose keeper is away can withdraw"
    await here.encryption.restore(scope, by_platform=False)
    own.fault = MasterKeyRefused("the key is disabled")
    await here.envelope.check_own_keys()
    with pytest.raises(KeyWithdrawn, match="the key is disabled"):
        here.envelope.check(tenant)
    with pytest.raises(KeyWithdrawn):
        await kept[0].open(here)
    assert await kept[1].open(here) == b"note:0"
    own.fault = None
    await here.envelope.check_own_keys()
    assert await kept[0].open(here) == b"note:0"
    await here.encryption.declare(scope, None, "acme", by_platform=False)
    assert own.name not in await _under(parts)
    here.envelope._ring.drop_tenant(tenant)
    assert await kept[0].open(here) == b"note:0"


async def test_a_key_that_stands_in_another_tenants_row_does_not_open(parts: Parts, tenants: list[str]) -> None:
    kept = [(await keep(parts.sealing, parts, tenant))[0] for tenant in tenants[:2]]
    async with parts.database.owner() as owner:
        swap = "UPDATE enfilade.tenant_keys SET wrapped = (SELECT wrapped FROM enfilade.tenant_keys WHERE tenant_id = $2) WHERE tenant_id = $1"
        await owner.execute(swap, tenants[0], tenants[1])
    parts.envelope._ring.drop_tenant(tenants[0])
    with pytest.raises((MasterKeyFault, CannotOpen)):
        await kept[0].open(parts.sealing)
    assert await kept[1].open(parts.sealing) == b"note:0"


async def _started(parts: Parts, current: bytes = FIRST_KEY, previous: bytes | None = None) -> Sealing:
    process = another_process(parts, current, previous)
    await process.start()
    return process


async def _hear(parts: Parts, process: Sealing, tenant: str | None) -> None:
    """As the directory does when a revision says that a tenant, or the platform, changed."""
    async with unit_in(parts) as unit:
        install = await process.envelope.load(unit, None if tenant is None else [tenant])
    install()


async def _under(parts: Parts) -> dict[str, int]:
    async with parts.database.owner() as owner:
        return {row["name"]: row["count"] for row in await owner.fetch(UNDER)}


async def test_secrets_in_tenants_tables_are_sealed_anew_after_a_rotation_of_the_platforms_key(
    parts: Parts, tenants: list[str]
) -> None:
    tenant, ids = tenants[0], [parts.ids.new_id() for _ in range(2)]
    async with unit_in(parts, tenant) as unit:
        user, _ = await parts.identity.users.put(unit, UserSpec("ana@example.com"))
        await unit.execute(FACTOR, tenant, ids[0], user.id, parts.sealer.seal("totp", f"totp:{user.id}"))
        await unit.execute(ISSUER, tenant, ids[1], parts.sealer.seal("client", f"issuer:{ids[1]}"))
    await parts.sealing.renewal.work()
    await parts.sealing.encryption.rotate(system_scope("test"))
    await _hear(parts, parts.sealing, None)
    places = parts.sealing.renewal.places.in_cells
    assert [await place.outdated(tenant) for place in places] == [1, 1]
    assert await parts.sealing.renewal.work() == 2
    assert [await place.outdated(tenant) for place in places] == [0, 0]
    async with unit_in(parts, tenant) as unit:
        totp = await unit.fetch_value("SELECT secret FROM second_factors")
        client = await unit.fetch_value("SELECT client_secret FROM issuers")
    assert parts.sealer.open(totp, f"totp:{user.id}") == "totp"
    assert parts.sealer.open(client, f"issuer:{ids[1]}") == "client"
    assert reference_of(totp, "").key == parts.envelope.keys_of_platform().active.id
