"""Microsoft Entra ID: access tokens for Azure's AI services, or a plain key.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token,
https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference.
"""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode, urlsplit

from enfilade.core.clock import NANOSECONDS
from enfilade.providers.authorities.oauth import (
    TokenAddress,
    bearer,
    key_header,
    loan_of,
    read_object,
    refuse,
)
from enfilade.providers.authorities.renewal import Loan, Renewed
from enfilade.providers.authorities.token_service import ask
from enfilade.providers.authority import Authority, AuthorityNeeds, Headers, Signable
from enfilade.providers.errors import CredentialMissing, InvalidProvider
from enfilade.providers.transport.types import parse_origin
from enfilade.providers.types import ProviderSpec

OPTIONS = frozenset(
    {"credentials", "tenant_id", "client_id", "client_secret", "federated_token_file", "login_url", "scope"}
)
SECRET_OPTIONS = frozenset({"client_secret"})

LOGIN = "https://login.microsoftonline.com"
SCOPES = {
    "login.microsoftonline.com": "https://cognitiveservices.azure.com/.default",
    "login.microsoftonline.us": "https://cognitiveservices.azure.us/.default",
    "login.partner.microsoftonline.cn": "https://cognitiveservices.azure.cn/.default",
}
"""The public cloud, and the two that are apart from it."""
IMDS_ADDRESS = "http://169.254.169.254"
IMDS_VERSION = "2018-02-01"
ENDPOINT, ENDPOINT_HEADER = "IDENTITY_ENDPOINT", "IDENTITY_HEADER"
"""What App Service, Functions and Container Apps put into the environment: where to ask, and what shows that one may."""
ENDPOINT_VERSION = "2019-08-01"
KEY_HEADER = b"api-key"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,127}")

Fetch = Callable[[], Awaitable[Loan[bytes]]]


def check(spec: ProviderSpec) -> None:
    """Refuse, with InvalidProvider, a specification that does not say in one way who asks."""
    options = spec.options
    if (chosen := options.get("credentials")) not in {None, "managed_identity"}:
        message = f"credentials must be managed_identity, or be left out; it is {chosen!r}"
        raise InvalidProvider(message, param="options.credentials")
    for name in ("tenant_id", "client_id"):
        if (value := options.get(name)) is not None and not _ID.fullmatch(str(value)):
            raise InvalidProvider(f"{name} is no identifier of Entra ID", param=f"options.{name}")
    proofs = [name for name in ("client_secret", "federated_token_file") if name in options]
    ways = (spec.api_key is not None) + (chosen is not None) + len(proofs)
    if ways != 1:
        message = (
            "give one of: an api_key; the options tenant_id, client_id and client_secret; tenant_id, client_id and "
            "federated_token_file; credentials: managed_identity"
        )
        raise InvalidProvider(message, param="api_key")
    for name in ("tenant_id", "client_id"):
        if proofs and name not in options:
            raise InvalidProvider(f"{proofs[0]} needs {name} beside it", param=f"options.{name}")
    _check_login(spec)


def _check_login(spec: ProviderSpec) -> None:
    address = spec.options.get("login_url")
    if address is None or spec.allow_private_network:
        return
    if str(address).rstrip("/") not in {f"https://{host}" for host in SCOPES}:
        message = (
            f"login_url must be one of {', '.join(f'https://{host}' for host in SCOPES)}; another one needs "
            "allow_private_network: true"
        )
        raise InvalidProvider(message, param="options.login_url")


def authority(needs: AuthorityNeeds) -> Authority:
    """What proves to Azure who asks."""
    options = needs.spec.options
    if options.get("credentials") == "managed_identity":
        return EntraTokens(needs, _managed_identity_token(needs))
    if "client_secret" in options or "federated_token_file" in options:
        return EntraTokens(needs, _client_token(needs))
    return PlainKey(needs)


class PlainKey:
    """A key of the Azure resource; see `Authority`."""

    def __init__(self, needs: AuthorityNeeds) -> None:
        """Show the provider's `api_key`."""
        self._key = needs.key

    async def headers(self, request: Signable) -> Headers:
        """See `Authority.headers`."""
        del request
        return key_header(KEY_HEADER, self._key)

    def refused(self) -> None:
        """See `Authority.refused`: there is no other."""


class EntraTokens:
    """Shows a token that is renewed; see `Authority`."""

    def __init__(self, needs: AuthorityNeeds, fetch: Fetch) -> None:
        """Get tokens from `fetch`."""
        self._renewed = Renewed(fetch, needs.clock, "access token")

    async def headers(self, request: Signable) -> Headers:
        """See `Authority.headers`."""
        del request
        return bearer(await self._renewed.get())

    def refused(self) -> None:
        """See `Authority.refused`."""
        self._renewed.drop()


