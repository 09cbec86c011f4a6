"""Credentials that change where they are: what serves then, for how long, and what is told."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from enfilade.core.clock import NANOSECONDS, ManualClock
from enfilade.providers.credentials import FILE_CHECK_S, Credential, FormerCredential, OldKey, SecretSources
from enfilade.providers.errors import CredentialMissing, InvalidProvider
from enfilade.providers.types import SecretReference
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.logins import AppRoleLogin, GivenText
from enfilade.sealing.vault.secrets import Freshness, VaultSecrets
from enfilade.sealing.vault.types import VaultPlace
from tests.support.vault import FakeVault

GRACE_S = 100.0
KEY = SecretReference(vault="secret/openai#api_key")


class Followed:
    """Sources with a fake Vault and a directory."""

    def __init__(self, directory: Path, allowed: tuple[str, ...] = ("secret/*",)) -> None:
        self.clock = ManualClock()
        self.vault = FakeVault(self.clock, secrets={"secret/openai": {"api_key": "sk-1"}})
        place = VaultPlace("https://vault.example")
        client = VaultClient(place, AppRoleLogin("role", GivenText("secret")), self.vault, self.clock)
        self.secrets = VaultSecrets(client, self.clock, Freshness(refresh_s=10, keep_s=1000))
        self.sources = SecretSources({}, (), (directory,), allowed, self.secrets, GRACE_S)

    def credential(self, reference: SecretReference = KEY, old: OldKey | None = None) -> Credential:
        return Credential(reference, self.sources, self.clock, None, old)

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.secrets.refresh()


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


async def test_a_secret_in_vault_is_followed_without_asking_anybody_on_the_way(followed: Followed) -> None:
    credential = followed.credential()
    cold = credential.is_cold
    assert cold
    with pytest.raises(CredentialMissing, match="has not been read from Vault yet"):
        credential.value()
    await followed.secrets.refresh()
    asked = len(followed.vault.asked)
    assert not credential.is_cold
    assert (credential.value(), credential.former()) == ("sk-1", None)
    followed.vault.secrets["secret/openai"] = {"api_key": "sk-2"}
    await followed.pass_time(11)
    assert (credential.value(), credential.former()) == ("sk-2", "sk-1")
    assert FormerCredential(credential).value() == "sk-1"
    assert len(followed.vault.asked) == asked + 1
    followed.clock.advance(GRACE_S)
    assert (credential.former(), FormerCredential(credential).value()) == (None, "sk-2")


async def test_the_first_call_waits_for_the_first_reading(followed: Followed) -> None:
    credential = followed.credential()
    waiting = asyncio.create_task(credential.warm())
    await asyncio.sleep(0)
    assert not waiting.done()
    await followed.secrets.refresh()
    await waiting
    assert credential.value() == "sk-1"


@pytest.mark.parametrize(
    ("secrets", "words"), [({}, "could not be read from Vault"), ({"secret/openai": {"other": "x"}}, "no such field")]
)
async def test_a_secret_that_vault_does_not_have_is_told(
    followed: Followed, secrets: dict[str, dict[str, str] | None], words: str
) -> None:
    followed.vault.secrets = secrets
    credential = followed.credential()
    await followed.secrets.refresh()
    with pytest.raises(CredentialMissing, match=words) as failure:
        credential.value()
    assert "vault.example" not in failure.value.message


async def test_a_field_that_is_gone_is_told_once_and_not_used(followed: Followed) -> None:
    credential = followed.credential()
    await followed.secrets.refresh()
    credential.value()
    followed.vault.secrets["secret/openai"] = {"other": "x"}
    await followed.pass_time(11)
    with capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(CredentialMissing):
                credential.value()
    assert [line["event"] for line in lines] == ["secret_gone"]


@pytest.mark.parametrize(
    ("allowed", "reference", "words"),
    [
        ((), "secret/openai#k", "no path"),
        (("secret/enfilade/*",), "secret/openai#k", "secret/enfilade/"),
        (("secret/enfilade/*",), "secret/enfilade/../openai#k", "segments"),
        (("*",), "sys/raw/core#k", "PATH#FIELD"),
        (("*",), "secret/openai", "PATH#FIELD"),
    ],
)
async def test_only_paths_that_the_operator_allows_are_asked_for(
    tmp_path: Path, allowed: tuple[str, ...], reference: str, words: str
) -> None:
    followed = Followed(tmp_path, allowed)
    with pytest.raises(InvalidProvider, match=words) as refusal:
        followed.sources.check(SecretReference(vault=reference), "options.secret")
    assert refusal.value.param == "options.secret.vault"
    credential = followed.credential(SecretReference(vault=reference))
    with pytest.raises(CredentialMissing, match="ENFILADE_SECRET_VAULT"):
        credential.value()
    await followed.secrets.refresh()
    assert followed.vault.asked == []


def test_a_reference_into_a_vault_that_is_not_set_is_refused() -> None:
    sources = SecretSources({}, (), (), ("secret/*",))
    with pytest.raises(InvalidProvider, match="ENFILADE_VAULT_ADDR"):
        sources.check(KEY)


async def test_what_nobody_refers_to_any_more_is_not_read_again(followed: Followed) -> None:
    followed.credential()
    await followed.secrets.refresh()
    followed.sources.retain([SecretReference(vault="secret/openai#other")])
    asked = len(followed.vault.asked)
    await followed.pass_time(11)
    assert len(followed.vault.asked) == asked + 1
    followed.sources.retain([SecretReference(env="X")])
    await followed.pass_time(11)
    assert len(followed.vault.asked) == asked + 1


def test_a_file_that_changed_has_a_former_value_for_the_grace(followed: Followed, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("first")
    credential = followed.credential(SecretReference(file=str(path)))
    assert (credential.value(), credential.former()) == ("first", None)
    path.write_text("the second")
    followed.clock.advance(FILE_CHECK_S + 1)
    assert (credential.value(), credential.former()) == ("the second", "first")
    followed.clock.advance(GRACE_S)
    assert (credential.value(), credential.former()) == ("the second", None)


@pytest.mark.parametrize("gone", [True, False])
def test_a_file_that_is_gone_or_empty_is_told_once_and_its_last_content_goes_on(
    followed: Followed, tmp_path: Path, gone: bool
) -> None:
    path = tmp_path / "key"
    path.write_text("the-content")
    credential = followed.credential(SecretReference(file=str(path)))
    credential.value()
    path.unlink() if gone else path.write_text("")
    with capture_logs() as lines:
        for _ in range(3):
            followed.clock.advance(FILE_CHECK_S + 1)
            assert credential.value() == "the-content"
        path.write_text("the-content-again")
        followed.clock.advance(FILE_CHECK_S + 1)
        assert credential.value() == "the-content-again"
    assert [line["event"] for line in lines] == ["secret_file_kept", "secret_file_back"]
    assert "the-content" not in str(lines)


def test_a_link_that_leads_out_now_is_not_followed(followed: Followed, tmp_path: Path) -> None:
    inside, link, outside = tmp_path / "in", tmp_path / "key", tmp_path.parent / f"{tmp_path.name}-outside"
    inside.write_text("inside")
    outside.write_text("outside")
    link.symlink_to(inside)
    credential = followed.credential(SecretReference(file=str(link)))
    assert credential.value() == "inside"
    link.unlink()
    link.symlink_to(outside)
    followed.clock.advance(FILE_CHECK_S + 1)
    with capture_logs() as lines:
        assert credential.value() == "inside"
    assert "ENFILADE_SECRET_DIRS" in lines[0]["error"]


def test_an_old_key_serves_until_its_moment(followed: Followed) -> None:
    old = Credential(SecretReference(sealed="old"), followed.sources, followed.clock, "sk-old")
    until = followed.clock.now_ns() + 60 * NANOSECONDS
    credential = Credential(
        SecretReference(sealed="new"), followed.sources, followed.clock, "sk-new", OldKey(old, until)
    )
    assert credential.may_rotate
    assert (credential.value(), credential.former()) == ("sk-new", "sk-old")
    followed.clock.advance(60)
    assert credential.former() is None


def test_what_does_not_change_has_no_former_value(followed: Followed) -> None:
    sealed = Credential(SecretReference(sealed="a"), followed.sources, followed.clock, "x")
    assert not sealed.may_rotate
    assert not Credential(None, followed.sources, followed.clock).may_rotate
    assert sealed.former() is None
