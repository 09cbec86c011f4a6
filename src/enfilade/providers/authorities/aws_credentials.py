"""Where AWS keys come from: given ones, a workload's own role, a container's endpoint, a role in another account.

Sources: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html.
"""

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlencode

import msgspec

from enfilade.core.clock import NANOSECONDS, Clock, to_ns
from enfilade.core.unreadable import UNREADABLE
from enfilade.providers.authorities.aws_sigv4 import AwsKeys, KeySource, Signature
from enfilade.providers.authorities.renewal import Loan, Renewed
from enfilade.providers.authorities.token_service import ask, refused
from enfilade.providers.authority import Headers, Signable
from enfilade.providers.credentials import Credential
from enfilade.providers.errors import CredentialMissing, CredentialsRefused, UnreadableResponse
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.types import Origin

SESSION_NAME = "enfilade"
FORM = ((b"content-type", b"application/x-www-form-urlencoded"), (b"accept", b"application/xml"))
STS_VERSION = "2011-06-15"

_FIELD = {
    name: re.compile(rf"<{name}>([^<]*)</{name}>")
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "Code")
}


class GivenKeys:
    """Keys that an administrator gave; see `KeySource`."""

    def __init__(self, key_id: Credential, secret: Credential, token: Credential | None) -> None:
        """Read them from where they are, each time, so that they can be rotated in place."""
        self._key_id, self._secret, self._token = key_id, secret, token

    async def keys(self) -> AwsKeys:
        """See `KeySource.keys`."""
        return AwsKeys(self._key_id.value(), self._secret.value(), self._token.value() if self._token else None)

    def refused(self) -> None:
        """See `KeySource.refused`: others cannot be had."""


class Lender(Protocol):
    """Whoever gives keys for a session."""

    async def lend(self) -> Loan[AwsKeys]:
        """New keys. Raises ProviderError."""
        ...


class LentKeys:
    """Keys for a session, fetched and renewed; see `KeySource`."""

    def __init__(self, lender: Lender, clock: Clock) -> None:
        """Ask `lender`."""
        self._lender = lender
        self._renewed = Renewed(lender.lend, clock, "AWS credentials")

    async def keys(self) -> AwsKeys:
        """See `KeySource.keys`."""
        return await self._renewed.get()

    def refused(self) -> None:
        """See `KeySource.refused`."""
        self._renewed.drop()


class TokenService:
    """AWS STS in one region."""

    def __init__(self, client: HttpClient, origin: Origin, clock: Clock) -> None:
        """Reach it at `origin`."""
        self._client = client
        self.origin = origin
        self.clock = clock

    async def ask(self, parameters: Mapping[str, str], proof: Headers = ()) -> Loan[AwsKeys]:
        """The keys in the answer. Raises ProviderError."""
        status, body = await ask(
            self._client, self.origin, "/", headers=(*FORM, *proof), body=form_of(parameters).encode()
        )
        text = body.decode("utf-8", "replace")
        if status != 200:
            code = _FIELD["Code"].search(text)
            raise refused("The AWS token service", code[1][:100] if code else f"status {status}")
        found = {name: html.unescape(match[1]) for name, form in _FIELD.items() if (match := form.search(text))}
        return loan_of_keys(found, "SessionToken", self.clock)


def form_of(parameters: Mapping[str, str]) -> str:
    """The parameters of a call of STS as a form."""
    return urlencode({"Version": STS_VERSION} | dict(parameters))


class WebIdentity:
    """A role for whoever shows a token of the workload's own (EKS' roles for service accounts, and others)."""

    def __init__(self, service: TokenService, role_arn: str, session_name: str, token: Credential) -> None:
        """The token's file is read again for each session, as it is replaced in place."""
        self._service = service
        self._token = token
        self._role_arn, self._session_name = role_arn, session_name

    async def lend(self) -> Loan[AwsKeys]:
        """Keys of the role."""
        return await self._service.ask(
            {
                "Action": "AssumeRoleWithWebIdentity",
                "RoleArn": self._role_arn,
                "RoleSessionName": self._session_name,
                "WebIdentityToken": self._token.value(),
            }
        )


class OtherRole:
    """A role, perhaps of another account, for whoever has keys that may take it."""

    def __init__(self, service: TokenService, source: KeySource, region: str, parameters: Mapping[str, str]) -> None:
        """Ask with keys from `source`; `parameters` hold RoleArn, RoleSessionName and perhaps ExternalId."""
        self._service = service
        self._source = source
        self._signature = Signature("sts", region)
        self._parameters = {"Action": "AssumeRole", **parameters}

    async def lend(self) -> Loan[AwsKeys]:
        """Keys of the role."""
        service = self._service
        request = Signable(
            b"POST", service.origin.host_header, service.origin.base_path + "/", (), form_of(self._parameters).encode()
        )
        proof = self._signature.headers(request, await self._source.keys(), service.clock.now_ns())
        try:
            return await service.ask(self._parameters, proof)
        except CredentialsRefused:
            self._source.refused()
            raise


class _ContainerReply(msgspec.Struct, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: str


class ContainerEndpoint:
    """The endpoint that ECS, and EKS with pod identities, give to each container."""

    def __init__(self, client: HttpClient, origin: Origin, path: str, token: Credential | None, clock: Clock) -> None:
        """Ask it with a token from a file, where it wants one."""
        self._client, self._origin, self._path = client, origin, path
        self._token = token
        self._clock = clock

    async def lend(self) -> Loan[AwsKeys]:
        """Keys of the container's role."""
        proof: Headers = ()
        if self._token is not None:
            token = self._token.value()
            if not (token.isascii() and token.isprintable()):
                raise CredentialMissing("The token for the container's credentials cannot stand in a header.")
            proof = ((b"authorization", token.encode()),)
        status, body = await ask(self._client, self._origin, self._path, headers=proof, method=b"GET")
        if status != 200:
            raise refused("The container's credentials endpoint", f"status {status}")
        try:
            reply = msgspec.json.decode(body, type=_ContainerReply)
        except UNREADABLE:
            raise unreadable_keys() from None
        found = {
            "AccessKeyId": reply.access_key_id,
            "SecretAccessKey": reply.secret_access_key,
            "Token": reply.token,
            "Expiration": reply.expiration,
        }
        return loan_of_keys(found, "Token", self._clock)


def loan_of_keys(found: Mapping[str, str], token: str, clock: Clock) -> Loan[AwsKeys]:
    """The keys in an answer, whose session's token is under the name `token`. Raises UnreadableResponse."""
    try:
        keys = AwsKeys(found["AccessKeyId"], found["SecretAccessKey"], found[token])
        ends = datetime.fromisoformat(found["Expiration"])
    except (KeyError, ValueError):
        raise unreadable_keys() from None
    if ends.tzinfo is None:
        ends = ends.replace(tzinfo=UTC)
    return Loan(keys, (to_ns(ends) - clock.now_ns()) / NANOSECONDS)


def unreadable_keys() -> UnreadableResponse:
    """What is raised for an answer without keys."""
    return UnreadableResponse("The service that gives AWS credentials answered something that cannot be read.")
