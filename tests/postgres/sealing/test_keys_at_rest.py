"""Who can read which keys, and what is sealed for whom."""

import asyncio

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.errors import InternalError
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.scopes import tenant_scope
from enfilade.sealing.errors import CannotOpen, ContentErased, NoMasterKey
from enfilade.storage.address import APP, LOGIN_ROLES, OPERATOR, WRITER
from tests.postgres.sealing.conftest import keep
from tests.support.parts import unit_in
from tests.support.sealing import FIRST_KEY, another_process

SECRET = "sk-a-providers-own-secret-key"
PUT = "INSERT INTO enfilade.secrets (name, sealed, fingerprint) VALUES ($1, $2, $3)"
FORBIDDEN = (
    "SELECT wrapped FROM enfilade.tenant_keys",
    "SELECT * FROM enfilade.tenant_keys",
    "SELECT check_value FROM enfilade.master_keys",
    "UPDATE enfilade.tenant_keys SET state = 'active'",
    "DELETE FROM enfilade.tenant_keys",
    "INSERT INTO enfilade.tenant_master_keys SELECT tenant_id, master_key FROM enfilade.tenant_keys",
    "SELECT * FROM enfilade.key_acts",
    "SELECT sealed FROM enfilade.secrets",
)


async def test_no_role_that_serves_requests_reads_or_changes_wrapped_keys(parts: Parts) -> None:
    for role in LOGIN_ROLES:
        connection = await parts.database.connect(role)
        for statement in FORBIDDEN:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()


async def test_the_app_role_reads_its_own_tenants_subject_keys_which_are_useless_without_the_tenants(
    parts: Parts, tenants: list[str]
) -> None:
    ours, theirs = tenants[:2]
    (mine,) = await keep(parts.sealing, parts, ours)
    await keep(parts.sealing, parts, theirs)
    async with parts.storage.unit_of_work(tenant_scope(ours, "test")) as unit:
        rows = await unit.fetch("SELECT tenant_id, subject_id, wrapped FROM subject_keys")
        assert [(str(row["tenant_id"]), str(row["subject_id"])) for row in rows] == [(ours, mine.subject)]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await unit.execute("DELETE FROM subject_keys")
    for role in (APP, OPERATOR):
        connection = await parts.database.connect(role)
        await connection.execute("SELECT set_config('enfilade.tenant', $1, false)", ours)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT wrapped FROM enfilade.tenant_keys WHERE tenant_id = $1", ours)
        await connection.close()
    writer = await parts.database.connect(WRITER)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await writer.fetch("SELECT wrapped FROM enfilade_shared.subject_keys")
    await writer.close()


async def test_the_database_holds_nothing_that_shows_a_secret(parts: Parts) -> None:
    sealer = parts.sealer
    async with unit_in(parts) as unit:
        await unit.execute(PUT, "provider:one", sealer.seal(SECRET, "one"), sealer.fingerprint(SECRET, "one"))
    async with parts.database.owner() as owner:
        sealed = bytes(await owner.fetchval("SELECT sealed FROM enfilade.secrets"))
        tables = ("secrets", "tenant_keys", "master_keys", "key_acts")
        text = "".join([str(await owner.fetch(f"SELECT t::text FROM enfilade.{name} t")) for name in tables])
    for secret in (SECRET.encode().hex(), SECRET, FIRST_KEY.hex()):
        assert secret not in text
    assert sealer.open(sealed, "one") == SECRET
    assert await another_started(parts) == SECRET


async def another_started(parts: Parts) -> str:
    """The secret, as another process with the same master key opens it."""
    other = another_process(parts)
    await other.start()
    async with parts.database.owner() as owner:
        return other.sealer.open(bytes(await owner.fetchval("SELECT sealed FROM enfilade.secrets")), "one")


