"""SCIM groups."""

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
from enfilade.identity.provisioning.group_forms import GroupDraft
from enfilade.identity.provisioning.schemas import GROUPS

ROUTER = APIRouter(prefix="/Groups", tags=["SCIM"], route_class=ScimRoute, include_in_schema=False)


async def _list(context: AdminContext, request: Request, actor: Actor, parameters: Mapping[str, Any]) -> Response:
    shown = shown_of(parameters)
    query = query_of(parameters, shown)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        listed = await context.provisioning.list_groups(unit, query, base_of(context, request))
    return list_reply(listed, shown, GROUPS)


@ROUTER.get("")
async def page(context: Context, request: Request, actor: Client) -> Response:
    """List groups, filtered and sorted."""
    return await _list(context, request, actor, request.query_params)


@ROUTER.post("/.search")
async def search(context: Context, request: Request, actor: Client) -> Response:
    """List groups, with what is asked for in the body."""
    return await _list(context, request, actor, await read_object(request))


@ROUTER.post("")
async def create(context: Context, request: Request, actor: Client) -> Response:
    """Make a group."""
    shown, draft = shown_of(request.query_params), GroupDraft.from_body(await read_object(request))
    async with context.storage.unit_of_work(actor.scope) as unit:
        identifier = await context.provisioning.create_group(unit, draft)
        resource = await context.provisioning.show_group(unit, identifier, base_of(context, request))
    return resource_reply(resource, shown, GROUPS, 201)


@ROUTER.get("/{id}")
async def read(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
    """Show a group."""
    shown, base = shown_of(request.query_params), base_of(context, request)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        resource = await context.provisioning.show_group(unit, id, base, members=shown.members)
    return resource_reply(resource, shown, GROUPS, request=request)


@ROUTER.put("/{id}")
async def replace(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
    """Make a group be as sent."""
    shown, draft = shown_of(request.query_params), GroupDraft.from_body(await read_object(request))
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.provisioning.replace_group(unit, id, draft, version_asked(request))
        resource = await context.provisioning.show_group(unit, id, base_of(context, request))
    return resource_reply(resource, shown, GROUPS)


@ROUTER.patch("/{id}", status_code=204)
async def change(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
    """Change parts of a group. The answer is empty: a group may have many members."""
    operations = read_operations(await read_object(request))
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.provisioning.patch_group(unit, id, operations, version_asked(request))
    return Response(status_code=204)


@ROUTER.delete("/{id}", status_code=204)
async def delete(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
    """Remove a group; its members stay."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.provisioning.delete_group(unit, id, version_asked(request))
    return Response(status_code=204)
