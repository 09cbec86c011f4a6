"""The addresses of the admin API and its neighbours, as FastAPI dispatches them."""

import re
from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import Mount

from enfilade.api.admin.security import permission_of
from enfilade.api.served import Served

CONVERTER = re.compile(r":\w+}")
FOR_EVERYBODY = "public: the same for everybody"


def admin_addresses(app: FastAPI) -> Iterator[Served]:
    """Every address, those of the documentation too."""
    for found in iter_route_contexts(app.routes):
        route = found.route
        if isinstance(route, APIRoute):
            yield from _described(route, found)
        else:
            path = f"{found.path}/{{file}}" if isinstance(route, Mount) else str(found.path)
            yield Served("GET", path, FOR_EVERYBODY, "public")


def _described(route: APIRoute, found: RouteContext) -> Iterator[Served]:
    needs = permission_of(route)
    guard, reach = FOR_EVERYBODY, "public"
    if needs is not None:
        guard, reach = f"{needs.permission or 'any key'}, reach {needs.reach}", needs.reach
        guard += "" if needs.confined_by is None else f", confined by {needs.confined_by}"
    parts = list(_parts(route.dependant))
    parameters = frozenset(parameter.alias for part in parts for parameter in part.query_params)
    for method in sorted(found.methods or ()):
        path = CONVERTER.sub("}", found.path or "")
        yield Served(method, path, guard, reach, parameters, any(part.body_params for part in parts))


def _parts(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for part in dependant.dependencies:
        yield from _parts(part)
