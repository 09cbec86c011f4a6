"""Secrets read from Vault: by each kind of engine, kept fresh beside the requests, kept while Vault is away."""

import asyncio
from itertools import count

import pytest
from structlog.testing import capture_logs

from enfilade.core.clock import ManualClock
from enfilade.core.fetching import WebReply, WebRequest
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.errors import InvalidVault, VaultError, VaultMissing
from enfilade.sealing.vault.logins import AppRoleLogin, GivenText
from enfilade.sealing.vault.secrets import Freshness, VaultSecret, VaultSecrets, read_once
from enfilade.sealing.vault.types import SecretPath, VaultPlace
from tests.support.vault import FakeVault, lent
from tests.support.waiting import eventually

FRESHNESS = Freshness(refresh_s=60, keep_s=7200)


class Kept:
    """Secrets of a fake Vault."""

    def __init__(self, version: int = 2) -> None:
        self.clock = ManualClock()
        self.vault = FakeVault(self.clock, version=version, secrets={"secret/openai": {"api_key": "sk-1", "n": 5}})
        place = VaultPlace("https://vault.example:8200")
        self.client = VaultClient(place, AppRoleLogin("role", GivenText("secret")), self.vault, self.clock)
        self.secrets = VaultSecrets(self.client, self.clock, FRESHNESS)

    async def first(self, path: str = "secret/openai") -> VaultSecret:
        found = self.secrets.watch(path)
        await self.secrets.refresh()
        return found

    async def after(self, seconds: float) -> None:
        """Let time pass as `run` would: by what is due."""
        end = self.clock.monotonic() + seconds
        while (now := self.clock.monotonic()) < end:
            due = min((s.due_at for s in self.secrets._secrets.values()), default=end)
            self.clock.advance(min(max(due - now, 0.5), end - now))
            await self.secrets.refresh()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.mark.parametrize("version", [1, 2])
async def test_a_key_value_secret_is_read_by_the_path_of_vault_kv_get(version: int) -> None:
    kept = Kept(version)
    secret = await kept.first()
    assert secret.field("api_key") == "sk-1"
    assert secret.field("n") == "5"
    assert secret.field("absent") is None
    assert kept.vault.paths("GET")[-1] == ("secret/data/openai" if version == 2 else "secret/openai")


async def test_the_path_of_the_api_is_understood_too(kept: Kept) -> None:
    assert (await kept.first("secret/data/openai")).field("api_key") == "sk-1"


async def test_where_the_mount_is_not_told_the_path_is_asked_as_it_is() -> None:
    kept = Kept(1)
    kept.vault.denied.add("sys/internal/ui/mounts/secret/openai")
    assert (await kept.first()).field("api_key") == "sk-1"


async def test_a_document_is_given_as_json(kept: Kept) -> None:
    kept.vault.secrets["secret/gcp"] = {"key": {"type": "service_account", "n": [1]}, "none": None, "blank": " "}
    secret = await kept.first("secret/gcp")
    assert secret.field("key") == '{"type":"service_account","n":[1]}'
    assert secret.field("none") is None
    assert secret.field("blank") is None


async def test_a_change_is_seen_within_the_time_between_two_readings(kept: Kept) -> None:
    secret = await kept.first()
    kept.vault.secrets["secret/openai"] = {"api_key": "sk-2"}
    await kept.after(59)
    assert (secret.field("api_key"), secret.generation) == ("sk-1", 1)
    await kept.after(2)
    assert (secret.field("api_key"), secret.generation) == ("sk-2", 2)


async def test_all_fields_of_a_path_come_from_one_answer(kept: Kept) -> None:
    numbers = count(1)

    def make() -> dict[str, str]:
        number = next(numbers)
        return {"access_key": f"id-{number}", "secret_key": f"secret-{number}"}

    kept.vault.dynamic["aws/creds/bedrock"] = make
    first, same = kept.secrets.watch("aws/creds/bedrock"), kept.secrets.watch("aws/creds/bedrock")
    await kept.secrets.refresh()
    assert first is same
    assert (first.field("access_key"), first.field("secret_key")) == ("id-1", "secret-1")
    assert kept.vault.paths().count("aws/creds/bedrock") == 1


async def test_a_lease_is_renewed_before_it_ends_and_the_secret_read_anew_when_it_is_too_old(kept: Kept) -> None:
    numbers = count(1)
    kept.vault.dynamic["aws/creds/bedrock"] = lambda: {"access_key": f"id-{next(numbers)}"}
    kept.vault.lease_oldest = 9000
    secret = await kept.first("aws/creds/bedrock")
    for _ in range(60):
        await kept.after(200)
        lease = list(kept.vault.leases.values())[-1]
        assert lease.ends_at > kept.clock.monotonic()
    assert kept.vault.paths().count("sys/leases/renew") >= 2
    assert kept.vault.paths().count("aws/creds/bedrock") == 2
    assert secret.field("access_key") == "id-2"


@pytest.mark.parametrize("denied", [False, True])
async def test_a_lease_that_was_revoked_or_may_not_be_renewed_is_replaced(kept: Kept, denied: bool) -> None:
    numbers = count(1)
    kept.vault.dynamic["aws/creds/bedrock"] = lambda: {"access_key": f"id-{next(numbers)}"}
    secret = await kept.first("aws/creds/bedrock")
    if denied:
        kept.vault.denied.add("sys/leases/renew")
    else:
        kept.vault.leases.clear()
    await kept.after(2500)
    assert secret.field("access_key") == "id-2"
    assert secret.fault is None


