"""Alerts: what happened about money that somebody should see."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from enfilade.api.admin.outlook import names_of
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Listing, Page, View
from enfilade.audit.service import EARLIEST, LATEST
from enfilade.costs.outlook.alerts import ALERTS, AlertQuery, page_alerts
from enfilade.identity.permissions import SPEND_READ

TYPES = ", ".join(ALERTS)


class AlertView(View):
    """An alert. The reference page on alerts explains the fields of each type."""

    tenant: str
    seq: Annotated[int, Field(description="Which event of the tenant's log it is.")]
    at: datetime
    type: Annotated[str, Field(description=f"One of {TYPES}.")]
    title: Annotated[str, Field(description="What it says, for people.")]
    scope: Annotated[str | None, Field(description="The name of what it concerns, where it is one subject.")]
    data: dict[str, Any]


class AlertListing(Listing):
    """Which alerts to list."""

    type: Annotated[str | None, Field(max_length=300, description=f"One or several, with commas: {TYPES}.")] = None


ROUTER = APIRouter(prefix="/alerts", tags=["calls and spend"])
Reader = Annotated[Actor, Depends(Needs(SPEND_READ))]


@ROUTER.get("")
async def page(context: Context, actor: Reader, query: Annotated[AlertListing, Query()]) -> Page[AlertView]:
    """List alerts, newest first: thresholds, used-up budgets, anomalies, odd settlements, differences."""
    types = tuple(query.type.split(",")) if query.type else ()
    which = AlertQuery(actor.tenant, *query.moments(EARLIEST, LATEST), types)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        alerts, following = await page_alerts(unit, which, query.cursor, query.limit)
        subjects = [(str(alert.data.get("scope")), alert.data.get("subject")) for alert in alerts]
        names = await names_of(context, unit, [*subjects, *(("tenant", alert.tenant) for alert in alerts)])
    items = [
        AlertView(
            tenant=names.get(("tenant", alert.tenant), alert.tenant),
            seq=alert.seq,
            at=alert.at,
            type=alert.type,
            title=ALERTS[alert.type].title,
            scope=names.get((kind, subject or ""), subject),
            data=alert.data,
        )
        for alert, (kind, subject) in zip(alerts, subjects, strict=True)
    ]
    return Page(items=items, next=following)
