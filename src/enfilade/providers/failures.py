"""From a provider's error reply to one of our errors."""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import msgspec

from enfilade.core.clock import NANOSECONDS, to_ns
from enfilade.providers.errors import (
    CredentialsRefused,
    ProviderConflict,
    ProviderError,
    ProviderFault,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    RequestRefused,
    RequestTooLarge,
    UnreadableResponse,
    UpstreamModelMissing,
)

MAX_MESSAGE = 400
MAX_CLEANED = 1000
MAX_RETRY_AFTER_S = 3600.0

_ADDRESS = re.compile(
    r"\b(?:https?|wss?)://\S+|\[[0-9a-fA-F:.]{2,}\](?::\d+)?|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b|\b[\w-]+(?:\.[\w-]+)+(?::\d+)\b"
)
_KEY = re.compile(r"\b(?:sk|pk|rk|key|gsk|xai|AIza|Bearer)[-_ ][\w*.…-]{4,}|\b\w*\*{3,}\w*", re.IGNORECASE)

MessageReader = Callable[[bytes], str | None]

_ERRORS: dict[int, tuple[type[ProviderError], str]] = {
    401: (CredentialsRefused, "The provider does not accept the key that Enfilade holds for it."),
    402: (CredentialsRefused, "The provider wants to be paid before it answers Enfilade's key."),
    403: (CredentialsRefused, "The provider does not let Enfilade's key do this."),
    404: (UpstreamModelMissing, "The provider does not know the deployment's model."),
    408: (ProviderTimeout, "The provider gave up waiting."),
    409: (ProviderConflict, "The provider reports a conflict."),
    429: (ProviderRateLimited, "The provider's own rate limit is reached."),
    503: (ProviderOverloaded, "The provider cannot serve at the moment."),
    529: (ProviderOverloaded, "The provider is overloaded."),
}


def failure_of(
    status: int, headers: list[tuple[bytes, bytes]], body: bytes, read_message: MessageReader, now_ns: int
) -> ProviderError:
    """The error behind a reply that is no success.

    What the provider says about the caller's own request is passed on, cleaned of anything that looks like a key or
    an address; about everything else it is not quoted.
    """
    if status in {400, 413, 422}:
        kind = RequestTooLarge if status == 413 else RequestRefused
        said = read_message(body)
        default = "The provider finds the request too large." if status == 413 else "The provider refused the request."
        error: ProviderError = kind(f"The provider says: {clean(said)}" if said else default)
    elif status in _ERRORS:
        known, message = _ERRORS[status]
        error = known(message)
    elif status >= 500:
        error = ProviderFault("The provider failed.")
    elif status >= 400:
        error = RequestRefused("The provider refused the request.")
    else:
        error = UnreadableResponse("The provider answered with a redirect or another status that means nothing here.")
    error.upstream_status = status
    error.retry_after = retry_after(headers, now_ns)
    return error


def retry_after(headers: list[tuple[bytes, bytes]], now_ns: int) -> float | None:
    """How many seconds the provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date."""
    found = dict(headers)
    try:
        if (milliseconds := found.get(b"retry-after-ms")) is not None:
            return _bounded(float(milliseconds) / 1000)
        if (text := found.get(b"retry-after")) is not None:
            try:
                return _bounded(float(text))
            except ValueError:
                moment = parsedate_to_datetime(text.decode("ascii", "replace"))
                return _bounded((to_ns(moment) - now_ns) / NANOSECONDS)
    except (ValueError, TypeError, OverflowError):
        return None
    return None


def _bounded(seconds: float) -> float | None:
    # NaN compares false with everything, and so becomes None.
    return min(seconds, MAX_RETRY_AFTER_S) if seconds >= 0 else None


def clean(text: str) -> str:
    """A provider's words without addresses and keys, shortened."""
    text = " ".join(text[: 4 * MAX_CLEANED].split())
    if len(text) > MAX_CLEANED:
        text = text[:MAX_CLEANED].rpartition(" ")[0]  # Half a key at the end would not be known for one.
    return _KEY.sub("[key]", _ADDRESS.sub("[address]", text))[:MAX_MESSAGE]


def without(text: str, key: str | None, host: str) -> str:
    """A text without this key and this host, however unlike a key or an address they look."""
    if key:
        text = text.replace(key, "[key]")
    return re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", "[address]", text, flags=re.IGNORECASE)


def message_of_error_object(body: bytes) -> str | None:
    """The message in `{"error": {"message": …}}`, `{"error": "…"}`, `{"message": …}` or `{"detail": …}`."""
    try:
        reply = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(reply, dict):
        return None
    error = reply.get("error", reply)
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail")
    return error if isinstance(error, str) else None
