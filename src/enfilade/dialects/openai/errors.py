"""Errors and limits as OpenAI's SDKs expect them."""

from enfilade.core.errors import EnfiladeError
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.types import LimitHeaders

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


def error_object(error: EnfiladeError, request_id: str) -> dict[str, object]:
    """The `error` object, with our stable code and what a program may want to know."""
    content: dict[str, object] = {
        "message": f"{error.message} {error.remedy}",
        "type": ERROR_TYPES.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error"),
        "param": error.param,
        "code": error.code,
        "request_id": request_id,
    }
    if error.details:
        content["details"] = error.details
    return {"error": content}


class OpenAIErrors:
    """The part of a `Dialect` that tells callers what went wrong, and what is left."""

    def error_status(self, error: EnfiladeError) -> int:
        """See `Dialect.error_status`."""
        return error.status

    def render_error(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error`."""
        return ENCODER.encode(error_object(error, request_id))

    def render_error_event(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error_event`: the SDK raises on any chunk with `error`, and no `[DONE]` comes after it."""
        return b"data: " + self.render_error(error, request_id) + b"\n\n"

    def limit_headers(self, limits: LimitHeaders) -> list[tuple[bytes, bytes]]:
        """See `Dialect.limit_headers`: limit, remaining, and the time until the reset as `1.500s`."""
        headers = []
        if limits.requests is not None:
            limit, left, seconds = limits.requests
            headers += [
                (b"x-ratelimit-limit-requests", b"%d" % limit),
                (b"x-ratelimit-remaining-requests", b"%d" % left),
                (b"x-ratelimit-reset-requests", b"%.3fs" % seconds),
            ]
        if limits.tokens is not None:
            limit, left, seconds = limits.tokens
            headers += [
                (b"x-ratelimit-limit-tokens", b"%d" % limit),
                (b"x-ratelimit-remaining-tokens", b"%d" % left),
                (b"x-ratelimit-reset-tokens", b"%.3fs" % seconds),
            ]
        return headers
