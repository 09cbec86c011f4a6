"""SCIM users."""

from collections.abc import Mapping
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
from enfilade.identity.provisioning.schemas import USERS
from enfilade.identity.provisioning.user_forms import Draft

ROUTER = APIRouter(prefix="/Users", tags=["SCIM"], route_class=ScimRoute, include_in_schema=False)


async def _list(context: AdminContext, request: Request, actor: Actor, parameters: Mapping[str, Any]) -> Response:
    shown = shown_of(parameters)
    query = query_of(parameters, shown)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        listed = await context.provisioning.list_users(unit, query, base_of(context, request))
    return list_reply(listed, shown, USERS)


@ROUTER.get("")
async def page(context: Context, request: Request, actor: Client) -> Response:
    """List users, filtered and sorted."""
    return await _list(context, request, actor, request.query_params)


@ROUTER.post("/.search")
async def search(context: Context, request: Request, actor: Client) -> Response:
    """List users, with what is asked for in the body."""
    return await _list(context, request, actor, await read_object(request))


@ROUTER.post("")
async def create(context: Context, request: Request, actor: Client) -> Response:
    """Make a user."""
    shown, draft = shown_of(request.query_params), Draft.from_body(await read_object(request))
    async with context.storage.unit_of_work(actor.scope) as unit:
        identifier = await context.provisioning.create_user(unit, draft)
        resource = await context.provisioning.show_user(unit, identifier, base_of(context, request))
    return resource_reply(resource, shown, USERS, 201)


@ROUTER.get("/{id}")
async def read(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
    """Show a user."""
    shown = shown_of(request.query_params)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        resource = await context.provisioning.show_user(unit, id, base_of(context, request))
    return resource_reply(resource, shown, USERS, request=request)


@ROUTER.put("/{id}")
async def replace(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
    """Make a user be as sent."""
    shown, draft = shown_of(request.query_params), Draft.from_body(await read_object(request))
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.provisioning.replace_user(unit, id, draft, version_asked(request))
        resource = await context.provisioning.show_user(unit, id, base_of(context, request))
    return resource_reply(resource, shown, USERS)


@ROUTER.patch("/{id}")
async def change(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
    """Change parts of a user."""
    shown, operations = shown_of(request.query_params), read_operations(await read_object(request))
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.provisioning.patch_user(unit, id, operations, version_asked(request))
        resource = await context.provisioning.show_user(unit, id, base_of(context, request))
    return resource_reply(resource, shown, USERS)


@ROUTER.delete("/{id}", status_code=204)
async def delete(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
    """Let a user not come in any more, and end what was issued to them."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.provisioning.delete_user(unit, id, version_asked(request))
    return Response(status_code=204)
