"""Keepers of master keys: in a file, in the environment, in Vault, in AWS KMS; and when they are away or refuse."""

import asyncio
import base64
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.core.fetching import FetchFailed, WebReply, WebRequest
from enfilade.sealing.errors import (
    InvalidMasterKeyService,
    MasterKeyFault,
    MasterKeyRefused,
    MasterKeyUnavailable,
)
from enfilade.sealing.keepers import Keepers, declared_file, declared_service, declared_text
from enfilade.sealing.key_file import make_key_file, read_key_file
from enfilade.sealing.local_key import LocalMasterKey, decode_master_key
from enfilade.sealing.master_key import MasterKey, Needs
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.logins import GivenText, TokenLogin
from enfilade.sealing.vault.types import VaultPlace

CONTEXT = {"enfilade": "tenant-key", "tenant": "a", "key": "k", "version": "1"}
OTHER = CONTEXT | {"tenant": "b"}
SECRET = b"\x07" * 32
TEXT = base64.b64encode(bytes(32)).decode()
KMS = "eu-central-1/1234abcd-12ab-34cd-56ef-1234567890ab"


class Services:
    """Vault's transit engine and AWS KMS as far as master keys go; what they wrap is bound to its context."""

    def __init__(self) -> None:
        self.asked: list[WebRequest] = []
        self.kept: dict[str, tuple[str, Any]] = {}
        self.failures: list[Callable[[], WebReply]] = []
        self.version = 1

    async def fetch(self, request: WebRequest) -> WebReply:
        self.asked.append(request)
        if "lookup-self" in request.url:
            return _json(200, {"data": {"ttl": 3600, "renewable": False}})
        if self.failures:
            return self.failures.pop(0)()
        body = json.loads(request.body)
        target = dict(request.headers).get("x-amz-target")
        return self._transit(request.url, body) if target is None else self._kms(target, body)

    def _transit(self, url: str, body: dict[str, Any]) -> WebReply:
        if "/encrypt/" in url:
            wrapped = f"vault:v{self.version}:{base64.b64encode(str(len(self.kept)).encode()).decode()}"
            self.kept[wrapped] = (body["plaintext"], body["associated_data"])
            return _json(200, {"data": {"ciphertext": wrapped}})
        plaintext, bound = self.kept.get(body["ciphertext"], ("", None))
        if bound != body["associated_data"]:
            return _json(400, {"errors": ["cipher: message authentication failed"]})
        return _json(200, {"data": {"plaintext": plaintext}})

    def _kms(self, target: str, body: dict[str, Any]) -> WebReply:
        if target == "TrentService.Encrypt":
            blob = base64.b64encode(f"kms-{len(self.kept)}".encode()).decode()
            self.kept[blob] = (body["Plaintext"], (body["KeyId"], body["EncryptionContext"]))
            return _json(200, {"CiphertextBlob": blob, "KeyId": body["KeyId"]})
        plaintext, bound = self.kept.get(body["CiphertextBlob"], ("", None))
        if bound != (body["KeyId"], body["EncryptionContext"]):
            return _json(400, {"__type": "InvalidCiphertextException"})
        return _json(200, {"Plaintext": plaintext, "KeyId": body["KeyId"]})


class Signing:
    """A signer that shows what it was given."""

    async def headers(self, method: str, url: str, body: bytes) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"signed {method} {url} {len(body)}"),)


def keeper(services: Services, service: str, clock: ManualClock | None = None) -> MasterKey:
    clock = clock or ManualClock()
    vault = VaultClient(VaultPlace("https://vault.example:8200"), TokenLogin(GivenText("token")), services, clock)
    needs = Needs(clock, services, vault, lambda _service, _region: Signing())
    return Keepers(needs, None, None).service(service)


SERVICES = ["vault-transit:transit/enfilade", f"aws-kms:{KMS}"]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_wraps_and_unwraps_in_the_same_context_only(service: str) -> None:
    services = Services()
    key = keeper(services, service)
    wrapped = await key.wrap(SECRET, CONTEXT)
    assert SECRET not in wrapped
    assert await key.unwrap(wrapped, CONTEXT) == SECRET
    for context, altered in ((OTHER, wrapped), (CONTEXT, wrapped[:-2] + b"xx"), (CONTEXT, b"")):
        with pytest.raises(MasterKeyRefused):
            await key.unwrap(altered, context)
    assert key.name == service
    assert key.direct is None


async def test_a_local_key_wraps_and_unwraps_in_the_same_context_only() -> None:
    key = LocalMasterKey(bytes(32))
    wrapped = await key.wrap(SECRET, CONTEXT)
    assert await key.unwrap(wrapped, CONTEXT) == SECRET
    for other, context, altered in (
        (key, OTHER, wrapped),
        (key, CONTEXT, wrapped[:-1]),
        (key, CONTEXT, b""),
        (LocalMasterKey(b"\x01" * 32), CONTEXT, wrapped),
    ):
        with pytest.raises(MasterKeyRefused):
            await other.unwrap(altered, context)
    assert key.name != LocalMasterKey(b"\x01" * 32).name
    assert key.name == LocalMasterKey(bytes(32)).name


async def test_vault_is_told_the_context_and_the_version_is_read_from_what_it_wrapped() -> None:
    services = Services()
    key = keeper(services, "vault-transit:teams/transit/enfilade")
    services.version = 3
    wrapped = await key.wrap(SECRET, CONTEXT)
    assert services.asked[-1].url == "https://vault.example:8200/v1/teams/transit/encrypt/enfilade"
    bound = base64.b64decode(json.loads(services.asked[-1].body)["associated_data"])
    assert json.loads(bound) == CONTEXT
    assert key.version(wrapped) == "3"


