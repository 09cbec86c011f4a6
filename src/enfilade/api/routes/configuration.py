"""The platform as one document: planned, applied, exported."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import Field

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View
from enfilade.configuration.document import Document, document_schema
from enfilade.configuration.export import export_document, plain
from enfilade.configuration.service import Application
from enfilade.identity.permissions import CONFIGURATION_READ, CONFIGURATION_WRITE

Prune = Annotated[bool, Query(description="Remove what the document no longer names.")]


class ChangeView(View):
    """One line of a plan."""

    action: Annotated[str, Field(description="create, change or remove.")]
    kind: str
    name: str
    tenant: str | None


class NewKeyView(View):
    """A key that was made; its secret is shown this once."""

    tenant: str | None
    name: str
    application: str | None
    roles: list[str]
    secret: str | None


class ApplicationView(View):
    """What was done, or would be."""

    changes: list[ChangeView]
    keys: list[NewKeyView]
    revision: Annotated[int | None, Field(description="The configuration's revision after it; null for a plan.")]


def show(result: Application) -> ApplicationView:
    """An application as it is shown."""
    return ApplicationView(
        changes=[ChangeView(action=c.action, kind=c.kind, name=c.name, tenant=c.tenant) for c in result.changes],
        keys=[
            NewKeyView(tenant=k.tenant, name=k.name, application=k.application, roles=list(k.roles), secret=k.secret)
            for k in result.keys
        ],
        revision=result.revision,
    )


ROUTER = APIRouter(prefix="/configuration", tags=["configuration"])
Reader = Annotated[Actor, Depends(Needs(CONFIGURATION_READ))]
Writer = Annotated[Actor, Depends(Needs(CONFIGURATION_WRITE, "platform"))]


@ROUTER.get("", response_model=Document)
async def export(context: Context, actor: Reader) -> JSONResponse:
    """Export the running state, without what has its default value."""
    return JSONResponse(plain(await export_document(context.rooms, actor.scope)))


@ROUTER.get("/schema")
async def schema(context: Context, actor: Reader) -> dict[str, Any]:
    """The document's JSON Schema."""
    del actor
    return document_schema()


@ROUTER.post("/plan")
async def plan(context: Context, body: Document, actor: Writer, prune: Prune = False) -> ApplicationView:  # noqa: FBT002
    """What applying a document would do; nothing is changed."""
    return show(await context.configuration.plan(actor.scope, body, prune=prune))


@ROUTER.post("/apply")
async def apply(context: Context, body: Document, actor: Writer, prune: Prune = False) -> ApplicationView:  # noqa: FBT002
    """Make the platform as the document says, or change nothing."""
    return show(await context.configuration.apply(actor.scope, body, prune=prune))
