"""Google's credential documents: what stands in them, and the tokens that they are exchanged for."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Annotated, Any, Literal

import msgspec

from enfilade.core.clock import NANOSECONDS, to_ns
from enfilade.core.unreadable import UNREADABLE
from enfilade.providers.authorities.oauth import TokenAddress, bearer, lifetime, loan_of, read_object
from enfilade.providers.authorities.renewal import Loan
from enfilade.providers.authority import AuthorityNeeds, Headers
from enfilade.providers.credentials import Credential
from enfilade.providers.errors import CredentialMissing, ProviderFault

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GOOGLE = ("googleapis.com",)
LIFETIME_S = 3600
MIN_LIFETIME_S = 60.0

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
_HEADER_VALUE = re.compile(r"[ -~]{0,4000}")

Project = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9.:-]{1,100}$")]
Fetch = Callable[[], Awaitable[Loan[bytes]]]


class ServiceAccount(msgspec.Struct, tag_field="type", tag="service_account"):
    """A service account's key, as Google's console gives it."""

    client_email: str
    private_key: str
    private_key_id: str | None = None
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


class Format(msgspec.Struct, frozen=True):
    """How a subject token is written."""

    type: Literal["text", "json"] = "text"
    subject_token_field_name: str | None = None


class Source(msgspec.Struct):
    """Where the workload's own token is."""

    file: str | None = None
    url: str | None = None
    headers: dict[str, str] = {}
    format: Format = Format()


class ExternalAccount(msgspec.Struct, tag_field="type", tag="external_account"):
    """A workload of another identity provider, as `gcloud iam workload-identity-pools create-cred-config` writes it."""

    audience: str
    subject_token_type: str
    credential_source: Source
    token_url: str = "https://sts.googleapis.com/v1/token"  # noqa: S105 - an address
    service_account_impersonation_url: str | None = None
    service_account_impersonation: dict[str, Any] = {}
    quota_project_id: Project | None = None


Document = ServiceAccount | ExternalAccount
_DOCUMENT: msgspec.json.Decoder[Document] = msgspec.json.Decoder(Document)


def read_document(text: str) -> Document:
    """The document that the provider's `api_key` is. Raises CredentialMissing."""
    try:
        return _DOCUMENT.decode(text)
    except UNREADABLE as error:
        # The decoder tells what is wrong and where, and quotes nothing but a type that it does not know.
        said = str(error)[:200] if isinstance(error, msgspec.DecodeError) else "it is nested too deeply"
        message = (
            "The provider's key begins as JSON and is no Google document of the type service_account or "
            f"external_account: {said}."
        )
        raise CredentialMissing(message) from None


# A service account's key.


def service_account_token(document: ServiceAccount, needs: AuthorityNeeds) -> Fetch:
    """Ask Google for a token with an assertion that the account's key has signed (RFC 7523)."""
    address = TokenAddress(document.token_uri, "Google's token service", needs, GOOGLE)

    async def fetch() -> Loan[bytes]:
        now_s = needs.clock.now_ns() // NANOSECONDS
        assertion = await asyncio.to_thread(_assertion, document, now_s)  # Reading a key takes milliseconds.
        fields = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        return loan_of(await address.post_form(fields), address.who)

    return fetch


def _assertion(document: ServiceAccount, now_s: int) -> str:
    """A token that says who asks. Runs in a thread."""
    head = {"alg": "RS256", "typ": "JWT"} | ({"kid": document.private_key_id} if document.private_key_id else {})
    claims = {
        "iss": document.client_email,
        "scope": SCOPE,
        "aud": document.token_uri,
        "iat": now_s,
        "exp": now_s + LIFETIME_S,
    }
    # Loaded by the first who signs: it brings a good part of `cryptography`, for which no other start should wait.
    rs256 = import_module("enfilade.providers.authorities.rs256")
    assertion: str | None = rs256.sign(head, claims, document.private_key)
    if assertion is None:
        raise CredentialMissing("The `private_key` of the service account's document is no RSA key in PEM form.")
    return assertion


