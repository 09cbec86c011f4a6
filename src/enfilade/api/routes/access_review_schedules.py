"""Access reviews that are repeated."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.review_views import ScheduleBody, ScheduleView, schedule_view, settings_of
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.core.errors import InvalidRequest
from enfilade.identity.permissions import REVIEWS_READ, REVIEWS_WRITE

ROUTER = APIRouter(prefix="/access-review-schedules", tags=["access reviews"])
Reader = Annotated[Actor, Depends(Needs(REVIEWS_READ))]
OneReader = Annotated[Actor, Depends(Needs(REVIEWS_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(REVIEWS_WRITE, "one"))]


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[ScheduleView]:
    """List schedules."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await page_of(
            lambda after, count: context.reviews.campaigns.page_schedules(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda schedule: schedule,
        )
        views = [await schedule_view(context, unit, schedule) for schedule in found.items]
    return Page(items=views, next=found.next)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: OneReader, response: Response) -> ScheduleView:
    """Show a schedule."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        schedule = await context.reviews.campaigns.get_schedule(unit, name)
        tag(response, schedule.version)
        return await schedule_view(context, unit, schedule)


@ROUTER.put("/{name}")
async def put(
    context: Context, name: str, body: ScheduleBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> ScheduleView:
    """Repeat a campaign: the first begins at `next_at`."""
    if body.name != name:
        message = "The name in the address and the one in the body differ."
        raise InvalidRequest(message, param="name")
    async with context.storage.unit_of_work(actor.scope) as unit:
        settings = await settings_of(context, unit, body)
        schedule, _ = await context.reviews.campaigns.put_schedule(
            unit, name, settings, body.every, body.next_at, expected_version(if_match)
        )
        tag(response, schedule.version)
        return await schedule_view(context, unit, schedule)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Repeat it no more; campaigns that run go on."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.reviews.campaigns.remove_schedule(unit, name, expected_version(if_match))