async def test_kms_is_asked_signed_and_with_the_context() -> None:
    services = Services()
    await keeper(services, f"aws-kms:{KMS}").wrap(SECRET, CONTEXT)
    (asked,) = services.asked
    assert asked.url == "https://kms.eu-central-1.amazonaws.com/"
    headers = dict(asked.headers)
    assert headers["x-amz-target"] == "TrentService.Encrypt"
    assert headers["authorization"].startswith("signed POST https://kms.eu-central-1.amazonaws.com/")
    assert json.loads(asked.body)["EncryptionContext"] == CONTEXT


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_service_that_is_away_is_asked_three_times(service: str, times: int) -> None:
    services, clock = Services(), ManualClock()
    key = keeper(services, service, clock)
    services.failures = [_away, lambda: _json(503, {"__type": "KMSInternalException"}), _away][:times]
    wrapping = asyncio.ensure_future(key.wrap(SECRET, CONTEXT))
    while not wrapping.done():
        await asyncio.sleep(0)
        if (pause := clock.next_wake()) is not None:
            clock.advance(pause)
    if times < 3:
        assert await key.unwrap(wrapping.result(), CONTEXT) == SECRET
    else:
        assert isinstance(wrapping.exception(), MasterKeyUnavailable)
        assert service in str(wrapping.exception())
        assert not services.failures


@pytest.mark.parametrize(
    ("service", "failure"),
    [
        (SERVICES[0], lambda: _json(403, {"errors": ["1 error occurred: permission denied"]})),
        (SERVICES[0], lambda: _json(404, {"errors": []})),
        (SERVICES[1], lambda: _json(400, {"__type": "com.amazonaws.kms#DisabledException", "message": "arn:secret"})),
        (SERVICES[1], lambda: _json(400, {"__type": "AccessDeniedException", "Message": "arn:secret"})),
    ],
    ids=["vault denies", "vault has no such key", "kms key disabled", "kms denies"],
)
async def test_a_refusal_is_not_repeated_and_tells_nothing_of_the_service(
    service: str, failure: Callable[[], WebReply]
) -> None:
    services = Services()
    services.failures = [failure]
    with pytest.raises(MasterKeyRefused) as caught:
        await keeper(services, service).wrap(SECRET, CONTEXT)
    assert "arn:secret" not in caught.value.message
    assert service in caught.value.message


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("body", [b"", b"[]", b'{"data": {"ciphertext": 5}}', b'{"CiphertextBlob": "not base64!"}'])
async def test_an_answer_that_is_none_is_a_failure_of_the_service(service: str, body: bytes) -> None:
    services, clock = Services(), ManualClock()
    services.failures = [lambda: WebReply(200, {}, body)] * 3
    wrapping = asyncio.ensure_future(keeper(services, service, clock).wrap(SECRET, CONTEXT))
    while not wrapping.done():
        await asyncio.sleep(0)
        if (pause := clock.next_wake()) is not None:
            clock.advance(pause)
    assert isinstance(wrapping.exception(), MasterKeyUnavailable)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vault-transit",
        "vault-transit:",
        "vault-transit:key",
        "vault-transit:../sys/seal",
        "vault-transit:a/b?c",
        "aws-kms:eu-central-1",
        "aws-kms:evil.example/x",
        "aws-kms:eu-central-1/a b",
        "file:/etc/passwd",
        "gcp:x/y",
    ],
)
def test_what_names_no_key_of_a_service_is_refused(text: str) -> None:
    with pytest.raises(InvalidMasterKeyService):
        keeper(Services(), text)


@pytest.mark.parametrize(
    ("service", "setting"), [(SERVICES[0], "ENFILADE_VAULT_ADDR"), (SERVICES[1], "AWS_ACCESS_KEY_ID")]
)
def test_a_service_that_cannot_be_asked_says_what_to_set(service: str, setting: str) -> None:
    with pytest.raises(MasterKeyFault, match=setting):
        Keepers(Needs(ManualClock()), declared_service(service), None).open(makes_file=False)


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    make_key_file(path)
    key = read_key_file(path)
    make_key_file(path)
    assert read_key_file(path) == key
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["master.key"]


def test_a_key_file_that_is_missing_is_made_only_where_there_is_no_key_yet(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    keepers = Keepers(Needs(ManualClock()), declared_file(path), None)
    with pytest.raises(MasterKeyFault, match="does not exist"):
        keepers.open(makes_file=False)
    assert not path.exists()
    keepers.open(makes_file=True)
    assert keepers.require().direct == read_key_file(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    make_key_file(path)
    path.chmod(mode)
    with pytest.raises(MasterKeyFault, match="chmod 600"):
        read_key_file(path)


@pytest.mark.parametrize("content", [b"", b"c2hvcnQ=", b"\xff\xfe", b"not base64 at all!"])
def test_a_key_file_with_something_else_in_it_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(MasterKeyFault, match=str(path)):
        read_key_file(path)


@pytest.mark.parametrize("text", ["", "c2hvcnQ=", "not base64 at all!", "A" * 60])
def test_what_is_no_master_key_is_refused(text: str) -> None:
    with pytest.raises(MasterKeyFault, match="32 bytes in base64"):
        decode_master_key(text)


def test_the_same_key_in_a_file_and_in_the_environment_is_one_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_text(TEXT)
    path.chmod(0o600)
    keepers = Keepers(Needs(ManualClock()), declared_file(path), declared_text(TEXT))
    keepers.open(makes_file=False)
    assert keepers.previous is None
    assert keepers.direct() == [bytes(32)]


def _json(status: int, body: Any) -> WebReply:
    return WebReply(status, {"content-type": "application/json"}, json.dumps(body).encode())


def _away() -> WebReply:
    message = "it is away"
    raise FetchFailed(message)
