"""Addresses for everybody, by name: one more is a decision, not an accident."""

from fastapi.routing import APIRoute

from enfilade.api.admin.security import is_public
from enfilade.api.admin_app import admin_routers, auth_routers

BY_ISSUERS = {
    "GET /sign-in",
    "GET /oidc/start",
    "GET /oidc/{tenant}/{issuer}/start",
    "GET /oidc/callback",
    "GET /signed-in",
    "GET /signed-out",
    "POST /sign-out",
    "GET /device",
    "POST /device",
    "POST /device/code",
    "POST /device/token",
    "POST /device/issuer/code",
    "POST /device/issuer/token",
    "GET /cli",
    "POST /cli",
    "POST /cli/token",
}


def test_what_is_public_under_auth_is_listed_here() -> None:
    routes = [route for router in auth_routers() for route in router.routes if isinstance(route, APIRoute)]
    public = {f"{method} {route.path}" for route in routes if is_public(route) for method in route.methods or ()}
    assert {name for name in public if not name.split(" ")[1].startswith("/local")} == BY_ISSUERS
    assert all(is_public(route) for route in routes)


def test_nothing_of_the_admin_api_is_public() -> None:
    routes = [route for router in admin_routers() for route in router.routes if isinstance(route, APIRoute)]
    assert routes
    assert not [route.path for route in routes if is_public(route) and not route.path.startswith("/scim")]