async def test_while_vault_is_away_the_last_value_is_kept_and_then_given_up(kept: Kept) -> None:
    secret = await kept.first()
    kept.vault.away = True
    with capture_logs() as lines:
        await kept.after(7000)
        assert secret.field("api_key") == "sk-1"
        assert kept.secrets.failing() == 1
        assert dict(kept.secrets.ages())["secret/openai",] == pytest.approx(7000, abs=70)
        await kept.after(400)
    assert secret.field("api_key") is None
    assert [line["event"] for line in lines if line["event"].startswith("vault_secret")] == [
        "vault_secret_not_read",
        "vault_secret_given_up",
    ]
    assert "sk-1" not in str(lines)
    kept.vault.away = False
    with capture_logs() as lines:
        await kept.after(61)
    assert secret.field("api_key") == "sk-1"
    assert kept.secrets.failing() == 0
    assert "vault_secret_back" in [line["event"] for line in lines]


async def test_vault_is_asked_less_and_less_often_while_it_is_away(kept: Kept) -> None:
    await kept.first()
    kept.vault.away = True
    before = len(kept.vault.asked)
    await kept.after(600)
    assert 5 <= len(kept.vault.asked) - before <= 20


@pytest.mark.parametrize("deleted", [False, True])
async def test_what_is_not_there_is_told(kept: Kept, deleted: bool) -> None:
    if deleted:
        kept.vault.secrets["secret/openai"] = None
    else:
        del kept.vault.secrets["secret/openai"]
    secret = await kept.first()
    assert secret.field("api_key") is None
    assert "secret/data/openai" in (secret.fault or "")
    kept.vault.secrets["secret/openai"] = {"api_key": "sk-late"}
    await kept.after(2)
    assert secret.field("api_key") == "sk-late"


@pytest.mark.parametrize(
    "body", [b'{"data":[]}', b'{"data":{"data":"text"}}', b'{"data":null}', b"{}", b"not json", b""]
)
async def test_an_answer_of_another_form_is_a_fault_and_changes_nothing(kept: Kept, body: bytes) -> None:
    secret = await kept.first()

    def instead(request: WebRequest) -> WebReply | None:
        return WebReply(200, {}, body) if "secret/data" in request.url else None

    kept.vault.instead = instead
    await kept.after(61)
    assert secret.field("api_key") == "sk-1"
    assert secret.fault is not None


async def test_a_mount_that_claims_another_path_is_not_believed(kept: Kept) -> None:
    def instead(request: WebRequest) -> WebReply | None:
        mounts = lent({"path": "sys/", "type": "kv", "options": {"version": "2"}})
        return mounts if "sys/internal" in request.url else None

    kept.vault.instead = instead
    await kept.first()
    assert all(path.startswith(("secret/", "sys/internal", "auth/")) for path in kept.vault.paths())


async def test_a_new_path_is_read_at_once_and_one_that_nobody_uses_is_forgotten(kept: Kept) -> None:
    running = asyncio.create_task(kept.secrets.run())
    try:
        secret = kept.secrets.watch("secret/openai")
        await eventually(secret.tried.is_set)
        kept.vault.secrets["secret/other"] = {"k": "v"}
        other = kept.secrets.watch("secret/other")
        await eventually(other.tried.is_set)
        assert other.field("k") == "v"
        kept.secrets.retain({"secret/other"})
        before = len(kept.vault.asked)
        for _ in range(100):
            await asyncio.sleep(0)
        kept.clock.advance(61)
        await eventually(lambda: len(kept.vault.asked) > before)
        assert set(kept.vault.paths("GET")[before:]) <= {"secret/data/other"}
    finally:
        running.cancel()


def test_without_a_vault_nothing_is_waited_for() -> None:
    secrets = VaultSecrets(None, ManualClock(), FRESHNESS)
    secret = secrets.watch("secret/openai")
    assert secret.tried.is_set()
    assert "ENFILADE_VAULT_ADDR" in (secret.fault or "")


async def test_a_command_reads_one_secret_once(kept: Kept) -> None:
    assert await read_once(kept.client, kept.clock, SecretPath.parse("secret/openai#api_key")) == "sk-1"
    with pytest.raises(VaultError, match="no field 'absent'"):
        await read_once(kept.client, kept.clock, SecretPath.parse("secret/openai#absent"))
    with pytest.raises(VaultMissing):
        await read_once(kept.client, kept.clock, SecretPath.parse("secret/absent#k"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret/openai",
        "#field",
        "secret/openai#",
        "secret/openai#a#b",
        "secret/openai#a/b",
        "secret/openai#a b",
        "secret#field",
        "/secret/openai#k",
        "secret/openai/#k",
        "secret//openai#k",
        "secret/./openai#k",
        "secret/../sys/raw/core#k",
        "secret/.../x#k",
        "secret/%2e%2e/sys#k",
        "secret/open ai#k",
        "secret/openai?version=1#k",
        "secret\\openai#k",
        "secret/openai\n#k",
        "secret/öffentlich#k",
        "sys/raw/core#k",
        "auth/token/lookup-self#id",
        "identity/oidc/token/x#token",
        "cubbyhole/x#k",
        "secret/" + "a" * 2000 + "#k",
    ],
)
def test_a_reference_that_could_lead_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(InvalidVault, match=r"PATH#FIELD|segments"):
        SecretPath.parse(text)
