"""Who we are to Azure: a resource's key, or tokens of Entra ID."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from enfilade.providers.authorities import entra
from enfilade.providers.errors import (
    CredentialMissing,
    CredentialsRefused,
    InvalidProvider,
    ProviderError,
    ProviderFault,
    ProviderRateLimited,
)
from enfilade.providers.registry import Adapters
from enfilade.providers.types import ProviderSpec, SecretReference
from tests.support.outbound import Outbound
from tests.support.token_needs import needs_of, shown
from tests.support.upstream import Seen, Upstream, open_upstream, reply

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
SECRET = "s~cret/with+signs&more="
SCOPE = "https://cognitiveservices.azure.com/.default"


def token(name: str = "eyJ.first", seconds: int | str = 3599) -> Any:
    return reply({"token_type": "Bearer", "expires_in": seconds, "access_token": name})


def form(seen: Seen) -> dict[str, str]:
    assert seen.header("content-type") == "application/x-www-form-urlencoded"
    return {name: values[0] for name, values in parse_qs(seen.body.decode(), strict_parsing=True).items()}


def client_of(outbound: Outbound, upstream: Upstream, **options: Any) -> Any:
    options = {
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "client_secret": "(a reference)",
        "login_url": f"http://127.0.0.1:{upstream.port}/",
    } | options
    return entra.authority(needs_of(outbound, "azure_openai", secrets={"client_secret": SECRET}, **options))


async def test_a_key_is_shown_in_azures_own_header(outbound: Outbound) -> None:
    authority = entra.authority(needs_of(outbound, "azure_openai", "0123456789abcdef"))
    assert await shown(authority) == {"api-key": "0123456789abcdef"}
    authority.refused()
    assert await shown(authority) == {"api-key": "0123456789abcdef"}


async def test_a_client_shows_its_secret_for_a_token(outbound: Outbound) -> None:
    async with open_upstream(token("t1"), token("t2")) as upstream:
        authority = client_of(outbound, upstream)
        for _ in range(2):
            assert await shown(authority) == {"authorization": "Bearer t1"}
        seen = await upstream.was_asked()
        assert (seen.method, seen.path) == ("POST", f"/{TENANT}/oauth2/v2.0/token")
        assert form(seen) == {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": SCOPE,
        }
        outbound.pass_time(3500)
        assert await shown(authority) == {"authorization": "Bearer t2"}
        outbound.pass_time(60)
        authority.refused()
        await shown(authority)
        assert len(upstream.seen) == 3


async def test_a_pod_shows_its_own_token(outbound: Outbound, tmp_path: Path) -> None:
    path = tmp_path / "azure-identity-token"
    async with open_upstream(token("t1"), token("t2")) as upstream:
        needs = needs_of(
            outbound,
            "azure_openai",
            directory=tmp_path,
            tenant_id=TENANT,
            client_id=CLIENT,
            federated_token_file=str(path),
            login_url=f"http://127.0.0.1:{upstream.port}",
        )
        authority = entra.authority(needs)
        with pytest.raises(CredentialMissing, match="federated_token_file") as failure:
            await shown(authority)
        assert str(tmp_path) not in failure.value.message
        path.write_text("projected-1\n")
        outbound.pass_time(16)
        assert await shown(authority) == {"authorization": "Bearer t1"}
        assert form(upstream.seen[0]) == {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "projected-1",
            "scope": SCOPE,
        }
        path.write_text("projected-2")
        outbound.pass_time(3595)
        await shown(authority)
        assert form(upstream.seen[1])["client_assertion"] == "projected-2"


@pytest.mark.parametrize("client", [None, CLIENT])
async def test_a_machines_identity_is_asked_for_beside_it(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch, client: str | None
) -> None:
    async with open_upstream(token("t1", "86399")) as upstream:
        monkeypatch.setattr(entra, "IMDS_ADDRESS", f"http://127.0.0.1:{upstream.port}")
        options: dict[str, Any] = {"credentials": "managed_identity"} | ({"client_id": client} if client else {})
        authority = entra.authority(needs_of(outbound, "azure_openai", inside=False, **options))
        assert await shown(authority) == {"authorization": "Bearer t1"}
        seen = await upstream.was_asked()
        asked = urlsplit(seen.path)
        assert (seen.method, asked.path, seen.header("metadata")) == ("GET", "/metadata/identity/oauth2/token", "true")
        expected = {"api-version": ["2018-02-01"], "resource": ["https://cognitiveservices.azure.com"]}
        assert parse_qs(asked.query) == expected | ({"client_id": [client]} if client else {})
        outbound.pass_time(86_000)
        assert await shown(authority) == {"authorization": "Bearer t1"}
        assert len(upstream.seen) == 1


@pytest.mark.parametrize("client", [None, CLIENT])
async def test_an_application_asks_where_its_platform_says(outbound: Outbound, client: str | None) -> None:
    now = outbound.clock.now_ns() // 10**9
    replies = [reply({"access_token": name, "expires_on": str(now + 3600), "token_type": "Bearer"}) for name in "ab"]
    async with open_upstream(*replies) as upstream:
        environment = {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{upstream.port}/msi/token",
            "IDENTITY_HEADER": "853b9a84",
        }
        options: dict[str, Any] = {"credentials": "managed_identity"} | ({"client_id": client} if client else {})
        needs = needs_of(outbound, "azure_openai", inside=False, environment=environment, **options)
        authority = entra.authority(needs)
        assert await shown(authority) == {"authorization": "Bearer a"}
        seen = await upstream.was_asked()
        asked = urlsplit(seen.path)
        assert (seen.method, asked.path, seen.header("x-identity-header")) == ("GET", "/msi/token", "853b9a84")
        assert seen.header("metadata") is None
        expected = {"api-version": ["2019-08-01"], "resource": ["https://cognitiveservices.azure.com"]}
        assert parse_qs(asked.query) == expected | ({"client_id": [client]} if client else {})
        outbound.pass_time(1800)
        assert await shown(authority) == {"authorization": "Bearer a"}
        # The platform restarted what stands beside us: it gives another header.
        environment["IDENTITY_HEADER"] = "another"
        outbound.pass_time(1790)
        assert await shown(authority) == {"authorization": "Bearer b"}
        assert upstream.seen[1].header("x-identity-header") == "another"


@pytest.mark.parametrize("header", ["", "line\nbreak", "é"])
async def test_a_platform_that_gives_no_usable_header_leads_nowhere_else(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    async with open_upstream(token("t1")) as upstream:
        monkeypatch.setattr(entra, "IMDS_ADDRESS", f"http://127.0.0.1:{upstream.port}")
        environment = {"IDENTITY_ENDPOINT": "http://127.0.0.1:1/msi/token", "IDENTITY_HEADER": header}
        needs = needs_of(outbound, "azure_openai", environment=environment, credentials="managed_identity")
        if header:
            with pytest.raises(CredentialMissing, match="IDENTITY_HEADER"):
                await shown(entra.authority(needs))
        else:  # Half of the pair is none: machines have the service beside them.
            assert await shown(entra.authority(needs)) == {"authorization": "Bearer t1"}


@pytest.mark.parametrize("endpoint", ["nowhere", "ftp://127.0.0.1/x", "http://[/msi", "http://user:pw@127.0.0.1/x"])
async def test_an_end_point_that_is_none_is_told_without_its_content(outbound: Outbound, endpoint: str) -> None:
    environment = {"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": "853b9a84"}
    needs = needs_of(outbound, "azure_openai", environment=environment, credentials="managed_identity")
    with pytest.raises(CredentialMissing, match="IDENTITY_ENDPOINT") as failure:
        await shown(entra.authority(needs))
    assert "pw" not in failure.value.message


async def test_a_machine_without_an_identity_is_told(outbound: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"error": "invalid_request", "error_description": "Identity not found"}
    async with open_upstream(reply(said, 400)) as upstream:
        monkeypatch.setattr(entra, "IMDS_ADDRESS", f"http://127.0.0.1:{upstream.port}")
        with pytest.raises(CredentialMissing, match="client_id"):
            await shown(entra.authority(needs_of(outbound, "azure_openai", credentials="managed_identity")))


async def test_a_refusal_says_its_codes_and_no_secret(outbound: Outbound) -> None:
    said = {
        "error": "invalid_client",
        "error_description": f"AADSTS7000215: Invalid client secret provided: {SECRET}",
        "error_codes": [7000215],
    }
    async with open_upstream(reply(said, 401)) as upstream:
        with pytest.raises(CredentialsRefused, match=r"invalid_client, AADSTS7000215") as failure:
            await shown(client_of(outbound, upstream))
    assert SECRET not in failure.value.message
    assert TENANT not in failure.value.message


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, ProviderRateLimited), (500, ProviderFault), (400, CredentialsRefused), (302, CredentialsRefused)],
)
async def test_trouble_of_the_token_service_costs_nothing(
    outbound: Outbound, status: int, error: type[ProviderError]
) -> None:
    async with open_upstream(reply(b"<html>", status, {"location": "http://127.0.0.1:1/"})) as upstream:
        with pytest.raises(error) as failure:
            await shown(client_of(outbound, upstream))
        assert len(upstream.seen) == 1
    assert not failure.value.may_have_cost


@pytest.mark.parametrize(
    ("login", "scope"),
    [
        ("https://login.microsoftonline.us", "https://cognitiveservices.azure.us/.default"),
        ("https://login.partner.microsoftonline.cn/", "https://cognitiveservices.azure.cn/.default"),
        ("https://login.example", SCOPE),
    ],
)
def test_each_cloud_has_its_own_scope(login: str, scope: str) -> None:
    assert entra._scope(ProviderSpec("up", "azure_openai", options={"login_url": login})) == scope


async def test_another_scope_may_be_asked_for(outbound: Outbound) -> None:
    async with open_upstream(token()) as upstream:
        await shown(client_of(outbound, upstream, scope="https://ai.azure.com/.default"))
        assert form(upstream.seen[0])["scope"] == "https://ai.azure.com/.default"


CLIENT_OPTIONS: dict[str, Any] = {"tenant_id": TENANT, "client_id": CLIENT, "federated_token_file": "/run/token"}


@pytest.mark.parametrize(
    ("key", "options", "param"),
    [
        (None, {}, "api_key"),
        ("k", CLIENT_OPTIONS, "api_key"),
        ("k", {"credentials": "managed_identity"}, "api_key"),
        (None, CLIENT_OPTIONS | {"credentials": "managed_identity"}, "api_key"),
        (None, {"credentials": "default"}, "options.credentials"),
        (None, {"client_id": CLIENT, "federated_token_file": "x"}, "options.tenant_id"),
        (None, {"tenant_id": TENANT, "federated_token_file": "x"}, "options.client_id"),
        (None, CLIENT_OPTIONS | {"tenant_id": "../common"}, "options.tenant_id"),
        (None, CLIENT_OPTIONS | {"tenant_id": "a/b"}, "options.tenant_id"),
        (None, CLIENT_OPTIONS | {"client_id": "a b"}, "options.client_id"),
        (None, CLIENT_OPTIONS | {"login_url": "https://login.attacker.example"}, "options.login_url"),
        (None, CLIENT_OPTIONS | {"login_url": "http://login.microsoftonline.com"}, "options.login_url"),
    ],
)
def test_a_specification_says_in_one_way_who_asks(key: str | None, options: dict[str, Any], param: str) -> None:
    reference = None if key is None else SecretReference(env="UP_API_KEY")
    with pytest.raises(InvalidProvider) as refusal:
        Adapters().check(ProviderSpec("up", "azure_openai", "https://r.openai.azure.com", reference, options=options))
    assert refusal.value.param == param


@pytest.mark.parametrize(
    "options",
    [CLIENT_OPTIONS, {"credentials": "managed_identity"}, {"credentials": "managed_identity", "client_id": CLIENT}],
)
def test_tokens_need_no_key(options: dict[str, Any]) -> None:
    Adapters().check(ProviderSpec("up", "azure_openai", "https://r.openai.azure.com", options=options))
