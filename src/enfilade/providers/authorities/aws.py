"""The AWS authority of a provider, from its options."""

import ssl

from enfilade.providers.authorities.aws_credentials import (
    SESSION_NAME,
    ContainerEndpoint,
    GivenKeys,
    LentKeys,
    OtherRole,
    TokenService,
    WebIdentity,
)
from enfilade.providers.authorities.aws_instance import ADDRESS as INSTANCE_ADDRESS
from enfilade.providers.authorities.aws_instance import InstanceRole, is_role
from enfilade.providers.authorities.aws_sigv4 import KeySource, SigV4Authority
from enfilade.providers.authority import Authority, AuthorityNeeds, Headers, Signable
from enfilade.providers.credentials import Credential
from enfilade.providers.errors import CredentialMissing, InvalidProvider
from enfilade.providers.transport.tls import default_tls
from enfilade.providers.transport.types import Origin, Proxy, parse_origin
from enfilade.providers.types import ProviderSpec

SECRET_OPTIONS = frozenset(
    {
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "aws_web_identity_token",
        "aws_container_authorization_token",
    }
)
OPTIONS = SECRET_OPTIONS | {
    "aws_role_arn",
    "aws_role_session_name",
    "aws_container_credentials",
    "aws_instance_role",
    "aws_assume_role_arn",
    "aws_external_id",
    "aws_sts_url",
}

CONTAINER_ENDPOINTS = ("http://169.254.170.2/", "http://169.254.170.23/", "http://[fd00:ec2::23]/")
"""Where ECS and EKS serve containers. No other address is asked: it could be one that an administrator should not
reach."""

SOURCES = (
    "`api_key`, `aws_access_key_id`, `aws_role_arn` with `aws_web_identity_token`, `aws_container_credentials`, or "
    "`aws_instance_role`"
)
_SOURCES = ("aws_access_key_id", "aws_role_arn", "aws_container_credentials", "aws_instance_role")


def check(spec: ProviderSpec) -> None:
    """Refuse, with InvalidProvider, options from which no authority can be made."""
    options = spec.options
    _together(options, "aws_access_key_id", "aws_secret_access_key")
    _together(options, "aws_role_arn", "aws_web_identity_token")
    for name, needed in (
        ("aws_session_token", "aws_access_key_id"),
        ("aws_container_authorization_token", "aws_container_credentials"),
        ("aws_external_id", "aws_assume_role_arn"),
    ):
        if name in options and needed not in options:
            raise InvalidProvider(f"{name} has a meaning only with {needed}", param=f"options.{name}")
    sources = [name for name in _SOURCES if name in options]
    if (spec.api_key is not None) + len(sources) != 1:
        raise InvalidProvider(f"give one of {SOURCES}, and only one", param="options")
    if spec.api_key is not None and "aws_assume_role_arn" in options:
        message = "an api_key cannot take a role; give AWS keys, or leave aws_assume_role_arn out"
        raise InvalidProvider(message, param="options.aws_assume_role_arn")
    if "aws_container_credentials" in options:
        container_endpoint(str(options["aws_container_credentials"]))
    if "aws_instance_role" in options and not is_role(str(options["aws_instance_role"])):
        raise InvalidProvider("aws_instance_role is `auto` or a role's name", param="options.aws_instance_role")
    if "aws_sts_url" in options:
        _service_origin(spec, "aws", default_tls(), None)


def _together(options: dict[str, object], one: str, other: str) -> None:
    for name, missing in ((one, other), (other, one)):
        if name in options and missing not in options:
            raise InvalidProvider(f"{name} needs {missing} beside it", param=f"options.{missing}")


def container_endpoint(address: str) -> tuple[Origin, str]:
    """Server and path of a container's endpoint. Raises InvalidProvider for every other address."""
    base = next((base for base in CONTAINER_ENDPOINTS if address.startswith(base)), None)
    path = "/" + address[len(base or "") :]
    if base is None or not path.isascii() or any(mark in path for mark in "#@ \\"):
        message = f"a container's credentials are served below {', '.join(CONTAINER_ENDPOINTS)} only"
        raise InvalidProvider(message, param="options.aws_container_credentials")
    return parse_origin(base, tls=default_tls(), allow_private=True), path


def authority_for(service: str, region: str, needs: AuthorityNeeds) -> Authority:
    """Signs with keys, or shows the API key. Raises InvalidProvider."""
    check(needs.spec)
    if needs.spec.api_key is not None:
        return ApiKey(needs.key)
    source = _source(needs, region)
    options = needs.spec.options
    if (role := options.get("aws_assume_role_arn")) is not None:
        parameters = {"RoleArn": role, "RoleSessionName": options.get("aws_role_session_name", SESSION_NAME)}
        if (external := options.get("aws_external_id")) is not None:
            parameters["ExternalId"] = external
        lender = OtherRole(_token_service(needs, region), source, region, parameters)
        source = LentKeys(lender, needs.clock)
    return SigV4Authority(source, service, region, needs.clock)


def _source(needs: AuthorityNeeds, region: str) -> KeySource:
    options, secrets = needs.spec.options, needs.secrets
    if "aws_access_key_id" in options:
        return GivenKeys(
            secrets["aws_access_key_id"], secrets["aws_secret_access_key"], secrets.get("aws_session_token")
        )
    if "aws_role_arn" in options:
        name = options.get("aws_role_session_name", SESSION_NAME)
        token = secrets["aws_web_identity_token"]
        lender = WebIdentity(_token_service(needs, region), options["aws_role_arn"], name, token)
        return LentKeys(lender, needs.clock)
    if "aws_instance_role" in options:
        origin = parse_origin(INSTANCE_ADDRESS, tls=default_tls(), allow_private=True)
        return LentKeys(InstanceRole(needs.client, origin, options["aws_instance_role"], needs.clock), needs.clock)
    origin, path = container_endpoint(options["aws_container_credentials"])
    shown = secrets.get("aws_container_authorization_token")
    return LentKeys(ContainerEndpoint(needs.client, origin, path, shown, needs.clock), needs.clock)


def _token_service(needs: AuthorityNeeds, region: str) -> TokenService:
    origin = _service_origin(needs.spec, region, needs.tls, needs.proxy)
    return TokenService(needs.client, origin, needs.clock)


def _service_origin(spec: ProviderSpec, region: str, tls: ssl.SSLContext, proxy: Proxy | None) -> Origin:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    address = str(spec.options.get("aws_sts_url") or f"https://sts.{region}.{suffix}")
    origin = parse_origin(address, tls=tls, allow_private=spec.allow_private_network, proxy=proxy)
    if origin.tls is None and not spec.allow_private_network:
        message = "the token service must be reached over https; a token would travel in the open"
        raise InvalidProvider(message, param="options.aws_sts_url")
    return origin


class ApiKey:
    """A Bedrock API key; see `Authority`."""

    def __init__(self, key: Credential) -> None:
        """Show it as a bearer token."""
        self._key = key

    async def headers(self, request: Signable) -> Headers:
        """See `Authority.headers`."""
        del request
        key = self._key.value()
        if not (key.isascii() and key.isprintable()):
            raise CredentialMissing("The provider's key holds characters that no header can carry.")
        return ((b"authorization", f"Bearer {key}".encode()),)

    def refused(self) -> None:
        """See `Authority.refused`: there is no other."""
