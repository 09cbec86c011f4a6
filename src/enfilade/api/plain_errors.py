"""Errors outside every dialect: unknown addresses, broken HTTP. Their form is one that both vendors' SDKs can read."""

from http import HTTPStatus

import msgspec

from enfilade.core.errors import EnfiladeError

_TYPES = {404: "not_found_error", 413: "request_too_large", 503: "api_error"}


def plain_error_body(error: EnfiladeError, request_id: str | None = None) -> bytes:
    """The error as JSON: OpenAI's `error` object inside Anthropic's envelope."""
    content: dict[str, object] = {
        "message": f"{error.message} {error.remedy}",
        "type": _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error"),
        "param": error.param,
        "code": error.code,
    }
    if error.details:
        content["details"] = error.details
    body: dict[str, object] = {"type": "error", "error": content}
    if request_id is not None:
        body["request_id"] = request_id
    return msgspec.json.encode(body)


def render_plain_error(error: EnfiladeError) -> bytes:
    """The error as a whole HTTP reply that ends its connection."""
    body = plain_error_body(error)
    status = HTTPStatus(error.status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
