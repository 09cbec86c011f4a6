"""Errors and limits as Anthropic's SDKs expect them."""

from enfilade.core.clock import NANOSECONDS, to_rfc3339
from enfilade.core.errors import EnfiladeError
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.types import LimitHeaders

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
OVERLOADED_CODES = frozenset({"provider_overloaded"})


class AnthropicErrors:
    """The part of a `Dialect` that tells callers what went wrong, and what is left."""

    def error_status(self, error: EnfiladeError) -> int:
        """See `Dialect.error_status`: an overloaded provider has a status of its own here."""
        return 529 if error.code in OVERLOADED_CODES else error.status

    def _error_object(self, error: EnfiladeError, request_id: str) -> dict[str, object]:
        status = self.error_status(error)
        content: dict[str, object] = {
            "type": ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error"),
            "message": f"{error.message} {error.remedy}",
            "code": error.code,
        }
        if error.param is not None:
            content["param"] = error.param
        if error.details:
            content["details"] = error.details
        return {"type": "error", "error": content, "request_id": request_id}

    def render_error(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error`."""
        return ENCODER.encode(self._error_object(error, request_id))

    def render_error_event(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error_event`: the SDK raises on `event: error` and on nothing else."""
        return b"event: error\ndata: " + self.render_error(error, request_id) + b"\n\n"

    def limit_headers(self, limits: LimitHeaders) -> list[tuple[bytes, bytes]]:
        """See `Dialect.limit_headers`: limit, remaining, and the moment of the reset."""
        headers = []
        for name, figures in ((b"requests", limits.requests), (b"tokens", limits.tokens)):
            if figures is not None:
                limit, left, seconds = figures
                reset = to_rfc3339(limits.now_ns + int(seconds * NANOSECONDS)).encode()
                headers += [
                    (b"anthropic-ratelimit-%b-limit" % name, b"%d" % limit),
                    (b"anthropic-ratelimit-%b-remaining" % name, b"%d" % left),
                    (b"anthropic-ratelimit-%b-reset" % name, reset),
                ]
        return headers
