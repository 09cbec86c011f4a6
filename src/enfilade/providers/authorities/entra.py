"""Microsoft Entra ID: access tokens for Azure's AI services, or a plain key.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token.
"""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode, urlsplit

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
    """The service beside each machine in Azure (IMDS). An administrator chose it; its address is fixed."""
    who = "Azure's instance metadata service"
    origin = parse_origin(IMDS_ADDRESS, tls=needs.tls, allow_private=True)
    asked = {"api-version": IMDS_VERSION, "resource": _scope(needs.spec).removesuffix("/.default")}
    if (client := needs.spec.options.get("client_id")) is not None:
        asked["client_id"] = str(client)
    path = f"/metadata/identity/oauth2/token?{urlencode(asked)}"

    async def fetch() -> Loan[bytes]:
        status, body = await ask(needs.client, origin, path, method=b"GET", headers=((b"metadata", b"true"),))
        if status == 400 and b"invalid_request" in body:
            message = "The machine on which Enfilade runs has no such managed identity; see the option `client_id`."
            raise CredentialMissing(message)
        if status != 200:
            refuse(who, status, body)
        return loan_of(read_object(body, who), who)

    return fetch
