"""Where AWS keys come from: what is asked, what is understood, what is refused."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from enfilade.core.clock import to_datetime
from enfilade.providers.authorities.aws import CONTAINER_ENDPOINTS, OPTIONS, authority_for, check, container_endpoint
from enfilade.providers.authorities.aws_credentials import ContainerEndpoint, LentKeys
from enfilade.providers.authority import Authority, AuthorityNeeds, Signable
from enfilade.providers.credentials import Credential, SecretSources
from enfilade.providers.errors import (
    CredentialMissing,
    CredentialsRefused,
    InvalidProvider,
    ProviderError,
    ProviderFault,
    ProviderOverloaded,
    ProviderRateLimited,
    UnreadableResponse,
)
from enfilade.providers.transport.tls import default_tls
from enfilade.providers.transport.types import parse_origin
from enfilade.providers.types import ProviderSpec, SecretReference
from tests.support.outbound import Outbound
from tests.support.upstream import Upstream, hang_up, open_upstream, reply

SECRETS = {
    "aws_access_key_id": "AKIDGIVEN",
    "aws_secret_access_key": "given-secret",
    "aws_session_token": "given-token",
    "aws_web_identity_token": "eyJ.workload.token",
    "aws_container_authorization_token": "container-token",
}
GIVEN = {"aws_access_key_id": {"env": "A"}, "aws_secret_access_key": {"env": "B"}}
IDENTITY = {"aws_role_arn": "arn:aws:iam::1:role/x", "aws_web_identity_token": {"file": "/t"}}
REQUEST = Signable(b"POST", b"bedrock-runtime.us-east-1.amazonaws.com", "/model/m/converse", (), b"{}")


def answer(outbound: Outbound, action: str, key: str = "ASIALENT", hours: float = 1) -> bytes:
    """STS's reply to a call that succeeds."""
    ends = to_datetime(outbound.clock.now_ns()) + timedelta(hours=hours)
    return f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
      <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/x/enfilade</Arn></AssumedRoleUser>
      <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>lent/secret+&amp;</SecretAccessKey>
        <SessionToken>lent//token==</SessionToken><Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>
      </{action}Result></{action}Response>""".encode()


def needs(outbound: Outbound, options: Mapping[str, Any], key: str | None = None, **spec: Any) -> AuthorityNeeds:
    """What an authority is made of, with every secret that the options name."""
    reference = SecretReference(env="X_API_KEY") if key is not None else None
    sources = SecretSources({"X_API_KEY": key or ""}, ["*_API_KEY"], ())
    provider = ProviderSpec(
        name="aws", kind="bedrock", api_key=reference, options=dict(options), allow_private_network=True, **spec
    )
    sealed = SecretReference(sealed="s")
    secrets = {name: Credential(sealed, sources, outbound.clock, SECRETS[name]) for name in options if name in SECRETS}
    credential = Credential(reference, sources, outbound.clock)
    return AuthorityNeeds(provider, credential, outbound.client, outbound.clock, secrets)


def authority(outbound: Outbound, options: Mapping[str, Any], key: str | None = None) -> Authority:
    return authority_for("bedrock", "us-east-1", needs(outbound, options, key))


async def proof(made: Authority) -> dict[bytes, bytes]:
    return dict(await made.headers(REQUEST))


def form(upstream: Upstream, at: int = -1) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(upstream.seen[at].body.decode()).items()}


async def test_given_keys_sign(outbound: Outbound) -> None:
    signed = await proof(authority(outbound, GIVEN))
    assert signed[b"authorization"].startswith(b"AWS4-HMAC-SHA256 Credential=AKIDGIVEN/20261102/us-east-1/bedrock/")
    assert b"x-amz-security-token" not in signed


async def test_a_given_session_token_is_signed_and_sent(outbound: Outbound) -> None:
    signed = await proof(authority(outbound, GIVEN | {"aws_session_token": {"env": "C"}}))
    assert signed[b"x-amz-security-token"] == b"given-token"


async def test_an_api_key_is_a_bearer_token(outbound: Outbound) -> None:
    made = authority(outbound, {}, key="ABSK-key")
    assert await proof(made) == {b"authorization": b"Bearer ABSK-key"}
    made.refused()
    assert await proof(made) == {b"authorization": b"Bearer ABSK-key"}


async def test_a_workloads_token_is_exchanged_for_keys_of_its_role(outbound: Outbound) -> None:
    async with open_upstream(reply(answer(outbound, "AssumeRoleWithWebIdentity"), content_type="text/xml")) as sts:
        made = authority(outbound, IDENTITY | {"aws_sts_url": sts.url, "aws_role_session_name": "gateway"})
        signed = await proof(made)
        assert b"Credential=ASIALENT/" in signed[b"authorization"]
        assert signed[b"x-amz-security-token"] == b"lent//token=="
        assert form(sts) == {
            "Version": "2011-06-15",
            "Action": "AssumeRoleWithWebIdentity",
            "RoleArn": "arn:aws:iam::1:role/x",
            "RoleSessionName": "gateway",
            "WebIdentityToken": "eyJ.workload.token",
        }
        assert sts.seen[0].header("authorization") is None
        await proof(made)
        assert len(sts.seen) == 1


async def test_keys_are_renewed_before_they_end_and_when_they_are_refused(outbound: Outbound) -> None:
    action = "AssumeRoleWithWebIdentity"
    async with open_upstream(*(reply(answer(outbound, action, key, 48)) for key in ("ONE", "TWO", "THREE"))) as sts:
        made = authority(outbound, IDENTITY | {"aws_sts_url": sts.url})
        assert b"=ONE/" in (await proof(made))[b"authorization"]
        outbound.pass_time(48 * 3600 - 200)
        assert b"=TWO/" in (await proof(made))[b"authorization"]
        outbound.pass_time(60)
        made.refused()
        assert b"=THREE/" in (await proof(made))[b"authorization"]


async def test_a_role_of_another_account_is_taken_with_the_keys(outbound: Outbound) -> None:
    async with open_upstream(reply(answer(outbound, "AssumeRole"))) as sts:
        options = GIVEN | {
            "aws_assume_role_arn": "arn:aws:iam::2:role/far",
            "aws_external_id": "ext",
            "aws_sts_url": sts.url,
        }
        signed = await proof(authority(outbound, options))
        assert b"Credential=ASIALENT/" in signed[b"authorization"]
        asked = sts.seen[0]
        assert form(sts) == {
            "Version": "2011-06-15",
            "Action": "AssumeRole",
            "RoleArn": "arn:aws:iam::2:role/far",
            "RoleSessionName": "enfilade",
            "ExternalId": "ext",
        }
        assert "Credential=AKIDGIVEN/20261102/us-east-1/sts/aws4_request" in (asked.header("authorization") or "")


async def test_a_role_is_taken_by_a_role(outbound: Outbound) -> None:
    """A workload's own role first, then the other account's with its keys."""
    steps = reply(answer(outbound, "AssumeRoleWithWebIdentity", "FIRST")), reply(answer(outbound, "AssumeRole", "FAR"))
    async with open_upstream(*steps) as sts:
        options = IDENTITY | {"aws_assume_role_arn": "arn:aws:iam::2:role/far", "aws_sts_url": sts.url}
        assert b"Credential=FAR/" in (await proof(authority(outbound, options)))[b"authorization"]
        assert "Credential=FIRST/" in (sts.seen[1].header("authorization") or "")
        assert sts.seen[1].header("x-amz-security-token") == "lent//token=="


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (403, b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>", CredentialsRefused, "Access"),
        (
            400,
            b"<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>",
            CredentialsRefused,
            "Exp",
        ),
        (400, b"nothing", CredentialsRefused, "status 400"),
        (302, b"", CredentialsRefused, "status 302"),
        (429, b"", ProviderRateLimited, "limits"),
        (503, b"", ProviderOverloaded, "cannot serve"),
        (500, b"", ProviderFault, "failed"),
        (200, b"<html>Welcome</html>", UnreadableResponse, "cannot be read"),
        (200, b"\xff\xfe", UnreadableResponse, "cannot be read"),
        (200, b"<AccessKeyId>a</AccessKeyId>", UnreadableResponse, "cannot be read"),
        (
            200,
            (
                b"<AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken>"
                b"<Expiration>soon</Expiration>"
            ),
            UnreadableResponse,
            "cannot be read",
        ),
        (200, b"x" * 300_000, ProviderFault, "as it should"),
    ],
)
async def test_a_token_service_that_refuses_or_fails(
    outbound: Outbound, status: int, body: bytes, error: type[ProviderError], said: str
) -> None:
    """The token is in none of the messages."""
    async with open_upstream(reply(body, status)) as sts:
        with pytest.raises(error, match=said) as caught:
            await proof(authority(outbound, IDENTITY | {"aws_sts_url": sts.url}))
        assert "eyJ" not in caught.value.message


async def test_a_token_service_that_cannot_be_reached(outbound: Outbound) -> None:
    async with open_upstream(hang_up) as sts:
        made = authority(outbound, IDENTITY | {"aws_sts_url": sts.url})
        with pytest.raises(ProviderError):
            await proof(made)
        with pytest.raises(ProviderError):
            await proof(made)
        assert len(sts.seen) == 1
    outbound.pass_time(2)
    with pytest.raises(ProviderFault):
        await proof(made)


def container(outbound: Outbound, url: str, token: bool = True) -> LentKeys:
    """The endpoint at an address where a test can serve it."""
    asked = needs(outbound, {"aws_container_authorization_token": {"file": "/t"}})
    origin = parse_origin(url, tls=default_tls(), allow_private=True)
    shown = asked.secrets["aws_container_authorization_token"] if token else None
    return LentKeys(
        ContainerEndpoint(outbound.client, origin, "/credentials?x=1", shown, outbound.clock), outbound.clock
    )


async def test_a_containers_endpoint_gives_keys(outbound: Outbound) -> None:
    body = {
        "AccessKeyId": "ASIACONTAINER",
        "SecretAccessKey": "s",
        "Token": "t",
        "Expiration": "2026-11-02T18:00:00Z",
        "RoleArn": "arn",
    }
    async with open_upstream(reply(body)) as endpoint:
        source = container(outbound, endpoint.url)
        keys = await source.keys()
        assert (keys.access_key_id, keys.secret_access_key, keys.session_token) == ("ASIACONTAINER", "s", "t")
        assert endpoint.seen[0].method == "GET"
        assert endpoint.seen[0].path == "/v1/credentials?x=1"
        assert endpoint.seen[0].header("authorization") == "container-token"
        await container(outbound, endpoint.url, token=False).keys()
        assert endpoint.seen[1].header("authorization") is None


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b"", CredentialsRefused),
        (200, b"[]", UnreadableResponse),
        (200, b"<html>", UnreadableResponse),
        (200, b'{"AccessKeyId":1}', UnreadableResponse),
        (200, b'{"AccessKeyId":"a","SecretAccessKey":"b","Token":"c","Expiration":""}', UnreadableResponse),
    ],
)
async def test_a_containers_endpoint_that_gives_none(
    outbound: Outbound, status: int, body: bytes, error: type[ProviderError]
) -> None:
    async with open_upstream(reply(body, status)) as endpoint:
        with pytest.raises(error):
            await container(outbound, endpoint.url).keys()


async def test_a_containers_token_must_fit_in_a_header(outbound: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SECRETS, "aws_container_authorization_token", "a\r\nb: c")
    async with open_upstream(reply({})) as endpoint:
        with pytest.raises(CredentialMissing):
            await container(outbound, endpoint.url).keys()
        assert not endpoint.seen


@pytest.mark.parametrize("base", CONTAINER_ENDPOINTS)
def test_the_endpoints_of_containers_may_be_asked(base: str) -> None:
    origin, path = container_endpoint(base + "v2/credentials/7f3a?x=1")
    assert origin.host in base
    assert path == "/v2/credentials/7f3a?x=1"


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "http://169.254.170.2",
        "http://169.254.170.2.example.com/",
        "http://169.254.170.2:8080/",
        "http://169.254.170.2@example.com/",
        "https://169.254.170.2/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.170.2/x y",
        "http://169.254.170.2/#x",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_other_address_is_asked_for_a_containers_credentials(address: str) -> None:
    with pytest.raises(InvalidProvider, match="only") as caught:
        container_endpoint(address)
    assert caught.value.param == "options.aws_container_credentials"


@pytest.mark.parametrize(
    ("options", "key", "param"),
    [
        ({}, None, "options"),
        (GIVEN, "key", "options"),
        (GIVEN | IDENTITY, None, "options"),
        (GIVEN | {"aws_container_credentials": "http://169.254.170.2/c"}, None, "options"),
        ({"aws_access_key_id": {"env": "A"}}, None, "options.aws_secret_access_key"),
        ({"aws_secret_access_key": {"env": "A"}}, None, "options.aws_access_key_id"),
        ({"aws_role_arn": "arn"}, None, "options.aws_web_identity_token"),
        ({"aws_web_identity_token": {"file": "/t"}}, None, "options.aws_role_arn"),
        ({"aws_session_token": {"env": "A"}}, "key", "options.aws_session_token"),
        (IDENTITY | {"aws_container_authorization_token": {}}, None, "options.aws_container_authorization_token"),
        (GIVEN | {"aws_external_id": "e"}, None, "options.aws_external_id"),
        ({"aws_assume_role_arn": "arn"}, "key", "options.aws_assume_role_arn"),
        ({"aws_container_credentials": "http://127.0.0.1/"}, None, "options.aws_container_credentials"),
    ],
)
def test_options_from_which_no_authority_can_be_made_are_refused(
    outbound: Outbound, options: dict[str, Any], key: str | None, param: str
) -> None:
    asked = needs(outbound, options, key)
    with pytest.raises(InvalidProvider) as caught:
        check(asked.spec)
    assert caught.value.param == param
    with pytest.raises(InvalidProvider):
        authority_for("bedrock", "us-east-1", asked)


def test_the_token_service_is_asked_over_https_outside_ones_own_network(outbound: Outbound) -> None:
    asked = needs(outbound, IDENTITY | {"aws_sts_url": "http://sts.example.com"})
    spec = ProviderSpec(name="aws", kind="bedrock", options=asked.spec.options)
    with pytest.raises(InvalidProvider, match="https") as caught:
        check(spec)
    assert caught.value.param == "options.aws_sts_url"


def test_every_option_is_known() -> None:
    assert set(SECRETS) < OPTIONS
