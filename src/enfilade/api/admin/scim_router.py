"""The addresses that every kind of SCIM resource has."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.scim import (
    Client,
    ScimRoute,
    base_of,
    list_reply,
    query_of,
    read_object,
    resource_reply,
    shown_of,
    version_asked,
)
from enfilade.api.admin.security import Actor, Context
from enfilade.identity.provisioning.changes import read_operations
from enfilade.identity.provisioning.resources import Resources
from enfilade.identity.provisioning.schemas import Kind


def resource_router(
    kind: Kind, resources_of: Callable[[AdminContext], Resources], *, changed_silently: bool = False
) -> APIRouter:
    """The routes of a kind. One that may be large is not sent back after a PATCH, unless its attributes are asked for."""
    router = APIRouter(prefix=f"/{kind.name}s", tags=["SCIM"], route_class=ScimRoute, include_in_schema=False)
    _add_lists(router, kind, resources_of)
    _add_resource(router, kind, resources_of)
    _add_changes(router, kind, resources_of, changed_silently=changed_silently)
    return router


def _add_lists(router: APIRouter, kind: Kind, resources_of: Callable[[AdminContext], Resources]) -> None:
    async def listed(context: AdminContext, request: Request, actor: Actor, parameters: Mapping[str, Any]) -> Response:
        shown = shown_of(parameters)
        query = query_of(parameters, shown)
        async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
            found = await resources_of(context).page(unit, query, base_of(context, request))
        return list_reply(found, shown, kind)

    @router.get("")
    async def page(context: Context, request: Request, actor: Client) -> Response:
        """List them, filtered and sorted."""
        return await listed(context, request, actor, request.query_params)

    @router.post("/.search")
    async def search(context: Context, request: Request, actor: Client) -> Response:
        """List them, with what is asked for in the body."""
        return await listed(context, request, actor, await read_object(request))


def _add_resource(router: APIRouter, kind: Kind, resources_of: Callable[[AdminContext], Resources]) -> None:
    @router.post("")
    async def create(context: Context, request: Request, actor: Client) -> Response:
        """Make one."""
        shown, body, resources = shown_of(request.query_params), await read_object(request), resources_of(context)
        async with context.storage.unit_of_work(actor.scope) as unit:
            identifier = await resources.create(unit, body)
            resource = await resources.show(unit, identifier, base_of(context, request))
        return resource_reply(resource, shown, kind, 201)

    @router.get("/{id}")
    async def read(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
        """Show one."""
        shown, base = shown_of(request.query_params), base_of(context, request)
        async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
            resource = await resources_of(context).show(unit, id, base, members=shown.members)
        return resource_reply(resource, shown, kind, request=request)

    @router.put("/{id}")
    async def replace(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
        """Make one be as sent."""
        shown, body, resources = shown_of(request.query_params), await read_object(request), resources_of(context)
        async with context.storage.unit_of_work(actor.scope) as unit:
            await resources.replace(unit, id, body, version_asked(request))
            resource = await resources.show(unit, id, base_of(context, request))
        return resource_reply(resource, shown, kind)


def _add_changes(
    router: APIRouter, kind: Kind, resources_of: Callable[[AdminContext], Resources], *, changed_silently: bool
) -> None:
    @router.patch("/{id}")
    async def change(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
        """Change parts of one."""
        shown, operations = shown_of(request.query_params), read_operations(await read_object(request))
        silently = changed_silently and not shown.only
        resources = resources_of(context)
        async with context.storage.unit_of_work(actor.scope) as unit:
            await resources.patch(unit, id, operations, version_asked(request))
            resource = await resources.show(unit, id, base_of(context, request), members=not silently and shown.members)
        return resource_reply(resource, shown, kind, 204 if silently else 200)

    @router.delete("/{id}", status_code=204)
    async def delete(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
        """Let there be none of this name any more."""
        async with context.storage.unit_of_work(actor.scope) as unit:
            await resources_of(context).delete(unit, id, version_asked(request))
        return Response(status_code=204)