def _scope(spec: ProviderSpec) -> str:
    host = urlsplit(str(spec.options.get("login_url", LOGIN))).hostname or ""
    return str(spec.options.get("scope") or SCOPES.get(host, SCOPES["login.microsoftonline.com"]))


def _client_token(needs: AuthorityNeeds) -> Fetch:
    """The client credentials grant: with a secret, or with the token that Kubernetes gives to a pod."""
    options = needs.spec.options
    login = str(options.get("login_url", LOGIN)).rstrip("/")
    address = TokenAddress(f"{login}/{options['tenant_id']}/oauth2/v2.0/token", "Entra ID", needs, tuple(SCOPES))
    fixed = {
        "grant_type": "client_credentials",
        "client_id": str(options["client_id"]),
        "scope": _scope(needs.spec),
    }
    proof = _client_proof(needs)

    async def fetch() -> Loan[bytes]:
        return loan_of(await address.post_form(fixed | proof()), address.who)

    return fetch


def _client_proof(needs: AuthorityNeeds) -> Callable[[], dict[str, str]]:
    if (path := needs.spec.options.get("federated_token_file")) is not None:
        file = needs.key.for_file(str(path))

        def assertion() -> dict[str, str]:
            try:
                token = file.value()
            except CredentialMissing:
                message = (
                    "The file that `federated_token_file` names cannot be read; it must exist, in a directory that "
                    "ENFILADE_SECRET_DIRS allows."
                )
                raise CredentialMissing(message) from None
            kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            return {"client_assertion_type": kind, "client_assertion": token}

        return assertion

    secret = needs.secrets.get("client_secret")
    if secret is None:
        raise InvalidProvider("client_secret is missing", param="options.client_secret")
    return lambda: {"client_secret": secret.value()}


def _managed_identity_token(needs: AuthorityNeeds) -> Fetch:
    """The service beside each machine in Azure (IMDS), or the end point that its platforms give to an application.

    An administrator chose it; its address is fixed, or the environment's.
    """
    asked = {"resource": _scope(needs.spec).removesuffix("/.default")}
    if (client := needs.spec.options.get("client_id")) is not None:
        asked["client_id"] = str(client)

    async def fetch() -> Loan[bytes]:
        # Looked up each time: the platform may give others when it restarts what stands beside us.
        endpoint, header = needs.key.variable(ENDPOINT), needs.key.variable(ENDPOINT_HEADER)
        if endpoint is None or header is None:
            who = "Azure's instance metadata service"
            address = f"{IMDS_ADDRESS}/metadata/identity/oauth2/token"
            return await _identity_token(needs, who, address, (b"metadata", b"true"), asked, IMDS_VERSION)
        if not (header.isascii() and header.isprintable()):
            raise CredentialMissing(f"{ENDPOINT_HEADER} holds characters that no header can carry.")
        who = f"the end point of {ENDPOINT}"
        proof = (b"x-identity-header", header.encode())
        return await _identity_token(needs, who, endpoint, proof, asked, ENDPOINT_VERSION)

    return fetch


async def _identity_token(
    needs: AuthorityNeeds,
    who: str,
    address: str,
    header: tuple[bytes, bytes],
    asked: dict[str, str],
    version: str,
) -> Loan[bytes]:
    try:
        parts = urlsplit(address)
        origin = parse_origin(f"{parts.scheme}://{parts.netloc}", tls=needs.tls, allow_private=True)
    except (ValueError, InvalidProvider):
        raise CredentialMissing(f"{ENDPOINT} holds no address of a service.") from None
    path = f"{parts.path}?{urlencode({'api-version': version} | asked)}"
    status, body = await ask(needs.client, origin, path, method=b"GET", headers=(header,))
    if status in {400, 404} and (b"invalid_request" in body or b"dentity not found" in body):
        message = "Where Enfilade runs there is no such managed identity; see the option `client_id`."
        raise CredentialMissing(message)
    if status != 200:
        refuse(who, status, body)
    reply = read_object(body, who)
    if "expires_in" not in reply:
        # App Service tells the moment only, in seconds since 1970.
        reply = reply | {"expires_in": _left(reply.get("expires_on"), needs.clock.now_ns() / NANOSECONDS)}
    return loan_of(reply, who)


def _left(moment: object, now: float) -> float | None:
    try:
        return float(moment) - now if isinstance(moment, int | float | str) else None
    except ValueError:
        return None
