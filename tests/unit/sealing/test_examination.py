"""What `enfilade doctor` says of Vault and of master keys."""

from collections.abc import Mapping

import pytest

from enfilade.core.clock import ManualClock
from enfilade.sealing.errors import MasterKeyRefused, MasterKeyUnavailable
from enfilade.sealing.examination import examine_key, examine_vault
from enfilade.sealing.local_key import LocalMasterKey
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.logins import AppRoleLogin, GivenText, Login, TokenLogin
from enfilade.sealing.vault.types import VaultPlace
from tests.support.vault import FakeVault, lent

TOKEN, SECRET_ID = "hvs.the-token", "the-secret-id"
DAY = 24 * 3600.0


@pytest.mark.parametrize(
    ("seconds", "renewable", "level", "said"),
    [
        (None, False, "ok", "does not end"),
        (3 * DAY, True, "ok", "lives for 3 days, and is renewed"),
        (3 * DAY, False, "warning", "lives for 3 days, and cannot be renewed"),
        (600.0, False, "fault", "lives for 10 minutes, and cannot be renewed"),
        (90.0, True, "ok", "lives for 90 seconds, and is renewed"),
    ],
)
async def test_a_tokens_remaining_life_is_told(
    seconds: float | None, *, renewable: bool, level: str, said: str
) -> None:
    vault = FakeVault(ManualClock())
    vault.token(TOKEN, seconds, renewable=renewable)
    found, subject, text, remedy = await examine_vault(_client(vault), logs_in_again=False)
    assert (found, subject) == (level, "vault")
    assert said in text
    assert text.startswith("vault.example:8200")
    assert (remedy is None) == (level == "ok")


async def test_whoever_logs_in_again_needs_no_renewal() -> None:
    vault = FakeVault(ManualClock(), role={"role_id": "r", "secret_id": SECRET_ID})
    client = _client(vault, AppRoleLogin("r", GivenText(SECRET_ID)))
    assert (await examine_vault(client, logs_in_again=True))[0] == "ok"
    wrong = _client(vault, AppRoleLogin("r", GivenText("another-secret-id")))
    level, _, text, remedy = await examine_vault(wrong, logs_in_again=True)
    assert (level, "another-secret-id" in text) == ("fault", False)
    assert remedy


async def test_a_vault_that_is_away_or_refuses_is_a_fault_that_shows_no_token() -> None:
    vault = FakeVault(ManualClock())
    for away in (False, True):
        vault.away = away
        level, _, text, remedy = await examine_vault(_client(vault), logs_in_again=False)
        assert level == "fault"
        assert remedy
        assert TOKEN not in text + remedy


@pytest.mark.parametrize(
    ("about", "level", "said"),
    [
        (None, "fault", "is not there"),
        ({"type": "rsa-2048"}, "fault", "of the type rsa-2048"),
        ({"type": "aes256-gcm96"}, "ok", "encrypts and decrypts"),
        ("denied", "ok", "encrypts and decrypts"),
    ],
)
async def test_a_transit_key_is_looked_at_before_it_is_used(about: object, level: str, said: str) -> None:
    vault = FakeVault(ManualClock())
    vault.token(TOKEN)
    if about == "denied":
        vault.denied.add("transit/keys/enfilade")
    elif about is not None:
        vault.instead = lambda request: lent(about) if request.url.endswith("transit/keys/enfilade") else None  # type: ignore[arg-type]
    key = Wrapping("vault-transit:transit/enfilade")
    found, subject, text, remedy = await examine_key(key, _client(vault))
    assert (found, subject) == (level, "master key")
    assert said in text
    assert (remedy is None) == (level == "ok")
    assert key.used == (level == "ok"), "to use a key that is missing might make one"


@pytest.mark.parametrize("fault", [MasterKeyRefused("it may not decrypt"), MasterKeyUnavailable("it is away")])
async def test_a_key_that_cannot_be_used_says_what_to_do(fault: MasterKeyRefused | MasterKeyUnavailable) -> None:
    key = Wrapping("aws-kms:eu-central-1/k", fault)
    assert await examine_key(key, None) == ("fault", "master key", fault.message, fault.remedy)


async def test_a_key_that_gives_something_else_back_is_a_fault() -> None:
    level, _, text, _ = await examine_key(Wrapping("aws-kms:eu-central-1/k", spoils=True), None)
    assert (level, "something else" in text) == ("fault", True)


async def test_a_key_in_a_file_shows_its_fingerprint_only() -> None:
    secret = b"\x07" * 32
    level, _, text, _ = await examine_key(LocalMasterKey(secret), None)
    assert level == "ok"
    assert text.startswith("local:")
    assert secret.hex() not in text


class Wrapping:
    """A service's key that hands back what it was given."""

    direct: bytes | None = None

    def __init__(self, name: str, fault: Exception | None = None, *, spoils: bool = False) -> None:
        self.name, self._fault, self._spoils = name, fault, spoils
        self.used = False

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        del context
        self.used = True
        return key

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        del context
        if self._fault is not None:
            raise self._fault
        return wrapped[::-1] if self._spoils else wrapped

    def version(self, wrapped: bytes) -> str:
        del wrapped
        return "1"


def _client(vault: FakeVault, login: Login | None = None) -> VaultClient:
    place = VaultPlace("https://vault.example:8200")
    return VaultClient(place, login or TokenLogin(GivenText(TOKEN)), vault, vault.clock)
