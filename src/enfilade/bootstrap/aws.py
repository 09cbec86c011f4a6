"""Who Enfilade is to AWS for its own needs: as the environment says, in the variables that AWS's tools read."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from enfilade.core.clock import Clock
from enfilade.providers.authorities.aws import authority_for
from enfilade.providers.authority import Authority, AuthorityNeeds, Signable
from enfilade.providers.credentials import Credential, SecretSources
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.types import ProviderSpec, SecretReference

KEY, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
ROLE, WEB_TOKEN = "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"
CONTAINER, CONTAINER_TOKEN = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
CONTAINER_PATH = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"


class AwsSigner:
    """Signs requests; see `enfilade.sealing.master_key.Signer`."""

    def __init__(self, authority: Authority) -> None:
        """Prove who asks with `authority`."""
        self._authority = authority

    async def headers(self, method: str, url: str, body: bytes) -> tuple[tuple[str, str], ...]:
        """See `Signer.headers`."""
        parts = urlsplit(url)
        request = Signable(method.encode(), parts.netloc.encode(), parts.path or "/", (), body)
        proof = await self._authority.headers(request)
        return tuple((name.decode(), value.decode()) for name, value in proof)


class AwsSigners:
    """Makes signers for services and regions."""

    def __init__(self, environment: Mapping[str, str], client: HttpClient, clock: Clock) -> None:
        """Find credentials in `environment`; those of a role are asked for through `client`."""
        self._environment = environment
        self._client = client
        self._clock = clock

    @property
    def has_credentials(self) -> bool:
        """Whether the environment says who we are."""
        return any(name in self._environment for name in (KEY, ROLE, CONTAINER, CONTAINER_PATH))

    def __call__(self, service: str, region: str) -> AwsSigner:
        """A signer. Raises InvalidProvider when the variables do not belong together."""
        references = self._references()
        options: dict[str, object] = {name: reference.shown() for name, reference in references.items()}
        if KEY not in self._environment:
            options |= self._role()
        files = [Path(reference.file).parent for reference in references.values() if reference.file]
        sources = SecretSources(self._environment, ("AWS_*",), files)
        secrets = {name: Credential(reference, sources, self._clock) for name, reference in references.items()}
        spec = ProviderSpec(name="aws", kind="aws", region=region, options=options)
        needs = AuthorityNeeds(spec, Credential(None, sources, self._clock), self._client, self._clock, secrets)
        return AwsSigner(authority_for(service, region, needs))

    def _references(self) -> dict[str, SecretReference]:
        found = self._environment
        if KEY in found:
            references = {
                "aws_access_key_id": SecretReference(env=KEY),
                "aws_secret_access_key": SecretReference(env=SECRET),
            }
            return references | ({"aws_session_token": SecretReference(env=TOKEN)} if TOKEN in found else {})
        if ROLE in found:
            return {"aws_web_identity_token": SecretReference(file=found.get(WEB_TOKEN, ""))}
        if CONTAINER_TOKEN in found:
            return {"aws_container_authorization_token": SecretReference(file=found[CONTAINER_TOKEN])}
        return {}

    def _role(self) -> dict[str, object]:
        found = self._environment
        if ROLE in found:
            return {"aws_role_arn": found[ROLE]}
        if CONTAINER in found:
            return {"aws_container_credentials": found[CONTAINER]}
        return {"aws_container_credentials": f"http://169.254.170.2{found.get(CONTAINER_PATH, '/')}"}
