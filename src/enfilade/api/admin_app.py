"""The admin API as one application: FastAPI with routes found in their folder."""

import inspect

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from enfilade import __version__
from enfilade.api import routes as family
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.envelope import Envelope
from enfilade.api.admin.problems import RESPONSES, install_problems
from enfilade.api.admin.security import require_permission
from enfilade.core.errors import InternalError
from enfilade.core.families import members

PREFIX = "/api/v1"

DESCRIPTION = """
Everything that a configuration file can say, and what happened.

Authenticate with a key that has roles. Money is in US dollars, as decimal text with nine places. Lists come in pages:
pass `next` as `cursor`. Changes may carry `if-match` (the `etag` of what was read) and `idempotency-key`. Errors are
problem details (RFC 9457) with a stable `code`.
"""


def build_fastapi(context: AdminContext) -> FastAPI:
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
    app.state.context = context
    install_problems(app)
    for router in admin_routers():
        app.include_router(router, prefix=PREFIX)
    return app


def admin_routers() -> list[APIRouter]:
    """The family's routers, described. Raises InternalError for a route without a permission."""
    routers: dict[str, APIRouter] = members(family, "ROUTER")
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


def build_admin(context: AdminContext) -> Envelope:
    """The admin API, ready to be served."""
    return Envelope(build_fastapi(context), context)
