"""What a provider's error reply says. One reader for all the forms in which services write errors; an adapter whose
service puts its words elsewhere (into a header, say) brings its own, or adds to what this one finds.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from enfilade.core.unreadable import UNREADABLE

HeaderMap = Mapping[bytes, bytes]

FAILED = "response.failed"
MAX_WORD = 120
MAX_DETAILS = 20

_PARAM = re.compile(r"[\w.\[\]/$-]{1,120}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


class ErrorReport(msgspec.Struct, kw_only=True):
    """What is known of an error, before it is one of ours."""

    words: tuple[str, ...] = ()
    """Its codes, types and reasons, the most telling first."""
    message: str | None = None
    param: str | None = None
    status: int | None = None
    """The status that the body names: it counts where HTTP's own says that all is well."""
    retry_after: float | None = None
    details: dict[str, object] = {}
    """What a caller's program may want to know; it is shown."""


ErrorReader = Callable[[int, HeaderMap, bytes], ErrorReport]


def read_error(status: int, headers: HeaderMap, body: bytes) -> ErrorReport:
    """Read an error in any of the forms that services use.

    `{"error": {"message", "type", "param", "code"}}` is OpenAI's; with `status` and `details` it is Google's, with
    `innererror` Azure's. Others write `{"error": "…"}`, `{"message": …}`, `{"detail": …}`, `{"errors": […]}`,
    `{"object": "error", …}` or `{"type": "error", …}`, and some put the object into an array.
    """
    del status, headers
    reply = decode(body)
    if isinstance(reply, list):
        reply = next((entry for entry in reply if isinstance(entry, dict)), None)
    if not isinstance(reply, dict):
        return ErrorReport()
    if isinstance(reply.get("response"), dict):
        reply = reply["response"]  # An event of OpenAI's Responses.
    found = reply.get("error") or next(iter(_list(reply.get("errors"))), None) or reply
    error = found if isinstance(found, dict) else reply
    message, param = _message(found)
    report = ErrorReport(
        words=(*_words(error), *(_words(reply) if error is not reply else ())),
        message=message,
        param=param or _param(error.get("param")),
        status=_status(error) or (_status(reply) if error is not reply else None),
    )
    _add_google(report, error)
    _add_azure(report, error)
    return report


def naming(words: Mapping[int, str]) -> ErrorReader:
    """Reads as `read_error` does, where a service gives some statuses a meaning of their own: each has a word here."""

    def read(status: int, headers: HeaderMap, body: bytes) -> ErrorReport:
        report = read_error(status, headers, body)
        if status in words:
            report.words = (words[status], *report.words)
        return report

    return read


def error_in(body: bytes) -> bool:
    """Whether what came with a 200 is an error all the same."""
    if b"error" not in body:
        return False
    reply = decode(body)
    if isinstance(reply, list):
        reply = reply[0] if reply else None
    if not isinstance(reply, dict):
        return False
    return bool(reply.get("error")) or reply.get("object") == "error" or reply.get("type") in {"error", FAILED}


def decode(body: bytes) -> Any:
    """The JSON value, or None where there is none."""
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return None


def _message(found: Any) -> tuple[str | None, str | None]:
    """The words for a person, and the field at fault where validation names one."""
    for _ in range(4):  # A message may hold an object that holds the message.
        if isinstance(found, str):
            return found or None, None
        if isinstance(found, list):
            return _of_validation(found)
        if not isinstance(found, dict):
            return None, None
        found = found.get("message") or found.get("Message") or found.get("detail") or found.get("msg")
    return None, None


def _of_validation(entries: list[Any]) -> tuple[str | None, str | None]:
    """FastAPI's list: `[{"loc": ["body", "messages", 0], "msg": …}]`."""
    first = next((entry for entry in entries if isinstance(entry, dict)), None)
    if first is None:
        return None, None
    place = [str(step) for step in _list(first.get("loc")) if step != "body"]
    said = first.get("msg") or first.get("message")
    return (said if isinstance(said, str) else None), _param(".".join(place))


def _param(value: Any) -> str | None:
    return value if isinstance(value, str) and _PARAM.fullmatch(value) else None


def _words(error: dict[str, Any]) -> Iterator[str]:
    for name in ("code", "type", "status", "error_type", "reason"):
        value = error.get(name)
        if isinstance(value, str) and value != "error" and len(value) <= MAX_WORD:
            yield value


def _status(error: dict[str, Any]) -> int | None:
    """A code that is an HTTP status; some write it as text."""
    for name in ("code", "status", "status_code"):
        value = error.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _add_google(report: ErrorReport, error: dict[str, Any]) -> None:
    """`details`: typed objects, of which we act on four (google/rpc/error_details.proto)."""
    for detail in _list(error.get("details"))[:MAX_DETAILS]:
        if not isinstance(detail, dict):
            continue
        kind = str(detail.get("@type", "")).rpartition(".")[2]
        if kind == "ErrorInfo" and isinstance(detail.get("reason"), str):
            report.words = (detail["reason"], *report.words)
        elif kind == "RetryInfo" and (match := _DURATION.fullmatch(str(detail.get("retryDelay")))):
            report.retry_after = float(match[1])
        elif kind == "QuotaFailure":
            quotas = [str(entry.get("quotaId")) for entry in _list(detail.get("violations")) if isinstance(entry, dict)]
            if any("PerDay" in quota for quota in quotas):
                report.words = ("quota_of_the_day", *report.words)
        elif kind == "BadRequest":
            fields = [entry.get("field") for entry in _list(detail.get("fieldViolations")) if isinstance(entry, dict)]
            report.param = report.param or next((name for name in map(_param, fields) if name), None)


def _add_azure(report: ErrorReport, error: dict[str, Any]) -> None:
    """`innererror`: its own code, and what a content filter found in the prompt."""
    inner = error.get("innererror")
    if not isinstance(inner, dict):
        return
    report.words = (*report.words, *_words(inner))
    results = inner.get("content_filter_result") or inner.get("content_filter_results")
    if isinstance(results, dict):
        report.details = {"content_filter": dict(_filter_results(results))}


def _filter_results(results: dict[str, Any]) -> Iterator[tuple[str, dict[str, object]]]:
    for category, result in list(results.items())[:MAX_DETAILS]:
        if isinstance(result, dict) and _PARAM.fullmatch(category):
            yield (
                category,
                {
                    name: value
                    for name, value in result.items()
                    if isinstance(value, bool) or (name == "severity" and isinstance(value, str) and len(value) < 20)
                },
            )
