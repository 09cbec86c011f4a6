"""Savings: what caches saved, and what they could save."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from enfilade.api.admin.outlook import Names, names_of, zones_of
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Incomplete, Money, Period, View
from enfilade.core.clock import to_datetime
from enfilade.core.money import format_usd
from enfilade.costs.outlook.savings import PROMPT_CACHE, REPLY_CACHE, Saving, report_savings
from enfilade.identity.permissions import SPEND_READ
from enfilade.storage import rounds

ByProvider = Annotated[Money, Field(description="By the provider's prompt cache: cached input costs less.")]
ByReplies = Annotated[Money, Field(description="By our reply cache: what the calls that it answered would have cost.")]
Could = Annotated[
    Money, Field(description="By a reply cache beside: calls that repeated an earlier one word for word without one.")
]
WORDS = {
    REPLY_CACHE: "Switch the reply cache on: `cache: {ttl: 1h}` in the application's settings.",
    PROMPT_CACHE: "Prompts are long, and none is read from the provider's cache: begin them with what stays the same, "
    "and mark it for caching where the provider asks for marks.",
}


class SavingView(View):
    """An application's calls of one model."""

    tenant: str
    application: str | None
    application_id: str | None
    model: str | None
    calls: int
    answered_from_cache: int
    cost_usd: Money
    saved_by_provider_usd: ByProvider
    saved_by_replies_usd: ByReplies
    could_save_usd: Could
    advice: Annotated[Literal["reply_cache", "prompt_cache"] | None, Field(description="What would save something.")]
    what_to_do: Annotated[str | None, Field(description="The same in words.")]


class SavingsView(View):
    """A period's savings."""

    start: Annotated[datetime, Field(alias="from", serialization_alias="from")]
    to: datetime
    cost_usd: Money
    saved_by_provider_usd: ByProvider
    saved_by_replies_usd: ByReplies
    could_save_usd: Could
    items: Annotated[list[SavingView], Field(description="By application and model, the largest savings first.")]
    left_out: Annotated[int, Field(description="How many more there are.")]
    incomplete: Incomplete = Field(default_factory=rounds.left_out)


class SavingsQuery(Period):
    """Of which period."""

    limit: Annotated[int, Field(ge=1, le=1000, description="How many at most.")] = 50


ROUTER = APIRouter(prefix="/savings", tags=["calls and spend"])
Reader = Annotated[Actor, Depends(Needs(SPEND_READ))]


@ROUTER.get("")
async def savings(context: Context, actor: Reader, query: Annotated[SavingsQuery, Query()]) -> SavingsView:
    """Show what caches saved in a period, and what they could have saved; without a period: this month up to now."""
    zones = zones_of(context, actor.tenant)
    zone = ZoneInfo(zones[actor.tenant]) if actor.tenant else UTC
    now = to_datetime(context.clock.now_ns())
    month = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
    start, end = query.moments(month, now, zone)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await report_savings(unit, start, end, actor.tenant, zones)
        shown = found.items[: query.limit]
        wanted = [*(("application", item.application) for item in shown), *(("tenant", item.tenant) for item in shown)]
        names = await names_of(context, unit, wanted)
    fields = {
        "from": found.start,
        "to": found.end,
        "cost_usd": format_usd(found.spent),
        "saved_by_provider_usd": format_usd(found.by_provider),
        "saved_by_replies_usd": format_usd(found.by_replies),
        "could_save_usd": format_usd(found.could),
        "items": [_item(item, names) for item in shown],
        "left_out": len(found.items) - len(shown),
    }
    return SavingsView.model_validate(fields)


def _item(item: Saving, names: Names) -> dict[str, object]:
    return {
        "tenant": names.get(("tenant", item.tenant), item.tenant),
        "application": names.get(("application", item.application or ""), item.application),
        "application_id": item.application,
        "model": item.model,
        "calls": item.calls,
        "answered_from_cache": item.answered_from_cache,
        "cost_usd": format_usd(item.spent),
        "saved_by_provider_usd": format_usd(item.by_provider),
        "saved_by_replies_usd": format_usd(item.by_replies),
        "could_save_usd": format_usd(item.could),
        "advice": item.advice,
        "what_to_do": WORDS.get(item.advice or ""),
    }
