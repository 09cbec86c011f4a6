"""Models of the catalogue, and the health of their deployments."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, View, expected_version, page_of, tag
from enfilade.configuration.model_parts import Model as ModelBody
from enfilade.configuration.prices import own_prices, put_prices
from enfilade.configuration.specs import model_fields, model_spec
from enfilade.core.errors import InvalidRequest
from enfilade.gateway.types import CatalogueRecord
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import CATALOGUE_READ, CATALOGUE_WRITE
from enfilade.storage.unit_of_work import UnitOfWork

Name = Annotated[str, Path(max_length=200)]


class ModelView(ModelBody):
    """A model."""

    id: str
    version: int


class DeploymentHealth(View):
    """How a deployment fares, as this process sees it."""

    deployment: str
    breaker: Annotated[str, Field(description="closed, open or half_open.")]
    retry_in_s: Annotated[float, Field(description="When an open breaker lets a call through again.")]


ROUTER = APIRouter(tags=["catalogue"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(CATALOGUE_WRITE, "platform"))]


async def show(context: AdminContext, unit: UnitOfWork, record: CatalogueRecord) -> ModelView:
    """A model with its price."""
    prices = await own_prices(context.rooms.prices.overrides, context.clock, unit, record.spec.name)
    return ModelView(**model_fields(record.spec), **prices, id=record.id, version=record.version)


@ROUTER.get("/models")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[ModelView]:
    """List models."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await page_of(
            lambda after, count: context.rooms.catalogue.page_models(unit, after, count),
            cursor,
            limit,
            lambda record: record,
        )
        return Page(items=[await show(context, unit, record) for record in found.items], next=found.next)


@ROUTER.post("/models", status_code=201)
async def create(context: Context, body: ModelBody, actor: Writer, response: Response) -> ModelView:
    """Declare a model."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        if await context.rooms.catalogue.find_model(unit, body.name) is not None:
            message = f"There is a model {body.name!r} already."
            raise AlreadyExists(message)
        record, _ = await context.rooms.catalogue.put_model(unit, model_spec(body))
        await put_prices(context.rooms.prices.overrides, context.clock, unit, body)
        view = await show(context, unit, record)
    tag(response, record.version)
    return view


@ROUTER.get("/models/{name:path}")
async def read(context: Context, name: Name, actor: Reader, response: Response) -> ModelView:
    """Show a model."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        record = await context.rooms.catalogue.get_model(unit, name)
        view = await show(context, unit, record)
    tag(response, record.version)
    return view


@ROUTER.put("/models/{name:path}")
async def change(
    context: Context, name: Name, body: ModelBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> ModelView:
    """Change a model."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.rooms.catalogue.get_model(unit, name)
        if body.name != present.spec.name:
            message = "A model cannot be renamed; declare another one, and an alias."
            raise InvalidRequest(message, param="name")
        record, _ = await context.rooms.catalogue.put_model(unit, model_spec(body), expected_version(if_match))
        await put_prices(context.rooms.prices.overrides, context.clock, unit, body)
        view = await show(context, unit, record)
    tag(response, record.version)
    return view


@ROUTER.delete("/models/{name:path}", status_code=204)
async def remove(context: Context, name: Name, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove a model that nothing refers to."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.catalogue.remove_model(unit, name, expected_version(if_match))


@ROUTER.get("/deployments")
async def health(context: Context, actor: Reader) -> list[DeploymentHealth]:
    """The health of the deployments that this process has called."""
    del actor
    return [
        DeploymentHealth(deployment=label, breaker=breaker.state, retry_in_s=round(breaker.seconds_until_trial(), 3))
        for label, breaker in sorted(context.rooms.catalogue.breakers().items())
    ]
