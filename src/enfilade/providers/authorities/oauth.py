"""Token services that are found by an address: which one may be asked, and what its answers mean (RFC 6749, RFC 8693)."""

import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlencode, urlsplit

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.providers.authorities.renewal import Loan
from enfilade.providers.authorities.token_service import ask
from enfilade.providers.authority import AuthorityNeeds, Headers
from enfilade.providers.credentials import Credential
from enfilade.providers.errors import (
    CredentialMissing,
    CredentialsRefused,
    InvalidProvider,
    ProviderFault,
)
from enfilade.providers.transport.types import parse_origin

FORM = ((b"content-type", b"application/x-www-form-urlencoded"),)
DEFAULT_LIFETIME_S = 600.0
MAX_LIFETIME_S = 48 * 3600.0

_VISIBLE = re.compile(r"[!-\[\]-~]+")
_CODE = re.compile(r"[A-Za-z_]{1,60}")


class TokenAddress:
    """Where a token is asked for. `trusted` are domains that may be asked anyway; others only where the provider may
    reach private networks: an address can come from a document that somebody else wrote.
    """

    def __init__(self, url: str, who: str, needs: AuthorityNeeds, trusted: tuple[str, ...]) -> None:
        """Look at the address, not yet at what it resolves to. Raises CredentialMissing."""
        self.who = who
        self._client = needs.client
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = SplitResult("", "", "", "", ""), None
        if not _VISIBLE.fullmatch(url) or not parts.hostname or parts.username or parts.password or parts.fragment:
            raise CredentialMissing(f"The address of {who} is no valid address.")
        known = parts.scheme == "https" and port in {None, 443} and _is_below(parts.hostname, trusted)
        if not known and not needs.spec.allow_private_network:
            message = (
                f"The address of {who} is not an https address below {' or '.join(trusted) or 'a known domain'}; "
                "set `allow_private_network: true` for the provider if it is meant."
            )
            raise CredentialMissing(message)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        private = needs.spec.allow_private_network
        try:
            base = f"{parts.scheme}://{parts.netloc}"
            self._origin = parse_origin(base, tls=needs.tls, allow_private=private, proxy=needs.proxy)
        except InvalidProvider:
            raise CredentialMissing(f"The address of {who} is no valid address.") from None

    async def post_form(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """The JSON object that answers a form. Raises ProviderError."""
        return read_object(await self.ask(headers=FORM, body=urlencode(fields).encode()), self.who)

    async def ask(self, *, method: bytes = b"POST", headers: Headers = (), body: bytes = b"") -> bytes:
        """The body of a successful answer. Raises ProviderError."""
        status, content = await ask(self._client, self._origin, self._path, method=method, headers=headers, body=body)
        if status != 200:
            refuse(self.who, status, content)
        return content


def _is_below(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith("." + domain) for domain in domains)


def refuse(who: str, status: int, body: bytes) -> NoReturn:
    """Raise what an answer means that is no success, with its code if it has one: never its words, which may quote
    what we sent.
    """
    try:
        reply = msgspec.json.decode(body)
    except UNREADABLE:
        reply = None
    error = reply.get("error") if isinstance(reply, dict) else None
    if isinstance(error, dict):
        error = error.get("status")
    code = error if isinstance(error, str) and _CODE.fullmatch(error) else f"status {status}"
    numbers = reply.get("error_codes") if isinstance(reply, dict) else None
    if isinstance(numbers, list) and numbers and isinstance(numbers[0], int):
        code += f", AADSTS{numbers[0]}"
    message = (
        f"{_capital(who)} does not accept what Enfilade was given for the provider ({code}).{_ADVICE.get(code, '')}"
    )
    raise CredentialsRefused(message)


_ADVICE = {
    "invalid_grant": " The key was removed or has expired, or this machine's clock is wrong.",
    "PERMISSION_DENIED": " The identity may not act as the service account.",
}


def read_object(body: bytes, who: str) -> dict[str, Any]:
    """The JSON object in an answer. Raises ProviderFault."""
    try:
        reply = msgspec.json.decode(body)
    except UNREADABLE:
        reply = None
    if not isinstance(reply, dict):
        raise ProviderFault(f"{_capital(who)} answered something that is no JSON object.")
    return reply


def loan_of(reply: dict[str, Any], who: str, name: str = "access_token") -> Loan[bytes]:
    """The token in an answer, as a header can carry it. Raises ProviderFault."""
    token = reply.get(name)
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()) or " " in token:
        raise ProviderFault(f"{_capital(who)} answered without a token.")
    return Loan(token.encode(), lifetime(reply.get("expires_in")))


def lifetime(value: object) -> float:
    """For how many seconds a token is good; some services write the number as text."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) else DEFAULT_LIFETIME_S
    except ValueError:
        seconds = DEFAULT_LIFETIME_S
    return min(seconds, MAX_LIFETIME_S) if seconds > 0 else DEFAULT_LIFETIME_S


def bearer(token: bytes) -> Headers:
    """The header that carries a token."""
    return ((b"authorization", b"Bearer " + token),)


def key_header(name: bytes, key: Credential) -> Headers:
    """The header that carries a plain key. Raises CredentialMissing."""
    value = key.value()
    if not (value.isascii() and value.isprintable()):
        raise CredentialMissing("The provider's key holds characters that no header can carry.")
    return ((name, value.encode()),)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
