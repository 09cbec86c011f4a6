"""Logging in to Vault: by each way, with tokens that are renewed, end, are revoked and replaced."""

import asyncio
from pathlib import Path

import pytest

from enfilade.core.clock import ManualClock
from enfilade.core.errors import EnfiladeError
from enfilade.core.fetching import WebReply, WebRequest
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.errors import (
    InvalidVault,
    VaultBusy,
    VaultDenied,
    VaultError,
    VaultLoginRefused,
    VaultMissing,
    VaultRefused,
    VaultSealed,
    VaultStandby,
    VaultUnreachable,
    VaultUnreadable,
)
from enfilade.sealing.vault.logins import AgentLogin, AppRoleLogin, GivenText, KubernetesLogin, Login, TokenLogin
from enfilade.sealing.vault.types import VaultPlace
from enfilade.sealing.watched_file import WatchedFile
from tests.support.vault import FakeVault, answer, lent, refusal

PLACE = VaultPlace("https://vault.example:8200", namespace="teams/a")
APP_ROLE = AppRoleLogin("role", GivenText("secret"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def vault(clock: ManualClock) -> FakeVault:
    return FakeVault(clock, secrets={"secret/a": {"k": "v"}})


def client(vault: FakeVault, login: Login = APP_ROLE) -> VaultClient:
    return VaultClient(PLACE, login, vault, vault.clock)


async def read(asking: VaultClient) -> object:
    return (await asking.request("GET", "secret/data/a")).data


async def test_an_app_role_logs_in_once_and_asks_with_its_token(vault: FakeVault) -> None:
    asking = client(vault)
    assert "v" in str(await read(asking))
    await read(asking)
    assert vault.paths() == ["auth/approle/login", "secret/data/a", "secret/data/a"]
    login, first, _ = vault.asked
    assert login.body == {"role_id": "role", "secret_id": "secret"}
    assert "x-vault-token" not in login.headers
    assert first.headers["x-vault-token"] == "hvs.made-1"
    assert {one.headers["x-vault-namespace"] for one in vault.asked} == {"teams/a"}
    assert {one.headers["x-vault-request"] for one in vault.asked} == {"true"}


async def test_a_service_account_logs_in_with_the_token_that_is_in_its_file_then(
    vault: FakeVault, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    asking = client(vault, KubernetesLogin("gateway", WatchedFile(file)))
    with pytest.raises(VaultLoginRefused, match="service account token"):
        await read(asking)
    file.write_text("jwt-1\n")
    vault.clock.advance(60)
    await read(asking)
    file.write_text("jwt-2, which is longer")
    vault.service_account["jwt"] = "jwt-2, which is longer"
    vault.clock.advance(vault.token_seconds)
    await read(asking)
    logins = [one.body for one in vault.asked if one.path == "auth/kubernetes/login"]
    assert [body["jwt"] for body in logins] == ["jwt-1", "jwt-2, which is longer"]


async def test_a_token_file_is_read_again_when_it_changes(vault: FakeVault, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(vault.token("hvs.one"))
    asking = client(vault, TokenLogin(GivenText(file=WatchedFile(file))))
    await read(asking)
    file.write_text(vault.token("hvs.number-two"))
    await read(asking)
    file.unlink()
    await read(asking)
    assert [one.headers["x-vault-token"] for one in vault.asked if one.path == "secret/data/a"] == [
        "hvs.one",
        "hvs.number-two",
        "hvs.number-two",
    ]


async def test_an_agent_in_front_adds_the_token(vault: FakeVault) -> None:
    vault.tokens[""] = vault.tokens[vault.token("agent")]
    assert "v" in str(await read(client(vault, AgentLogin())))
    assert "x-vault-token" not in vault.asked[0].headers


async def test_a_token_is_renewed_before_it_ends_and_made_anew_when_it_is_too_old(vault: FakeVault) -> None:
    vault.oldest = 3000
    asking = client(vault)
    await read(asking)
    seen = []
    for _ in range(8):
        vault.clock.advance(800)
        before = len(vault.asked)
        await read(asking)
        seen.append([path for path in vault.paths()[before:] if path.startswith("auth")])
    assert seen[0] == ["auth/token/renew-self"]
    assert ["auth/approle/login"] in seen
    assert refusals(vault) == 0


async def test_a_token_that_ended_meanwhile_is_not_used(vault: FakeVault) -> None:
    asking = client(vault)
    await read(asking)
    vault.clock.advance(vault.token_seconds + 1)
    await read(asking)
    assert vault.paths().count("auth/approle/login") == 2
    assert refusals(vault) == 0


async def test_a_revoked_token_is_replaced_and_the_request_made_again(vault: FakeVault) -> None:
    asking = client(vault)
    await read(asking)
    vault.tokens.clear()
    assert "v" in str(await read(asking))
    assert vault.paths()[2:] == ["secret/data/a", "auth/token/lookup-self", "auth/approle/login", "secret/data/a"]


async def test_what_policies_deny_is_no_reason_to_log_in_again(vault: FakeVault) -> None:
    vault.denied.add("secret/data/a")
    asking = client(vault)
    with pytest.raises(VaultDenied, match="GET secret/data/a"):
        await read(asking)
    assert vault.paths().count("auth/approle/login") == 1


async def test_while_vault_is_away_a_good_token_goes_on_and_logins_are_spaced(vault: FakeVault) -> None:
    asking = client(vault)
    await read(asking)
    vault.away = True
    vault.clock.advance(850)
    for _ in range(3):
        with pytest.raises(VaultUnreachable):
            await read(asking)
    assert vault.paths().count("auth/token/renew-self") == 1
    vault.away = False
    await read(asking)
    assert vault.paths()[-1] == "secret/data/a"
    vault.clock.advance(2000)
    vault.away = True
    before = len(vault.asked)
    for _ in range(5):
        with pytest.raises(VaultUnreachable):
            await read(asking)
    assert vault.paths()[before:] == ["auth/approle/login"]


async def test_a_wrong_secret_id_is_told_without_repeating_it(vault: FakeVault) -> None:
    asking = client(vault, AppRoleLogin("role", GivenText("not-the-secret-id")))
    with pytest.raises(VaultLoginRefused, match="invalid role or secret id") as failure:
        await read(asking)
    assert "not-the-secret-id" not in failure.value.message


async def test_a_token_that_vault_does_not_know_is_refused_at_once(vault: FakeVault) -> None:
    with pytest.raises(VaultLoginRefused) as failure:
        await read(client(vault, TokenLogin(GivenText("hvs.unknown"))))
    assert "hvs.unknown" not in failure.value.message
    assert "hvs.unknown" not in repr(TokenLogin(GivenText("hvs.unknown")))


def refusals(vault: FakeVault) -> int:
    return vault.paths().count("auth/token/lookup-self")


WRAPPED = {"token": "hvs.CAES", "ttl": 300, "creation_path": "secret/data/a"}


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (refusal(503, "Vault is sealed"), VaultSealed, "is sealed"),
        (answer(501, errors=[]), VaultSealed, "not initialised"),
        (WebReply(307, {"location": "https://elsewhere.example/v1/secret"}, b""), VaultStandby, "standby"),
        (refusal(500, "local node not active but active cluster node not found"), VaultStandby, "no active node"),
        (answer(473, errors=[]), VaultStandby, "performance standby"),
        (
            WebReply(429, {"retry-after": "7"}, b'{"errors":["request path: rate limit quota exceeded"]}'),
            VaultBusy,
            "fewer",
        ),
        (refusal(500, "internal error with hvs.secret"), VaultError, "status 500"),
        (refusal(502), VaultError, "status 502"),
        (refusal(503, "upstream hvs.secret"), VaultError, "status 503"),
        (refusal(400, "bad hvs.secret"), VaultRefused, "finds the request wrong"),
        (refusal(404), VaultMissing, "nothing there"),
        (answer(200, data="text"), VaultUnreadable, "not Vault's"),
        (WebReply(200, {}, b"<html>Sign in</html>"), VaultUnreadable, "not Vault's"),
        (WebReply(200, {}, b'{"data":' + b"[" * 5000), VaultUnreadable, "not Vault's"),
        (WebReply(200, {}, b"\xff\xfe"), VaultUnreadable, "not Vault's"),
        (WebReply(500, {}, b"[1,"), VaultError, "status 500"),
        (WebReply(400, {}, b'{"errors":[{"a":1},3]}'), VaultRefused, "finds the request wrong"),
        (lent(None, wrap_info=WRAPPED), VaultDenied, "wraps its answer"),
    ],
)
async def test_what_vault_answers_instead_is_said_in_our_words(
    vault: FakeVault, reply: WebReply, error: type[VaultError], words: str
) -> None:
    asking = client(vault)
    await read(asking)

    def instead(request: WebRequest) -> WebReply | None:
        return reply if request.url.endswith("secret/data/a") else None

    vault.instead = instead
    with pytest.raises(error, match=words) as failure:
        await read(asking)
    assert type(failure.value) is error
    assert "hvs." not in failure.value.message
    assert failure.value.retry_after == (7.0 if error is VaultBusy else None)


@pytest.mark.parametrize(
    "reply",
    [
        lent(None, auth={"lease_duration": 5}),
        lent(None, auth={"client_token": "a\nb", "lease_duration": 5}),
        lent(None, auth={"client_token": "a", "lease_duration": -1}),
        lent(None, auth={"client_token": "a", "lease_duration": "long"}),
        lent(None),
    ],
)
async def test_a_login_that_gives_no_usable_token_is_told(vault: FakeVault, reply: WebReply) -> None:
    vault.instead = lambda _: reply
    with pytest.raises(VaultUnreadable, match="login"):
        await read(client(vault))


@pytest.mark.parametrize(
    ("address", "more"),
    [
        ("vault.example", {}),
        ("http://vault.example:8200", {}),
        ("ftp://vault.example", {}),
        ("https://", {}),
        ("https://user:password@vault.example", {}),
        ("https://vault.example:99999", {}),
        ("https://vault.example?x=1", {}),
        ("https://vault.example", {"namespace": "a/../b"}),
        ("https://vault.example", {"namespace": "a\r\nx-vault-token: b"}),
    ],
)
def test_an_address_that_secrets_must_not_go_to_is_refused(address: str, more: dict[str, str]) -> None:
    with pytest.raises(InvalidVault, match="ENFILADE_VAULT_"):
        VaultPlace(address, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["http://127.0.0.1:8200", "http://localhost:8200", "https://vault.example/"])
def test_plain_http_is_for_loopback(address: str) -> None:
    assert VaultPlace(address).url("sys/health") == address.rstrip("/") + "/v1/sys/health"


async def test_the_token_is_kept_good_while_nobody_asks(vault: FakeVault) -> None:
    asking = client(vault)
    running = asyncio.create_task(asking.run())
    try:
        for _ in range(200):
            await asyncio.sleep(0)
            vault.clock.advance(30)
        await asyncio.sleep(0)
    finally:
        running.cancel()
    assert vault.paths().count("auth/approle/login") == 1
    assert vault.paths().count("auth/token/renew-self") >= 5


async def test_a_path_that_leads_elsewhere_is_not_asked(vault: FakeVault) -> None:
    for path in (
        "secret/../sys/raw",
        "secret//a",
        "/secret",
        "secret/a?list=true",
        "secret/%2e%2e/a",
        "",
        "a b",
        "a\nb",
    ):
        with pytest.raises(EnfiladeError):
            await client(vault).request("GET", path)
    assert vault.asked == []
