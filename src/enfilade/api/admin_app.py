"""The admin API as one application: FastAPI with routes found in their folder."""

import asyncio
import inspect
from collections.abc import MutableMapping
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from enfilade import __version__
from enfilade.api import auth as auth_family
from enfilade.api import authzen
from enfilade.api import routes as family
from enfilade.api import scim as scim_family
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.envelope import Envelope
from enfilade.api.admin.problems import RESPONSES, install_problems
from enfilade.api.admin.scim import PREFIX as SCIM_PREFIX
from enfilade.api.admin.security import require_permission
from enfilade.core.errors import InternalError
from enfilade.core.families import members

PREFIX = "/api/v1"
AUTH_PREFIX = "/auth"

CHANGING = {"post", "put", "delete"}
IDEMPOTENCY_KEY = {
    "name": "idempotency-key",
    "in": "header",
    "required": False,
    "description": "A fresh key for each request, the same one to repeat it: the same reply comes again, and nothing is "
    "done twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
KEY = {"type": "http", "scheme": "bearer", "description": "A key with roles: `Authorization: Bearer enf_…`."}
REQUEST_ID = {"x-request-id": {"description": "Names this request in the log.", "schema": {"type": "string"}}}
DESCRIPTION = """
Everything that a configuration file can say, and what happened.

Authenticate with a key that has roles. Money is in US dollars, as decimal text with nine places. Lists come in pages:
pass `next` as `cursor`. Changes may carry `if-match` (the `etag` of what was read) and `idempotency-key`. Errors are
problem details (RFC 9457) with a stable `code`.
"""


def build_fastapi() -> FastAPI:
    """The application without its envelope. Raises what `admin_routers` raises."""
    app: FastAPI = FastAPIOffline(
        title="Enfilade admin API",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url="/api/docs",
        redoc_url="/api/redoc",
        static_url="/api/static",
        redirect_slashes=False,
        responses=RESPONSES,
        swagger_ui_oauth2_redirect_url="/api/docs/oauth2-redirect",
    )
    install_problems(app)
    for router in admin_routers():
        app.include_router(router, prefix=PREFIX)
    # It is described by its own specification.
    app.include_router(_checked({"authzen": authzen.ROUTER})[0], include_in_schema=False)
    for router in scim_routers():
        app.include_router(router, prefix=SCIM_PREFIX)
    for router in auth_routers():
        # Browsers and command lines are led there: it is no part of the API that programs are written against.
        app.include_router(router, prefix=AUTH_PREFIX, include_in_schema=False)
    _describe_envelope(app)
    return app


def _describe_envelope(app: FastAPI) -> None:
    """Add to the OpenAPI document what the envelope does around every route."""
    describe_routes = app.openapi

    def describe() -> dict[str, Any]:
        document = describe_routes()
        document["components"]["securitySchemes"] = {"key": KEY}
        document["security"] = [{"key": []}]
        for path in document["paths"].values():
            for method, operation in path.items():
                if method in CHANGING and IDEMPOTENCY_KEY not in operation.get("parameters", ()):
                    operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
                for reply in operation["responses"].values():
                    reply.setdefault("headers", REQUEST_ID)
        return document

    app.openapi = describe  # type: ignore[method-assign]


def admin_routers() -> list[APIRouter]:
    """The family's routers, described. Raises InternalError for a route without a permission."""
    return _checked(members(family, "ROUTER"))


def scim_routers() -> list[APIRouter]:
    """The routers under `/scim/v2`. Raises InternalError for a route without a permission."""
    return _checked(members(scim_family, "ROUTER"))


def auth_routers() -> list[APIRouter]:
    """The routers under `/auth`. Raises InternalError for a route that is not declared to be public either."""
    return _checked(members(auth_family, "ROUTER"))


def _checked(routers: dict[str, APIRouter]) -> list[APIRouter]:
    for name in sorted(routers):
        for route in routers[name].routes:
            # FastAPI includes a router as it is and resolves it at each request, so its own routes are what counts.
            if not isinstance(route, APIRoute):
                message = f"The routes in {name} must be declared on its router: {route!r}."
                raise InternalError(message)
            require_permission(route)
            # The first paragraph of a handler's docstring is what the documentation shows of it in lists.
            route.summary, _, route.description = (inspect.getdoc(route.endpoint) or "").partition("\n\n")
            route.operation_id = f"{name}_{route.name}"
    return [routers[name] for name in sorted(routers)]


@cache
def application() -> FastAPI:
    """The application of this process, made once: what belongs to an installation comes with each request."""
    return build_fastapi()


def build_admin(context: AdminContext) -> Envelope:
    """The admin API, ready to be served."""
    return Envelope(application(), context)


def resolve_routes() -> None:
    """Let FastAPI look into every route now, for a second or so, rather than while the first request waits.

    It does so when it looks for a route's address. Meant for a thread.
    """
    asyncio.run(_ask_for_nothing(application()))


async def _ask_for_nothing(app: FastAPI) -> None:
    path = f"{PREFIX}/nothing"
    request = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "root_path": ""}
    await app({**request, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}, _empty, _drop)


async def _empty() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _drop(message: MutableMapping[str, Any]) -> None:
    del message
