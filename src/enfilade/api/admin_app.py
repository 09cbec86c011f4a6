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
from enfilade.api.admin.security import require_permissions
from enfilade.core.families import members

DESCRIPTION = """
Everything that a configuration file can say, and what happened.

Authenticate with a key that has roles. Money is in US dollars, as decimal text with nine places. Lists come in pages:
pass `next` as `cursor`. Changes may carry `if-match` (the `etag` of what was read) and `idempotency-key`. Errors are
problem details (RFC 9457) with a stable `code`.
"""


def build_fastapi(context: AdminContext) -> FastAPI:
    """The application without its envelope. Raises InternalError for a route without a permission."""
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
    routers: dict[str, APIRouter] = members(family, "ROUTER")
    for name in sorted(routers):
        app.include_router(routers[name], prefix="/api/v1")
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            # The first line of a handler's docstring is what the documentation shows of it.
            route.summary, _, route.description = (inspect.getdoc(route.endpoint) or "").partition("\n\n")
            route.operation_id = f"{route.tags[0]}_{route.name}".replace(" ", "_")
    require_permissions(app)
    return app


def build_admin(context: AdminContext) -> Envelope:
    """The admin API, ready to be served."""
    return Envelope(build_fastapi(context), context)
