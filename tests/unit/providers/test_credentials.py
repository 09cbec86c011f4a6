"""References to secrets: where they may lead, and what is found there."""

from pathlib import Path

import pytest

from enfilade.core.clock import ManualClock
from enfilade.providers.credentials import FILE_CHECK_S, Credential, SecretSources
from enfilade.providers.errors import CredentialMissing, InvalidProvider
from enfilade.providers.types import SecretReference

ENVIRONMENT = {"OPENAI_API_KEY": "sk-one", "ENFILADE_MASTER_KEY": "master", "EMPTY_API_KEY": " \n", "PATH": "/bin"}


@pytest.fixture
def sources(tmp_path: Path) -> SecretSources:
    """Variables that end in _API_KEY, and files in one directory."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "key").write_text("  sk-file \n")
    (allowed / "empty").write_text("\n")
    (allowed / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "outside").write_text("not yours")
    (tmp_path / "allowed-too").mkdir()
    (tmp_path / "allowed-too" / "key").write_text("not yours")
    (allowed / "link").symlink_to(tmp_path / "outside")
    return SecretSources(ENVIRONMENT, ["*_API_KEY"], [allowed])


def test_an_allowed_variable_is_read(sources: SecretSources) -> None:
    reference = SecretReference(env="OPENAI_API_KEY")
    sources.check(reference)
    assert sources.read(reference) == "sk-one"


@pytest.mark.parametrize(
    "name", ["ENFILADE_MASTER_KEY", "PATH", "OPENAI_API_KEY_", "openai_api_key", "", "*_API_KEY x"]
)
def test_another_variable_is_refused_and_not_read(sources: SecretSources, name: str) -> None:
    reference = SecretReference(env=name)
    with pytest.raises(InvalidProvider, match="ENFILADE_SECRET_ENV") as refusal:
        sources.check(reference)
    assert refusal.value.param == "api_key.env"
    assert "master" not in refusal.value.message
    assert sources.read(reference) is None


def test_an_allowed_file_is_read(sources: SecretSources, tmp_path: Path) -> None:
    reference = SecretReference(file=str(tmp_path / "allowed" / "key"))
    sources.check(reference)
    assert sources.read(reference) == "sk-file"


@pytest.mark.parametrize("path", ["outside", "allowed/../outside", "allowed/link", "allowed-too/key", "allowed/../.."])
def test_another_file_is_refused_and_not_read(sources: SecretSources, tmp_path: Path, path: str) -> None:
    reference = SecretReference(file=f"{tmp_path}/{path}")
    with pytest.raises(InvalidProvider, match="ENFILADE_SECRET_DIRS") as refusal:
        sources.check(reference)
    assert refusal.value.param == "api_key.file"
    assert sources.read(reference) is None


def test_a_relative_path_is_no_way_around(
    sources: SecretSources, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path / "allowed")
    with pytest.raises(InvalidProvider):
        sources.check(SecretReference(file="../outside"))


@pytest.mark.parametrize(
    "reference",
    [
        SecretReference(env="EMPTY_API_KEY"),
        SecretReference(env="ABSENT_API_KEY"),
        SecretReference(env="ENFILADE_MASTER_KEY"),
        SecretReference(sealed="provider:up"),
        None,
    ],
)
def test_a_key_that_is_not_there_is_missing(sources: SecretSources, reference: SecretReference | None) -> None:
    credential = Credential(reference, sources, ManualClock())
    assert credential.is_set is (reference is not None)
    with pytest.raises(CredentialMissing) as failure:
        credential.value()
    assert "API_KEY" not in failure.value.message


@pytest.mark.parametrize("name", ["empty", "binary", "absent", "."])
def test_a_file_that_holds_no_key_is_none(sources: SecretSources, tmp_path: Path, name: str) -> None:
    credential = Credential(SecretReference(file=f"{tmp_path}/allowed/{name}"), sources, ManualClock())
    with pytest.raises(CredentialMissing):
        credential.value()


def test_a_variable_that_is_set_later_is_found_and_then_kept(sources: SecretSources) -> None:
    environment: dict[str, str] = {}
    credential = Credential(SecretReference(env="LATE_API_KEY"), SecretSources(environment, ["*"], []), ManualClock())
    with pytest.raises(CredentialMissing):
        credential.value()
    environment["LATE_API_KEY"] = "sk-late"
    assert credential.value() == "sk-late"
    environment.clear()
    assert credential.value() == "sk-late"


def test_a_file_is_read_again_now_and_then_and_no_more_often(sources: SecretSources, tmp_path: Path) -> None:
    path, clock = tmp_path / "allowed" / "key", ManualClock()
    credential = Credential(SecretReference(file=str(path)), sources, clock)
    assert credential.value() == "sk-file"
    path.write_text("sk-new")
    clock.advance(FILE_CHECK_S)
    assert credential.value() == "sk-file"
    clock.advance(0.1)
    assert credential.value() == "sk-new"
    path.write_text("")
    clock.advance(FILE_CHECK_S + 1)
    assert credential.value() == "sk-new"


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        (SecretReference(env="A_API_KEY"), {"env": "A_API_KEY"}),
        (SecretReference(file="/run/key"), {"file": "/run/key"}),
        (SecretReference(vault="secret/openai#api_key"), {"vault": "secret/openai#api_key"}),
        (SecretReference(sealed="provider:up"), {"sealed": "provider:up"}),
    ],
)
def test_what_is_shown_of_a_reference_is_where_it_leads(reference: SecretReference, shown: dict[str, str]) -> None:
    assert reference.shown() == shown
