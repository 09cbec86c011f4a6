"""The admin API as a whole."""

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from enfilade.api import admin_app
from enfilade.api.admin_app import admin_routers, build_fastapi
from enfilade.core.errors import InternalError

OPERATIONS = {"get", "put", "post", "patch", "delete"}


def operations() -> list[dict[str, object]]:
    paths = build_fastapi().openapi()["paths"]
    return [operation for path in paths.values() for method, operation in path.items() if method in OPERATIONS]


def test_a_route_without_a_permission_keeps_the_server_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter(prefix="/open")

    @router.get("")
    async def anybody() -> None:
        """Tell everybody everything."""

    monkeypatch.setattr(admin_app, "members", lambda *_: {"open": router})
    with pytest.raises(InternalError, match="/open declares no permission"):
        build_fastapi()


def test_every_operation_that_is_served_was_checked() -> None:
    checked = [route for router in admin_routers() for route in router.routes if isinstance(route, APIRoute)]
    assert len(operations()) == sum(len(route.methods or ()) for route in checked)


def test_operations_are_named_once_and_explained() -> None:
    found = operations()
    assert len({operation["operationId"] for operation in found}) == len(found)
    assert all(operation["summary"] for operation in found)