async def test_a_ciphertext_of_another_tenant_or_person_does_not_open(parts: Parts, tenants: list[str]) -> None:
    ours, theirs = tenants[:2]
    (mine, also_mine), (foreign,) = await keep(parts.sealing, parts, ours, 2), await keep(parts.sealing, parts, theirs)
    envelope = parts.envelope
    with pytest.raises(CannotOpen):
        (await envelope.prepare(ours, sealed=[foreign.sealed])).open(foreign.purpose, foreign.sealed)
    with pytest.raises(CannotOpen):
        envelope.open(ours, also_mine.purpose, mine.sealed, mine.subject)
    with pytest.raises(CannotOpen):
        envelope.open(ours, mine.purpose, mine.sealed, also_mine.subject)
    with pytest.raises(CannotOpen):
        envelope.open(ours, mine.purpose, mine.sealed)
    assert envelope.open(ours, mine.purpose, mine.sealed, mine.subject) == mine.purpose.encode()
    await envelope.prepare(ours)
    own = envelope.seal(ours, "purpose", b"the tenant's own")
    assert envelope.open(ours, "purpose", own) == b"the tenant's own"


async def test_keys_are_made_once_however_many_ask_for_them_first(parts: Parts, tenants: list[str]) -> None:
    subject, other = parts.ids.new_id(), another_process(parts)
    await other.start()
    prepared = await asyncio.gather(
        *(process.envelope.prepare(tenants[0], subject) for process in (parts.sealing, other) for _ in range(10))
    )
    assert len({keys.sealing.id for keys in prepared}) == 1
    sealed = prepared[0].seal("purpose", b"text")
    assert prepared[-1].open("purpose", sealed) == b"text"
    async with parts.database.owner() as owner:
        counted = "SELECT count(*) FROM enfilade.tenant_keys WHERE tenant_id = $1"
        assert await owner.fetchval(counted, tenants[0]) == 1


async def test_without_a_master_key_nothing_is_sealed_and_it_says_what_to_set(parts: Parts, tenants: list[str]) -> None:
    keyless = another_process(parts, None)
    assert not keyless.sealer.has_key
    for attempt in (keyless.sealer.seal, keyless.sealer.fingerprint):
        with pytest.raises(NoMasterKey) as caught:
            attempt(SECRET, "one")
        assert "ENFILADE_MASTER_KEY_FILE" in caught.value.remedy
    with pytest.raises(NoMasterKey):
        await keyless.envelope.prepare(tenants[0])


async def test_what_was_not_prepared_is_a_fault_of_ours(parts: Parts, tenants: list[str]) -> None:
    with pytest.raises(InternalError, match="prepared first"):
        parts.envelope.seal(tenants[0], "purpose", b"text")


async def test_an_erased_person_gets_no_key_again(parts: Parts, tenants: list[str]) -> None:
    (kept,) = await keep(parts.sealing, parts, tenants[0])
    stranger, encryption = parts.ids.new_id(), parts.sealing.encryption
    other = another_process(parts)
    await other.start()
    assert await kept.open(other) == b"note:0"
    async with unit_in(parts, tenants[0]) as unit:
        await encryption.erase_subject(unit, kept.subject)
        await encryption.erase_subject(unit, stranger)
    for process in (parts.sealing, other):
        await _hear(parts, process, tenants[0])
        with pytest.raises(ContentErased):
            await kept.open(process)
        for subject in (kept.subject, stranger):
            with pytest.raises(ContentErased):
                await process.envelope.prepare(tenants[0], subject)


async def test_a_small_memory_reads_keys_again(parts: Parts, tenants: list[str]) -> None:
    envelope = parts.envelope
    envelope._ring._most_tenants = envelope._ring._most_subjects = 1
    kept = [(await keep(parts.sealing, parts, tenant))[0] for tenant in tenants]
    for _ in range(2):
        assert [await one.open(parts.sealing) for one in kept] == [b"note:0"] * 3
    assert len(envelope._ring._tenants) == 1
    assert envelope._ring.tenant(PLATFORM_ID) is not None


async def _hear(parts: Parts, process: object, tenant: str) -> None:
    """As the directory does when a revision says that a tenant changed."""
    async with unit_in(parts) as unit:
        install = await process.envelope.load(unit, [tenant])  # type: ignore[attr-defined]
    install()
