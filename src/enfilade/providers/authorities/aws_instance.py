"""AWS keys of the role that an EC2 machine has: by its metadata service, in version 2 only.

Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html. Version 1 answers whoever
can make this machine send a GET; it is not used.
"""

import re

import msgspec

from enfilade.core.clock import Clock
from enfilade.core.unreadable import UNREADABLE
from enfilade.providers.authorities.aws_credentials import loan_of_keys, unreadable_keys
from enfilade.providers.authorities.aws_sigv4 import AwsKeys
from enfilade.providers.authorities.renewal import Loan
from enfilade.providers.authorities.token_service import ask, refused
from enfilade.providers.authority import Headers
from enfilade.providers.errors import CredentialMissing, ProviderFault, UnreadableResponse
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.types import Origin

ADDRESS = "http://169.254.169.254"
TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
ROLES_PATH = "/latest/meta-data/iam/security-credentials/"
TOKEN_LIFE = ((b"x-aws-ec2-metadata-token-ttl-seconds", b"300"),)
WHO = "The machine's metadata service"
ANY_ROLE = "auto"

_ROLE = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_TOKEN = re.compile(rb"[!-~]{1,500}")


class _Reply(msgspec.Struct, rename="pascal"):
    code: str
    access_key_id: str = ""
    secret_access_key: str = ""
    token: str = ""
    expiration: str = ""


def is_role(text: str) -> bool:
    """Whether this can be the name of a role, or asks for the machine's own."""
    return _ROLE.fullmatch(text) is not None


class InstanceRole:
    """Lends keys of the machine's role."""

    def __init__(self, client: HttpClient, origin: Origin, role: str, clock: Clock) -> None:
        """Ask for `role`, or for the one that there is."""
        self._client, self._origin = client, origin
        self._role = role
        self._clock = clock

    async def lend(self) -> Loan[AwsKeys]:
        """Keys of the role. Raises ProviderError."""
        session = await self._session()
        role = await self._found_role(session) if self._role == ANY_ROLE else self._role
        body = await self._get(ROLES_PATH + role, session)
        try:
            reply = msgspec.json.decode(body, type=_Reply)
        except UNREADABLE:
            raise unreadable_keys() from None
        if reply.code != "Success":
            raise refused(WHO, reply.code[:100] if _ROLE.fullmatch(reply.code) else None)
        found = {
            "AccessKeyId": reply.access_key_id,
            "SecretAccessKey": reply.secret_access_key,
            "Token": reply.token,
            "Expiration": reply.expiration,
        }
        return loan_of_keys(found, "Token", self._clock)

    async def _session(self) -> Headers:
        try:
            status, body = await ask(self._client, self._origin, TOKEN_PATH, method=b"PUT", headers=TOKEN_LIFE)
        except ProviderFault:
            message = (
                "The machine's metadata service cannot be reached. In a container it needs a hop limit of 2: "
                "`aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2`."
            )
            raise ProviderFault(message) from None
        if status != 200 or not _TOKEN.fullmatch(body.strip()):
            raise refused(WHO, f"status {status}")
        return ((b"x-aws-ec2-metadata-token", body.strip()),)

    async def _found_role(self, session: Headers) -> str:
        text = (await self._get(ROLES_PATH, session)).decode("ascii", "replace").strip().partition("\n")[0]
        if not _ROLE.fullmatch(text):
            message = "The machine's metadata service named no role."
            raise UnreadableResponse(message)
        return text

    async def _get(self, path: str, session: Headers) -> bytes:
        status, body = await ask(self._client, self._origin, path, method=b"GET", headers=session)
        if status == 404:
            message = "The machine on which Enfilade runs has no such role; see the option `aws_instance_role`."
            raise CredentialMissing(message)
        if status != 200:
            raise refused(WHO, f"status {status}")
        return body