# An external account.


def external_account_token(document: ExternalAccount, needs: AuthorityNeeds) -> Fetch:
    """Exchange the workload's own token for Google's (RFC 8693), and that, where asked, for a service account's."""
    subject = _subject(document.credential_source, needs)
    exchange = TokenAddress(document.token_url, "Google's token exchange", needs, GOOGLE)
    account = None
    if document.service_account_impersonation_url is not None:
        who = "Google's service for acting as a service account"
        account = TokenAddress(document.service_account_impersonation_url, who, needs, GOOGLE)
    seconds = document.service_account_impersonation.get("token_lifetime_seconds")
    seconds = seconds if isinstance(seconds, int) and 600 <= seconds <= 43_200 else LIFETIME_S

    async def fetch() -> Loan[bytes]:
        fields = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": document.audience,
            "scope": SCOPE,
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": document.subject_token_type,
            "subject_token": await subject(),
        }
        federated = loan_of(await exchange.post_form(fields), exchange.who)
        return federated if account is None else await _act_as(account, federated.value, seconds, needs)

    return fetch


async def _act_as(account: TokenAddress, token: bytes, seconds: int, needs: AuthorityNeeds) -> Loan[bytes]:
    """A token of a service account (IAM's generateAccessToken)."""
    headers = (*bearer(token), (b"content-type", b"application/json"))
    body = msgspec.json.encode({"scope": [SCOPE], "lifetime": f"{seconds}s"})
    reply = read_object(await account.ask(headers=headers, body=body), account.who)
    loan = loan_of(reply, account.who, "accessToken")
    try:
        ends = to_ns(datetime.fromisoformat(str(reply.get("expireTime"))))
    except (ValueError, TypeError):
        return loan
    left = (ends - needs.clock.now_ns()) / NANOSECONDS
    return Loan(loan.value, max(lifetime(min(left, seconds)), MIN_LIFETIME_S) if left > 0 else MIN_LIFETIME_S)


def _subject(source: Source, needs: AuthorityNeeds) -> Callable[[], Awaitable[str]]:
    """What finds the workload's own token. Commands are not run, whatever a document says."""
    if source.file is not None:
        return _subject_in_file(needs.key.for_file(source.file), source.format)
    if source.url is not None:
        return _subject_at_address(TokenAddress(source.url, "the source of the workload's token", needs, ()), source)
    message = "The external account's `credential_source` must name a `file` or a `url`; no other source is offered."
    raise CredentialMissing(message)


def _subject_in_file(file: Credential, form: Format) -> Callable[[], Awaitable[str]]:
    async def subject() -> str:
        try:
            text = file.value()
        except CredentialMissing:
            message = (
                "The file that holds the workload's token cannot be read; it must exist, in a directory that "
                "ENFILADE_SECRET_DIRS allows."
            )
            raise CredentialMissing(message) from None
        return _extract(text.encode(), form)

    return subject


def _subject_at_address(address: TokenAddress, source: Source) -> Callable[[], Awaitable[str]]:
    headers = _headers(source.headers)

    async def subject() -> str:
        return _extract(await address.ask(method=b"GET", headers=headers), source.format)

    return subject


def _headers(given: Mapping[str, str]) -> Headers:
    for name, value in given.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value) or name.lower() == "host":
            raise CredentialMissing("A header in the external account's `credential_source` cannot be sent.")
    return tuple((name.lower().encode(), value.encode()) for name, value in given.items())


def _extract(content: bytes, form: Format) -> str:
    if form.type == "text":
        token: object = content.decode("utf-8", "replace").strip()
    else:
        token = read_object(content, "the source of the workload's token").get(form.subject_token_field_name or "")
    if not isinstance(token, str) or not token:
        raise ProviderFault("The source of the workload's token holds no token of the form that the document names.")
    return token
