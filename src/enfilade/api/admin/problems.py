"""Errors of the admin API as problem details (RFC 9457)."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from enfilade.api.admin import scim
from enfilade.api.calls import retry_headers
from enfilade.configuration.faults import message_of, path_of
from enfilade.core.errors import EnfiladeError, InternalError, Unauthenticated

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20


class FieldProblem(BaseModel):
    """One field that does not fit."""

    path: str
    message: str


class Problem(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str | None = None
    param: str | None = None
    details: dict[str, Any] | None = None
    errors: list[FieldProblem] | None = None


STATUSES = {
    400: "The request cannot be understood.",
    401: "No valid key.",
    403: "The key may not do this.",
    404: "There is nothing here that the key may see.",
    409: "The change does not fit what is there.",
    412: "It was changed since it was read.",
    413: "The body is too large.",
    422: "A field does not fit.",
    503: "The database cannot be reached at the moment.",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description, "content": {MEDIA_TYPE: {}}}
    for status, description in STATUSES.items()
}


def problem_reply(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    """A problem as a reply; what is None is left out."""
    content = {
        "type": f"urn:enfilade:error:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "detail": detail,
        "code": code,
    } | {name: value for name, value in more.items() if value is not None}
    return JSONResponse(content, status, media_type=MEDIA_TYPE)


def error_reply(error: EnfiladeError) -> JSONResponse:
    """One of our errors as a reply."""
    reply = problem_reply(
        error.status,
        error.code,
        error.message,
        remedy=error.remedy,
        param=error.param,
        details=error.details or None,
    )
    for name, value in retry_headers(error):
        reply.headers[name.decode()] = value.decode()
    if isinstance(error, Unauthenticated):
        reply.headers["www-authenticate"] = "Bearer"
    return reply


def install_problems(app: FastAPI) -> None:
    """Answer every kind of error as a problem."""

    @app.exception_handler(EnfiladeError)
    async def known(_request: Request, error: EnfiladeError) -> JSONResponse:
        return error_reply(error)

    @app.exception_handler(Exception)
    async def unforeseen(_request: Request, _error: Exception) -> JSONResponse:
        return error_reply(InternalError("Something went wrong inside Enfilade."))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # The input itself is not repeated: it may hold a secret.
        body = getattr(request.scope.get("route"), "body_field", None)
        model = body.field_info.annotation if body is not None else None
        errors = [
            {"path": path_of(fault["loc"]), "message": message_of(fault, model, fault["loc"][1:])}
            for fault in error.errors()[:MAX_ERRORS]
        ]
        first = errors[0]
        return problem_reply(422, "invalid_request", f"{first['path']}: {first['message']}", errors=errors)

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> Response:
        codes = {400: "invalid_request", 404: "not_found", 405: "method_not_allowed"}
        reply: Response
        if request.url.path.startswith(f"{scim.PREFIX}/"):
            reply = scim.refusal(error.status_code, str(error.detail))
        else:
            code = codes.get(error.status_code, "invalid_request")
            reply = problem_reply(error.status_code, code, str(error.detail))
        for name, value in (error.headers or {}).items():
            reply.headers[name] = value
        return reply
