"""Google: access tokens for Vertex AI, or a plain API key.

Sources: https://developers.google.com/identity/protocols/oauth2/service-account,
https://google.aip.dev/auth/4117 (external accounts), https://cloud.google.com/compute/docs/access/authenticate-workloads.
"""

from collections.abc import Awaitable, Callable

from enfilade.providers.authorities.google_documents import (
    SCOPE,
    ExternalAccount,
    ServiceAccount,
    external_account_token,
    read_document,
    service_account_token,
)
from enfilade.providers.authorities.oauth import bearer, key_header, loan_of, read_object, refuse
from enfilade.providers.authorities.renewal import Loan, Renewed
from enfilade.providers.authorities.token_service import ask
from enfilade.providers.authority import Authority, AuthorityNeeds, Headers, Signable
from enfilade.providers.errors import CredentialMissing
from enfilade.providers.transport.types import parse_origin

METADATA_ADDRESS = "http://metadata.google.internal"
METADATA_PATH = f"/computeMetadata/v1/instance/service-accounts/default/token?scopes={SCOPE}"
METADATA_FLAVOR = ((b"metadata-flavor", b"Google"),)
KEY_HEADER = b"x-goog-api-key"

Fetch = Callable[[], Awaitable[Loan[bytes]]]


def authority(needs: AuthorityNeeds) -> Authority:
    """What proves to Vertex AI who asks: the machine's own service account, or whatever the `api_key` is."""
    if needs.spec.options.get("credentials") == "metadata":
        return Tokens(needs, _metadata_token(needs))
    return KeyOrDocument(needs)


class Tokens:
    """Shows a token that is renewed; see `Authority`."""

    def __init__(self, needs: AuthorityNeeds, fetch: Fetch, more: Headers = ()) -> None:
        """Get tokens from `fetch`, and show `more` beside them."""
        self._renewed = Renewed(fetch, needs.clock, "access token")
        self._more = more

    async def headers(self, request: Signable) -> Headers:
        """See `Authority.headers`."""
        del request
        return bearer(await self._renewed.get()) + self._more

    def refused(self) -> None:
        """See `Authority.refused`."""
        self._renewed.drop()


class KeyOrDocument:
    """A plain key, or tokens that a document is exchanged for; see `Authority`.

    Which of them it is shows when the secret is read, and may change when its file is replaced.
    """

    def __init__(self, needs: AuthorityNeeds) -> None:
        """Read the provider's `api_key`, now and whenever it changes."""
        self._needs = needs
        self._text: str | None = None
        self._tokens: Tokens | None = None

    async def headers(self, request: Signable) -> Headers:
        """See `Authority.headers`."""
        text = self._needs.key.value()
        if text != self._text:
            self._tokens = _tokens_of(text, self._needs) if text.startswith("{") else None
            self._text = text
        if self._tokens is None:
            return key_header(KEY_HEADER, self._needs.key)
        return await self._tokens.headers(request)

    def refused(self) -> None:
        """See `Authority.refused`."""
        if self._tokens is not None:
            self._tokens.refused()


def _tokens_of(text: str, needs: AuthorityNeeds) -> Tokens:
    document = read_document(text)
    if needs.spec.options.get("project") is None:
        message = "A service account or an external account needs the option `project`; only a plain API key does not."
        raise CredentialMissing(message)
    if isinstance(document, ServiceAccount):
        return Tokens(needs, service_account_token(document, needs))
    return Tokens(needs, external_account_token(document, needs), _quota_project(document))


def _quota_project(document: ExternalAccount) -> Headers:
    project = document.quota_project_id
    return () if project is None else ((b"x-goog-user-project", project.encode()),)


def _metadata_token(needs: AuthorityNeeds) -> Fetch:
    """The server that Google puts beside each machine and pod. An administrator chose it; its address is fixed."""
    who = "Google's metadata server"
    origin = parse_origin(METADATA_ADDRESS, tls=needs.tls, allow_private=True)

    async def fetch() -> Loan[bytes]:
        status, body = await ask(needs.client, origin, METADATA_PATH, method=b"GET", headers=METADATA_FLAVOR)
        if status == 404:
            raise CredentialMissing("The machine on which Enfilade runs has no Google service account attached.")
        if status != 200:
            refuse(who, status, body)
        return loan_of(read_object(body, who), who)

    return fetch
