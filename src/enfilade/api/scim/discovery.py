"""What this server's SCIM can do: its configuration, kinds of resources and schemas."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from enfilade.api.admin.scim import LIST_URN, MEDIA_TYPE, Client, ScimRoute, base_of
from enfilade.api.admin.security import Context
from enfilade.core.errors import NotFound
from enfilade.identity.provisioning.resources import MAX_COUNT
from enfilade.identity.provisioning.schemas import ENTERPRISE, ENTERPRISE_USER, GROUPS, USERS, Attribute, Kind

ROUTER = APIRouter(tags=["SCIM"], route_class=ScimRoute, include_in_schema=False)
CORE = "urn:ietf:params:scim:schemas:core:2.0"


@ROUTER.get("/ServiceProviderConfig")
async def configuration(context: Context, request: Request, actor: Client) -> Response:
    """Show what can be done."""
    del actor
    content = {
        "schemas": [f"{CORE}:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MAX_COUNT},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer key",
                "description": "A key with the role `provisioning`, as `Authorization: Bearer enf_…`.",
                "primary": True,
            }
        ],
        "meta": _meta("ServiceProviderConfig", f"{base_of(context, request)}/ServiceProviderConfig"),
    }
    return JSONResponse(content, media_type=MEDIA_TYPE)


@ROUTER.get("/ResourceTypes")
async def resource_types(context: Context, request: Request, actor: Client) -> Response:
    """List the kinds of resources."""
    del actor
    return _listed([_resource_type(kind, base_of(context, request)) for kind in (USERS, GROUPS)])


@ROUTER.get("/ResourceTypes/{id}")
async def resource_type(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
    """Show a kind of resources."""
    del actor
    return _one(id, [_resource_type(kind, base_of(context, request)) for kind in (USERS, GROUPS)])


@ROUTER.get("/Schemas")
async def schemas(context: Context, request: Request, actor: Client) -> Response:
    """List the schemas."""
    del actor
    return _listed(_schemas(base_of(context, request)))


@ROUTER.get("/Schemas/{id}")
async def schema(context: Context, request: Request, id: str, actor: Client) -> Response:  # noqa: A002 - in the path
    """Show a schema."""
    del actor
    return _one(id, _schemas(base_of(context, request)))


def _schemas(base: str) -> list[dict[str, Any]]:
    tables: tuple[tuple[str, str, str, Iterable[Attribute]], ...] = (
        (USERS.urn, "User", "People.", USERS.core),
        (ENTERPRISE, "EnterpriseUser", "What organisations know of their people.", ENTERPRISE_USER),
        (GROUPS.urn, "Group", "Groups of people.", GROUPS.core),
    )
    return [
        {
            "schemas": [f"{CORE}:Schema"],
            "id": urn,
            "name": name,
            "description": description,
            # What is common to all resources stands in no schema (RFC 7643, section 3.1).
            "attributes": [a.described() for a in attributes if a.name not in {"id", "externalId", "meta"}],
            "meta": _meta("Schema", f"{base}/Schemas/{urn}"),
        }
        for urn, name, description, attributes in tables
    ]


def _resource_type(kind: Kind, base: str) -> dict[str, Any]:
    return {
        "schemas": [f"{CORE}:ResourceType"],
        "id": kind.name,
        "name": kind.name,
        "endpoint": f"/{kind.name}s",
        "description": "People." if kind is USERS else "Groups of people.",
        "schema": kind.urn,
        "schemaExtensions": [{"schema": urn, "required": False} for urn, _ in kind.extensions],
        "meta": _meta("ResourceType", f"{base}/ResourceTypes/{kind.name}"),
    }


def _meta(kind: str, location: str) -> dict[str, str]:
    return {"resourceType": kind, "location": location}


def _listed(resources: list[dict[str, Any]]) -> Response:
    content = {
        "schemas": [LIST_URN],
        "totalResults": len(resources),
        "startIndex": 1,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }
    return JSONResponse(content, media_type=MEDIA_TYPE)


def _one(identifier: str, resources: list[dict[str, Any]]) -> Response:
    found = next((resource for resource in resources if resource["id"].lower() == identifier.lower()), None)
    if found is None:
        message = "There is nothing of that name."
        raise NotFound(message)
    return JSONResponse(found, media_type=MEDIA_TYPE)
