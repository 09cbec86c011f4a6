"""The family of errors. Each has a stable code and a message that says what to do.

    EnfiladeError
    ├── InvalidRequest      400 …  the caller can mend it
    ├── Unauthenticated     401
    ├── BudgetReached       402
    ├── Forbidden           403
    ├── NotFound            404
    ├── Conflict            409
    ├── LimitReached        429
    ├── UpstreamFailed      5xx    a provider's fault, after retries and fallbacks
    └── Unavailable         503    ours, for now: try again

A room's own errors derive from these. Surfaces translate `status` and `code`; nothing else decides.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar


class EnfiladeError(Exception):
    """The base of every error that a caller may see."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    remedy: ClassVar[str] = "Report the request id to your platform team."

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Say what went wrong to a person.

        `param` names the field at fault, `retry_after` is in seconds, `details` are machine-readable and safe
        to show to the caller.
        """
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.details: dict[str, object] = dict(details or {})


class InternalError(EnfiladeError):
    """Something that should not have happened inside Enfilade."""


class InvalidRequest(EnfiladeError):
    """The request cannot be understood or does not fit."""

    code = "invalid_request"
    status = 400
    remedy = "Correct the request; the message and `param` say where."


class MalformedBody(InvalidRequest):
    """The body is not valid UTF-8 JSON of the expected form."""

    code = "malformed_body"
    remedy = "Send one JSON object, encoded as UTF-8, with each name once."


class BodyTooLarge(InvalidRequest):
    """The body is larger than this installation accepts."""

    code = "body_too_large"
    status = 413
    remedy = "Send less, or raise `ENFILADE_MAX_BODY_BYTES`."


class HeadersTooLarge(InvalidRequest):
    """The request's header fields are larger than this installation accepts."""

    code = "headers_too_large"
    status = 431
    remedy = "Send fewer or shorter header fields."


class RequestTimeout(InvalidRequest):
    """The request did not arrive completely within its deadline."""

    code = "request_timeout"
    status = 408
    remedy = "Send the whole request without long pauses."


class MethodNotAllowed(InvalidRequest):
    """The route exists, but not with this method."""

    code = "method_not_allowed"
    status = 405
    remedy = "Use one of the methods in the `allow` header."


class Unauthenticated(EnfiladeError):
    """No valid credential came with the request."""

    code = "unauthenticated"
    status = 401
    remedy = "Send a valid key as `Authorization: Bearer …` or `x-api-key: …`."


class Forbidden(EnfiladeError):
    """The caller is known, but may not do this."""

    code = "forbidden"
    status = 403
    remedy = "Ask your platform team for the permission that the message names."


class NotFound(EnfiladeError):
    """There is nothing here that the caller may see."""

    code = "not_found"
    status = 404
    remedy = "Check the address and the name."


class Conflict(EnfiladeError):
    """The change does not fit what is there."""

    code = "conflict"
    status = 409
    remedy = "Read the current state and try again."


class StillInUse(Conflict):
    """It cannot be removed while something else refers to it."""

    code = "still_in_use"
    remedy = "Remove or change what refers to it first."


class BudgetReached(EnfiladeError):
    """A budget does not cover this call's worst case."""

    code = "budget_reached"
    status = 402
    remedy = "Wait until the budget resets, lower `max_tokens`, or have the budget raised."


class LimitReached(EnfiladeError):
    """A rate, token or concurrency limit is used up."""

    code = "limit_reached"
    status = 429
    remedy = "Wait as long as `retry-after` says."


class UpstreamFailed(EnfiladeError):
    """A provider failed, and so did what was tried instead."""

    code = "upstream_failed"
    status = 502
    remedy = "Try again; if it persists, look at the deployment's health."


class Unavailable(EnfiladeError):
    """Enfilade cannot serve this now."""

    code = "unavailable"
    status = 503
    remedy = "Try again after `retry-after`."


def all_errors(root: type[EnfiladeError] = EnfiladeError) -> Iterator[type[EnfiladeError]]:
    """Every error class that has been imported, for the reference page and its test."""
    yield root
    for child in root.__subclasses__():
        yield from all_errors(child)
