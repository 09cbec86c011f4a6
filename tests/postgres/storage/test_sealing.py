"""Secrets at rest: sealed in the database, and their master key in a file."""

import stat
from pathlib import Path

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.storage.address import OPERATOR
from enfilade.storage.errors import StorageFault
from enfilade.storage.sealing import Sealer, decode_master_key, load_or_make_master_key
from tests.support.parts import unit_in

SECRET = "sk-a-providers-own-secret-key"
KEEP = "INSERT INTO enfilade.secrets (name, sealed, fingerprint) VALUES ($1, $2, $3)"


async def test_the_database_holds_nothing_that_shows_a_secret_and_only_the_owner_reads_it(parts: Parts) -> None:
    sealer = Sealer(bytes(32))
    async with unit_in(parts) as unit:
        await unit.execute(KEEP, "provider:one", sealer.seal(SECRET, "one"), sealer.fingerprint(SECRET, "one"))
    operator = await parts.database.connect(OPERATOR)
    assert await operator.fetchval("SELECT name FROM enfilade.secrets") == "provider:one"
    await operator.close()
    async with parts.database.owner() as owner:
        sealed = bytes(await owner.fetchval("SELECT sealed FROM enfilade.secrets"))
        text = await owner.fetchval("SELECT s::text FROM enfilade.secrets s")
    assert SECRET.encode().hex() not in text
    assert SECRET not in text
    assert sealer.open(sealed, "one") == SECRET


@pytest.mark.parametrize(
    ("key", "purpose", "flip"),
    [
        pytest.param(b"\x01" * 32, "one", None, id="another key"),
        pytest.param(bytes(32), "two", None, id="another purpose"),
        pytest.param(bytes(32), "one", 5, id="a changed nonce"),
        pytest.param(bytes(32), "one", -1, id="a changed ending"),
    ],
)
def test_a_sealed_secret_opens_for_its_key_and_purpose_alone(key: bytes, purpose: str, flip: int | None) -> None:
    sealed = bytearray(Sealer(bytes(32)).seal(SECRET, "one"))
    if flip is not None:
        sealed[flip] ^= 1
    with pytest.raises(StorageFault, match="cannot be opened") as caught:
        Sealer(key).open(bytes(sealed), purpose)
    assert SECRET not in str(caught.value)


def test_the_same_secret_is_sealed_differently_each_time_with_the_same_fingerprint() -> None:
    sealer = Sealer(bytes(32))
    assert sealer.seal(SECRET, "one") != sealer.seal(SECRET, "one")
    assert sealer.fingerprint(SECRET, "one") == sealer.fingerprint(SECRET, "one")
    assert sealer.fingerprint(SECRET, "one") != sealer.fingerprint(SECRET, "two")
    assert sealer.fingerprint(SECRET, "one") != Sealer(b"\x01" * 32).fingerprint(SECRET, "one")


def test_without_a_master_key_it_says_what_to_set() -> None:
    for attempt in (Sealer(None).seal, Sealer(None).fingerprint):
        with pytest.raises(StorageFault, match="ENFILADE_MASTER_KEY_FILE"):
            attempt(SECRET, "one")


def test_a_master_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    key = load_or_make_master_key(path)
    assert load_or_make_master_key(path) == key
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(StorageFault, match="chmod 600"):
        load_or_make_master_key(path)


@pytest.mark.parametrize("text", ["", "c2hvcnQ=", "not base64 at all!", "A" * 60])
def test_what_is_no_master_key_is_refused(text: str) -> None:
    with pytest.raises(StorageFault, match="32 bytes in base64"):
        decode_master_key(text)
