"""From a provider's error reply to one of our errors."""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from enfilade.core.clock import NANOSECONDS, to_ns
from enfilade.providers.error_reports import ErrorReader, ErrorReport, HeaderMap, error_in
from enfilade.providers.error_words import kind_by_words
from enfilade.providers.errors import (
    ContentRefused,
    ContextExceeded,
    CredentialsRefused,
    ProviderConflict,
    ProviderError,
    ProviderFault,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    QuotaExhausted,
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
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SPANS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

_BY_STATUS: dict[int, type[ProviderError]] = {
    401: CredentialsRefused,
    402: QuotaExhausted,
    403: CredentialsRefused,
    404: UpstreamModelMissing,
    408: ProviderTimeout,
    409: ProviderConflict,
    413: RequestTooLarge,
    424: ProviderFault,
    429: ProviderRateLimited,
    499: ProviderTimeout,
    503: ProviderOverloaded,
    504: ProviderTimeout,
    524: ProviderTimeout,
    529: ProviderOverloaded,
}
_SAID: dict[type[ProviderError], str] = {
    ContentRefused: "The provider's content filter refused the request.",
    ContextExceeded: "The provider finds the request longer than the model's context.",
    CredentialsRefused: "The provider does not accept the key that Enfilade holds for it, or does not let it do this.",
    ProviderConflict: "The provider reports a conflict.",
    ProviderFault: "The provider failed.",
    ProviderOverloaded: "The provider is overloaded or cannot serve at the moment.",
    ProviderRateLimited: "The provider's own rate limit is reached.",
    ProviderTimeout: "The provider gave up waiting.",
    QuotaExhausted: "What Enfilade's account with the provider may use is used up.",
    RequestRefused: "The provider refused the request.",
    RequestTooLarge: "The provider finds the request too large.",
    UnreadableResponse: "The provider answered with a redirect or another status that means nothing here.",
    UpstreamModelMissing: "The provider does not know the deployment's model.",
}

Hide = Callable[[str], str]
"""Takes out of a text what only we know to be secret."""


def failure_of(
    status: int, headers: list[tuple[bytes, bytes]], body: bytes, read: ErrorReader, now_ns: int, hide: Hide = str
) -> ProviderError:
    """The error behind a reply that is no success.

    What the provider says about the caller's own request is passed on, cleaned of anything that looks like a key or
    an address; about everything else it is not quoted.
    """
    found = dict(headers)
    report = read(status, found, body)
    error = _error(_kind(status, report), report, hide)
    error.upstream_status = status
    error.retry_after = retry_after(found, now_ns)
    if error.retry_after is None:
        error.retry_after = _bounded(report.retry_after) if report.retry_after is not None else None
    if error.retry_after is None and isinstance(error, ProviderRateLimited):
        error.retry_after = until_reset(found)
    return error


def reported_failure(body: bytes, read: ErrorReader, hide: Hide = str) -> ProviderError | None:
    """The error that came where a success was announced: in the body of a 200, or in an event of a stream.

    None when there is none, or when it tells nothing that we know.
    """
    if not error_in(body):
        return None
    report = read(200, {}, body)
    kind = kind_by_words(200, report)
    if kind is None and report.status is not None:
        kind = _by_status(report.status)
    if kind is None:
        return None
    error = _error(kind, report, hide)
    error.upstream_status = report.status
    error.retry_after = _bounded(report.retry_after) if report.retry_after is not None else None
    return error


def _kind(status: int, report: ErrorReport) -> type[ProviderError]:
    return kind_by_words(status, report) or _by_status(status)


def _by_status(status: int) -> type[ProviderError]:
    if (kind := _BY_STATUS.get(status)) is not None:
        return kind
    if status >= 500:
        return ProviderFault
    return RequestRefused if status >= 400 else UnreadableResponse


def _error(kind: type[ProviderError], report: ErrorReport, hide: Hide) -> ProviderError:
    if not issubclass(kind, RequestRefused | RequestTooLarge):
        return kind(_SAID[kind])
    said = clean(hide(report.message)) if report.message else ""
    message = f"The provider says: {said}" if said else _SAID[kind]
    return kind(message, param=report.param, details=report.details)


def retry_after(headers: HeaderMap, now_ns: int) -> float | None:
    """How many seconds the provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date."""
    try:
        if (milliseconds := headers.get(b"retry-after-ms")) is not None:
            return _bounded(float(milliseconds) / 1000)
        if (text := headers.get(b"retry-after")) is not None:
            try:
                return _bounded(float(text))
            except ValueError:
                moment = parsedate_to_datetime(text.decode("ascii", "replace"))
                return _bounded((to_ns(moment) - now_ns) / NANOSECONDS)
    except (ValueError, TypeError, OverflowError):
        return None
    return None


def until_reset(headers: HeaderMap) -> float | None:
    """How many seconds until the limit that is used up starts anew: `x-ratelimit-reset-requests` and `-tokens`, as
    `1s`, `6m0s`, `120ms` or plain seconds. When none says that nothing is left, the one that is over first counts.
    """
    used_up: list[float] = []
    others: list[float] = []
    for name in (b"requests", b"tokens"):
        seconds = _span(headers.get(b"x-ratelimit-reset-" + name, b""))
        if seconds is not None:
            left = headers.get(b"x-ratelimit-remaining-" + name, b"").strip()
            (used_up if left == b"0" else others).append(seconds)
    return _bounded(max(used_up) if used_up else min(others)) if used_up or others else None


def _span(value: bytes) -> float | None:
    text = value.decode("ascii", "replace").strip()
    if text and not _SPAN.sub("", text):
        return sum(float(amount) * _SPANS[unit] for amount, unit in _SPAN.findall(text))
    try:
        return float(text)
    except ValueError:
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
