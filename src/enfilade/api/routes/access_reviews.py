"""Access reviews: campaigns, what they ask, the answers, and the report."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.access.reviews.campaigns import unknown
from enfilade.access.reviews.report import as_csv, as_markdown, find_report
from enfilade.access.reviews.types import Review
from enfilade.api.admin.approval_views import Id, Text, own_only
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.review_views import (
    CampaignBody,
    ItemView,
    ReviewView,
    item_view,
    review_view,
    settings_of,
)
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, Limit, Page, page_of
from enfilade.identity.permissions import REVIEWS_READ, REVIEWS_WRITE
from enfilade.storage.unit_of_work import UnitOfWork

UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
ItemId = Annotated[str, Path(alias="item", pattern=UUID)]
MEDIA = {"json": "application/json", "csv": "text/csv; charset=utf-8", "markdown": "text/markdown; charset=utf-8"}


class AnswerBody(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["keep", "revoke", "change"]
    reason: Text
    change: Annotated[
        dict[Literal["role", "expires_at", "ends_at"], str] | None,
        Field(description="To what: a role that includes less, or an earlier end of a key or of access for a time."),
    ] = None


class ReviewersBody(BaseModel):
    """Who is to answer instead."""

    model_config = ConfigDict(extra="forbid")

    reviewers: Annotated[list[Annotated[str, Field(max_length=255)]], Field(min_length=1, max_length=50)]


class ItemListing(BaseModel):
    """Which items to list."""

    model_config = ConfigDict(extra="ignore")

    limit: Annotated[int, Field(ge=1, le=500, description="How many at most.")] = 50
    cursor: Annotated[str | None, Field(max_length=500, description="`next` of the previous page.")] = None
    mine: Annotated[bool, Field(description="Only those that you answer.")] = False
    answered: Annotated[bool | None, Field(description="Only those that are, or are not, answered.")] = None


ROUTER = APIRouter(prefix="/access-reviews", tags=["access reviews"])
# Who is asked sees what they are asked, and answers it.
Anybody = Annotated[Actor, Depends(Needs(None))]
AnybodyOfOne = Annotated[Actor, Depends(Needs(None, "one"))]
Reader = Annotated[Actor, Depends(Needs(REVIEWS_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(REVIEWS_WRITE, "one"))]


async def visible(context: AdminContext, unit: UnitOfWork, actor: Actor, identifier: str) -> Review:
    """A campaign that the caller may see. Raises UnknownReview."""
    review = await context.reviews.campaigns.get(unit, identifier)
    person = own_only(actor, REVIEWS_READ)
    if person is not None and not await context.reviews.answers.page(unit, review, None, 1, person):
        raise unknown(identifier)
    return review


@ROUTER.get("")
async def page(context: Context, actor: Anybody, limit: Limit = 50, cursor: Cursor = None) -> Page[ReviewView]:
    """List campaigns: with `reviews:read` all, else those in which something is asked of you."""
    person = own_only(actor, REVIEWS_READ)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.reviews.campaigns.page(unit, after, count, actor.tenant, person),
            cursor,
            limit,
            lambda review: review_view(context, review),
        )


@ROUTER.post("", status_code=201)
async def start(context: Context, body: CampaignBody, actor: Writer) -> ReviewView:
    """Start a campaign: who may do what is taken down now, and others are asked."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        settings = await settings_of(context, unit, body)
        review = await context.reviews.campaigns.start(unit, body.name, settings)
    return review_view(context, review)


@ROUTER.get("/{id}")
async def read(context: Context, id: Id, actor: AnybodyOfOne) -> ReviewView:  # noqa: A002 - the name in the path
    """Show a campaign."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return review_view(context, await visible(context, unit, actor, id))


@ROUTER.get("/{id}/items")
async def page_items(
    context: Context,
    id: Id,  # noqa: A002 - the name in the path
    actor: AnybodyOfOne,
    listing: Annotated[ItemListing, Query()],
) -> Page[ItemView]:
    """List what a campaign asks: with `reviews:read` everything, else what is asked of you."""
    person = actor.scope.user if listing.mine else own_only(actor, REVIEWS_READ)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        review = await visible(context, unit, actor, id)
        return await page_of(
            lambda after, count: context.reviews.answers.page(unit, review, after, count, person, listing.answered),
            listing.cursor,
            listing.limit,
            lambda item: item_view(context, review.tenant, item),
        )


@ROUTER.post("/{id}/items/{item}/answer")
async def answer(
    context: Context,
    id: Id,  # noqa: A002 - the name in the path
    item: ItemId,
    body: AnswerBody,
    actor: AnybodyOfOne,
) -> ItemView:
    """Keep, revoke or lessen what you are asked about; it takes effect at once."""
    answers = context.reviews.answers
    change = None if body.change is None else {str(name): value for name, value in body.change.items()}
    async with context.storage.unit_of_work(actor.scope) as unit:
        review = await visible(context, unit, actor, id)
        await answers.answer(
            unit, actor.scope.user, id, item, decision=body.decision, reason=body.reason, change=change
        )
    await answers.apply(review.tenant, id)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return item_view(context, review.tenant, await answers.get(unit, id, item))


@ROUTER.put("/{id}/items/{item}/reviewers")
async def reassign(
    context: Context,
    id: Id,  # noqa: A002 - the name in the path
    item: ItemId,
    body: ReviewersBody,
    actor: Writer,
) -> ItemView:
    """Have others answer, by their addresses; nobody about their own access."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        review = await context.reviews.campaigns.get(unit, id)
        found = await context.reviews.answers.reassign(unit, id, item, body.reviewers)
    return item_view(context, review.tenant, found)


@ROUTER.post("/{id}/close")
async def close(context: Context, id: Id, actor: Writer) -> ReviewView:  # noqa: A002 - the name in the path
    """Close a campaign in which everything is answered, before it is due."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        return review_view(context, await context.reviews.answers.close(unit, id))


@ROUTER.get("/{id}/report", responses={200: {"content": {media.split(";")[0]: {} for media in MEDIA.values()}}})
async def report(
    context: Context,
    id: Id,  # noqa: A002 - the name in the path
    actor: Reader,
    form: Annotated[Literal["json", "csv", "markdown"], Query(alias="format", description="The form.")] = "json",
) -> Response:
    """The report of a closed campaign, with evidence. In JSON its bytes have the SHA-256 that the closing event names."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        text = await find_report(unit, await context.reviews.campaigns.get(unit, id))
    forms: dict[str, Callable[[str], str]] = {"json": str, "csv": as_csv, "markdown": as_markdown}
    return Response(forms[form](text), media_type=MEDIA[form])
