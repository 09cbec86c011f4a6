"""A master key that is missing, another one, or of a rotation that is not finished: nothing starts, nothing changes."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import bring_up, shut
from enfilade.bootstrap.sealing import MasterKeyChoice
from enfilade.core.clock import Clock, ManualClock, SystemClock
from enfilade.core.errors import EnfiladeError
from enfilade.sealing.errors import MasterKeyFault, MasterKeyUnavailable
from enfilade.sealing.keepers import declared_file, declared_service, declared_text
from enfilade.sealing.tenant_keys import context_of
from enfilade.storage.address import Address
from tests.postgres.sealing.conftest import keep
from tests.support.parts import make_tenant, open_parts
from tests.support.sealing import FIRST_KEY, SECOND_KEY

STATE = """
SELECT (SELECT array_agg(m::text ORDER BY m.id) FROM enfilade.master_keys m),
    (SELECT array_agg(k::text ORDER BY k.id) FROM enfilade.tenant_keys k),
    (SELECT array_agg(s::text ORDER BY s.name) FROM enfilade.secrets s)
"""
CUT_OFF = """
UPDATE enfilade.tenant_keys SET wrapped = $3, master_key = (SELECT id FROM enfilade.master_keys WHERE name = $2)
WHERE tenant_id = $1
"""
THIRD_KEY = b"\x03" * 32


@pytest.fixture
async def used(database: Address) -> Address:
    """A database with something sealed in it under the first key."""
    async with open_parts(database) as parts:
        await keep(parts.sealing, parts, (await make_tenant(parts, "acme")).id)
    return database


WRONG = (
    (MasterKeyChoice(), "There is no master key, and this installation needs it: keys of 2 tenants"),
    (MasterKeyChoice(SECOND_KEY), "keys of 2 tenants are wrapped under local:"),
    (MasterKeyChoice(SECOND_KEY, THIRD_KEY), "keys of 2 tenants are wrapped under local:"),
    (MasterKeyChoice(declared_text("c2hvcnQ=")), "must be 32 bytes in base64"),
    (MasterKeyChoice(declared_service("aws-kms:eu-central-1/key")), "AWS_ACCESS_KEY_ID"),
    (MasterKeyChoice(declared_service("vault-transit:transit/key")), "ENFILADE_VAULT_ADDR"),
    (MasterKeyChoice(declared_service("nobody:knows")), "no service that keeps master keys"),
)


async def test_a_wrong_master_key_starts_nothing_and_changes_nothing(used: Address) -> None:
    before = await _state(used)
    for choice, says in WRONG:
        with pytest.raises(EnfiladeError, match=says) as caught:
            await _start(used, choice)
        assert caught.value.remedy
        assert await _state(used) == before
    await _start(used, MasterKeyChoice(FIRST_KEY))


async def test_a_missing_key_file_is_not_made_where_something_is_sealed(used: Address, tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with pytest.raises(MasterKeyFault, match="does not exist"):
        await _start(used, MasterKeyChoice(declared_file(path)))
    assert list(tmp_path.iterdir()) == []
    path.write_text(base64.b64encode(FIRST_KEY).decode())
    path.chmod(0o644)
    with pytest.raises(MasterKeyFault, match="chmod 600"):
        await _start(used, MasterKeyChoice(declared_file(path)))
    path.chmod(0o600)
    await _start(used, MasterKeyChoice(declared_file(path)))


async def test_a_key_file_is_made_at_the_first_start(database: Address, tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    await _start(database, MasterKeyChoice(declared_file(path)))
    made = path.read_text()
    await _start(database, MasterKeyChoice(declared_file(path)))
    assert path.read_text() == made


async def test_an_installation_without_a_key_starts_and_takes_one_later(database: Address) -> None:
    await _start(database, MasterKeyChoice())
    await _start(database, MasterKeyChoice(SECOND_KEY))
    with pytest.raises(MasterKeyFault):
        await _start(database, MasterKeyChoice())


async def test_a_half_rotated_key_starts_with_both_and_with_neither_alone(used: Address) -> None:
    both = MasterKeyChoice(SECOND_KEY, FIRST_KEY)
    async with _started(used, both) as parts, parts.database.owner() as owner:
        await owner.execute(CUT_OFF, *await _rewrapped(parts))
    before = await _state(used)
    for alone in (FIRST_KEY, SECOND_KEY):
        with pytest.raises(MasterKeyFault, match="keys of 1 tenants are wrapped under local:") as caught:
            await _start(used, MasterKeyChoice(alone))
        assert "ENFILADE_PREVIOUS_MASTER_KEY" in caught.value.message
    assert await _state(used) == before
    await _start(used, both)
    await _start(used, MasterKeyChoice(FIRST_KEY, SECOND_KEY))


async def test_a_check_value_that_was_altered_is_noticed(used: Address) -> None:
    async with _started(used, MasterKeyChoice(FIRST_KEY)) as parts, parts.database.owner() as owner:
        await owner.execute("UPDATE enfilade.master_keys SET check_value = check_value || '\\x00'::bytea")
    with pytest.raises(MasterKeyFault, match="check value"):
        await _start(used, MasterKeyChoice(FIRST_KEY))


async def test_a_key_that_does_not_open_what_an_earlier_version_sealed_is_refused(database: Address) -> None:
    async with _started(database, MasterKeyChoice()) as parts, parts.database.owner() as owner:
        sealed = old_sealed(FIRST_KEY, "provider:one", b"secret")
        await owner.execute("INSERT INTO enfilade.secrets VALUES ('provider:one', $1, '')", sealed)
    before = await _state(database)
    for wrong in (MasterKeyChoice(), MasterKeyChoice(SECOND_KEY)):
        with pytest.raises(MasterKeyFault, match=r"provider:one|secrets are sealed"):
            await _start(database, wrong)
    assert await _state(database) == before
    await _start(database, MasterKeyChoice(SECOND_KEY, FIRST_KEY))


async def test_a_service_that_is_away_at_the_start_is_told_after_some_attempts(used: Address) -> None:
    environment = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
    choice = MasterKeyChoice(declared_service("aws-kms:eu-central-1/key"), FIRST_KEY, kms_url="http://127.0.0.1:9")
    before, clock = await _state(used), ManualClock()
    starting = asyncio.ensure_future(_start(used, choice, environment, clock))
    while not starting.done():
        await asyncio.sleep(0)
        if (pause := clock.next_wake()) is not None:
            clock.advance(min(pause, 1.0))
    with pytest.raises(MasterKeyUnavailable, match="aws-kms:eu-central-1/key cannot be reached"):
        await starting
    assert await _state(used) == before


def old_sealed(key: bytes, purpose: str, plaintext: bytes) -> bytes:
    """As earlier versions sealed."""
    return b"\x01" + bytes(12) + AESGCM(key).encrypt(bytes(12), plaintext, purpose.encode())


async def _rewrapped(parts: Parts) -> tuple[str, str, bytes]:
    """A tenant's key as a rotation to the second master key that was cut off leaves it."""
    store = parts.sealing.parts.tenant_keys
    current = parts.sealing.parts.keepers.require()
    async with parts.database.owner() as owner:
        row = await owner.fetchrow(
            "SELECT k.*, m.name AS master_key, m.for_tenant FROM enfilade.tenant_keys k JOIN enfilade.master_keys m "
            "ON m.id = k.master_key WHERE tenant_id <> '00000000-0000-0000-0000-000000000000'"
        )
    tenant = str(row["tenant_id"])
    wrapped = await current.wrap(await store.unwrap(row), context_of(tenant, str(row["id"]), row["version"]))
    return tenant, current.name, wrapped


def _parts(address: Address, choice: MasterKeyChoice) -> Parts:
    return Parts(Ingredients(address, SystemClock(), master_keys=choice))


async def _start(
    address: Address,
    choice: MasterKeyChoice,
    environment: dict[str, str] | None = None,
    clock: Clock | None = None,
) -> None:
    """The way in which a process starts."""
    parts = Parts(Ingredients(address, clock or SystemClock(), master_keys=choice, environment=environment or {}))
    try:
        await bring_up(parts, migrates=True)
    finally:
        await shut(parts)


@asynccontextmanager
async def _started(address: Address, choice: MasterKeyChoice) -> AsyncIterator[Parts]:
    parts = _parts(address, choice)
    try:
        await bring_up(parts, migrates=True)
        yield parts
    finally:
        await shut(parts)


async def _state(address: Address) -> Any:
    parts = _parts(address, MasterKeyChoice())
    async with parts.database.owner() as owner:
        return tuple(await owner.fetchrow(STATE))
