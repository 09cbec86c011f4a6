"""AWS keys of the machine's own role: asked for with a session, in version 2 of its metadata service."""

import json
from typing import Any

import pytest

from enfilade.providers.authorities import aws
from enfilade.providers.authorities.aws_credentials import LentKeys
from enfilade.providers.authorities.aws_instance import ADDRESS, InstanceRole
from enfilade.providers.errors import (
    CredentialMissing,
    CredentialsRefused,
    InvalidProvider,
    ProviderError,
    ProviderFault,
    UnreadableResponse,
)
from enfilade.providers.transport.tls import default_tls
from enfilade.providers.transport.types import parse_origin
from enfilade.providers.types import ProviderSpec
from tests.support.outbound import Outbound
from tests.support.upstream import Seen, Wire, hang_up, open_upstream, reply

ROLES = "/latest/meta-data/iam/security-credentials/"
KEYS: dict[str, Any] = {
    "Code": "Success",
    "LastUpdated": "2026-11-02T11:00:00Z",
    "Type": "AWS-HMAC",
    "AccessKeyId": "ASIAMACHINE",
    "SecretAccessKey": "s",
    "Token": "t",
    "Expiration": "2026-11-02T18:00:00Z",
}


class Metadata:
    """The service, as its documentation says."""

    def __init__(self, role: str = "gateway", keys: Any = None) -> None:
        self.role = role
        self.keys = KEYS if keys is None else keys
        self.token = b"session-token=="
        self.token_status = 200

    async def step(self, seen: Seen, wire: Wire) -> None:
        if seen.path == "/latest/api/token":
            asked = seen.method == "PUT" and seen.header("x-aws-ec2-metadata-token-ttl-seconds") == "300"
            await reply(self.token, self.token_status if asked else 400, content_type="text/plain")(seen, wire)
        elif seen.header("x-aws-ec2-metadata-token") != self.token.decode():
            await reply(b"", 401)(seen, wire)
        elif seen.path == ROLES:
            await reply(self.role.encode(), 200 if self.role else 404, content_type="text/plain")(seen, wire)
        elif seen.path == ROLES + self.role:
            content = self.keys if isinstance(self.keys, bytes) else json.dumps(self.keys).encode()
            await reply(content, content_type="text/plain")(seen, wire)
        else:
            await reply(b"", 404)(seen, wire)


def lent(outbound: Outbound, url: str, role: str = "auto") -> LentKeys:
    origin = parse_origin(url.removesuffix("/v1"), tls=default_tls(), allow_private=True)
    return LentKeys(InstanceRole(outbound.client, origin, role, outbound.clock), outbound.clock)


@pytest.mark.parametrize(("role", "requests"), [("auto", 3), ("gateway", 2)])
async def test_a_machines_role_gives_keys_that_are_renewed(outbound: Outbound, role: str, requests: int) -> None:
    service = Metadata()
    async with open_upstream(service.step) as upstream:
        source = lent(outbound, upstream.url, role)
        keys = await source.keys()
        assert (keys.access_key_id, keys.secret_access_key, keys.session_token) == ("ASIAMACHINE", "s", "t")
        await source.keys()
        assert len(upstream.seen) == requests
        service.keys = KEYS | {"AccessKeyId": "ASIANEXT", "Expiration": "2026-11-03T06:00:00Z"}
        outbound.pass_time(6 * 3600)
        assert (await source.keys()).access_key_id == "ASIANEXT"


@pytest.mark.parametrize(
    ("changes", "role", "error", "words"),
    [
        ({"role": ""}, "auto", CredentialMissing, "aws_instance_role"),
        ({}, "another", CredentialMissing, "aws_instance_role"),
        ({"token_status": 403}, "auto", CredentialsRefused, "status 403"),
        ({"token": b"a b"}, "auto", CredentialsRefused, "status 200"),
        ({"role": "a/../b"}, "auto", UnreadableResponse, "no role"),
        ({"keys": b"<html>"}, "auto", UnreadableResponse, "cannot be read"),
        ({"keys": KEYS | {"Expiration": "soon"}}, "auto", UnreadableResponse, "cannot be read"),
        ({"keys": {"Code": "AssumeRoleUnauthorizedAccess"}}, "auto", CredentialsRefused, "AssumeRoleUnauthorized"),
        ({"keys": {"Code": "<secret text>"}}, "auto", CredentialsRefused, "did not give"),
    ],
)
async def test_a_machine_without_keys_to_give(
    outbound: Outbound, changes: dict[str, Any], role: str, error: type[ProviderError], words: str
) -> None:
    service = Metadata()
    for name, value in changes.items():
        setattr(service, name, value)
    async with open_upstream(service.step) as upstream:
        with pytest.raises(error, match=words) as failure:
            await lent(outbound, upstream.url, role).keys()
        assert "secret text" not in failure.value.message


async def test_a_service_that_cannot_be_reached_is_told_with_what_helps_in_a_container(outbound: Outbound) -> None:
    async with open_upstream(hang_up) as upstream:
        with pytest.raises(ProviderFault, match="hop-limit"):
            await lent(outbound, upstream.url).keys()


@pytest.mark.parametrize("role", ["", "a/b", "../x", "a b", "x" * 65])
def test_a_role_is_a_name(role: str) -> None:
    spec = ProviderSpec(name="aws", kind="bedrock", options={"aws_instance_role": role})
    with pytest.raises(InvalidProvider, match="auto"):
        aws.check(spec)


def test_a_role_is_the_only_source() -> None:
    aws.check(ProviderSpec(name="aws", kind="bedrock", options={"aws_instance_role": "auto"}))
    both = {"aws_instance_role": "auto", "aws_container_credentials": "http://169.254.170.2/c"}
    with pytest.raises(InvalidProvider, match="only one"):
        aws.check(ProviderSpec(name="aws", kind="bedrock", options=both))
    assert ADDRESS == "http://169.254.169.254"
