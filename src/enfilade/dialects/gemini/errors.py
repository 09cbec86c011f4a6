"""Errors in Google's form.

Source: https://google.aip.dev/193 and the SDK's `google.genai.errors`.
"""

from enfilade.core.errors import EnfiladeError
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.types import LimitHeaders

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPE = "type.googleapis.com/google.rpc."


def error_object(error: EnfiladeError, request_id: str) -> dict[str, object]:
    """The error, with our stable code as the reason, and what a program may want to know as details."""
    status = error.status
    text = f"{error.message} {error.remedy}"
    known = {name: v if isinstance(v, str) else ENCODER.encode(v).decode() for name, v in error.details.items()}
    details: list[dict[str, object]] = [
        {"@type": f"{_TYPE}ErrorInfo", "reason": error.code, "domain": "enfilade", "metadata": known},
        {"@type": f"{_TYPE}RequestInfo", "requestId": request_id},
    ]
    if error.param is not None:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]})
    if error.retry_after is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{max(0.0, error.retry_after):.9g}s"})
    word = STATUSES.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    return {"error": {"code": status, "message": text, "status": word, "details": details}}


class GeminiErrors:
    """The part of a `Dialect` that tells callers what went wrong, and what is left."""

    def error_status(self, error: EnfiladeError) -> int:
        """See `Dialect.error_status`."""
        return error.status

    def render_error(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error`."""
        return ENCODER.encode(error_object(error, request_id))

    def render_error_event(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error_event`: Google puts the object where a chunk would be."""
        return b"data: " + self.render_error(error, request_id) + b"\n\n"

    def limit_headers(self, limits: LimitHeaders) -> list[tuple[bytes, bytes]]:
        """See `Dialect.limit_headers`: Google has none; its SDK reads when to try again from the error's details."""
        del limits
        return []
