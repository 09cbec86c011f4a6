"""Forecasts: what will have been spent, and when budgets are used up."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.outlook import NOUNS, Names, names_of, zones_of
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Incomplete, Money, View
from enfilade.configuration.listing import everything
from enfilade.core.clock import to_datetime
from enfilade.core.money import format_usd
from enfilade.costs.holds.types import BudgetRule
from enfilade.costs.holds.windows import FOREVER_NS
from enfilade.costs.outlook.forecast import (
    BudgetForecast,
    BudgetQuestion,
    Forecast,
    ScopeQuestion,
    budget_window,
    forecast_budgets,
    forecast_scopes,
)
from enfilade.identity.errors import PermissionMissing
from enfilade.identity.permissions import BUDGETS_READ, SPEND_READ
from enfilade.storage import rounds
from enfilade.storage.errors import DatabaseUnavailable

By = Literal["tenant", "department", "application", "user", "key", "model", "budget"]
Span = Literal["day", "week", "month", "quarter", "year"]
DAY = timedelta(days=1)
NOTHING_KNOWN = "Nothing was spent on any whole day before today, so there is nothing to go by."
ENDLESS = "This budget never resets: only when it is used up can be foretold, up to a year ahead."


class BudgetOutlookView(View):
    """When a budget is used up, if it goes on like this. Null: not before it resets; of `total`, not within a year."""

    id: str
    model: str | None
    action: str
    limit_usd: Annotated[Money, Field(description="With what is carried over and with raises that run now.")]
    used_up_at: Annotated[datetime | None, Field(description="As expected.")]
    earliest_at: Annotated[datetime | None, Field(description="If it goes as at the upper end of the range.")]
    latest_at: Annotated[datetime | None, Field(description="If it goes as at the lower end.")]
    days_left: Annotated[float | None, Field(description="Until `used_up_at`.")]


class ForecastView(View):
    """What a scope will have spent. Of ten such ranges, about eight should hold what it comes to."""

    name: str
    id: Annotated[str | None, Field(description="The subject's id, where it has one.")]
    kind: str
    tenant: str
    window: str
    window_start: Annotated[datetime | None, Field(description="Null for budgets that never reset.")]
    window_end: Annotated[datetime | None, Field(description="In the tenant's time zone, without itself.")]
    spent_usd: Money
    expected_usd: Annotated[Money | None, Field(description="At the window's end; null where nothing is known.")]
    low_usd: Money | None
    high_usd: Money | None
    history_days: Annotated[int, Field(description="Whole days that it rests on.")]
    basis: Annotated[
        Literal["backtested", "short", "none"],
        Field(description="Whether earlier forecasts give the range, or, with less than three weeks, a rule."),
    ]
    note: Annotated[str | None, Field(description="Why there is no forecast, in words.")]
    budget: BudgetOutlookView | None


class ForecastsView(View):
    """Forecasts, the dearest scopes first; of budgets, in the order of their making."""

    at: datetime
    by: str
    items: list[ForecastView]
    left_out: Annotated[int, Field(description="How many more there are.")]
    incomplete: Incomplete = Field(default_factory=rounds.left_out)


class ForecastQuery(BaseModel):
    """What to foretell."""

    model_config = ConfigDict(extra="ignore")

    by: By = "tenant"
    window: Annotated[Span, Field(description="The running one. Budgets have windows of their own.")] = "month"
    limit: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50


ROUTER = APIRouter(prefix="/forecast", tags=["calls and spend"])
Reader = Annotated[Actor, Depends(Needs(SPEND_READ))]


@ROUTER.get("")
async def forecast(context: Context, actor: Reader, query: Annotated[ForecastQuery, Query()]) -> ForecastsView:
    """Foretell what will have been spent at the end of a window, with a range."""
    if query.by == "budget":
        return await _budgets(context, actor, query)
    now_ns, zones = context.clock.now_ns(), zones_of(context, actor.tenant)
    asked = ScopeQuestion(query.by, query.window, actor.tenant, query.limit)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found, count = await forecast_scopes(unit, asked, now_ns, zones)
        wanted = [(entry.kind, entry.subject) for entry in found] + [("tenant", entry.tenant) for entry in found]
        names = await names_of(context, unit, wanted)
    items = [_view(entry, query.window, names, zones) for entry in found]
    return ForecastsView(at=to_datetime(now_ns), by=query.by, items=items, left_out=max(0, count - len(items)))


async def _budgets(context: AdminContext, actor: Actor, query: ForecastQuery) -> ForecastsView:
    if not actor.principal.scope.may(BUDGETS_READ):
        message = f"The key's roles do not include `{BUDGETS_READ}`."
        raise PermissionMissing(message, details={"permission": BUDGETS_READ})
    now_ns, zones = context.clock.now_ns(), zones_of(context, actor.tenant)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        rules = await everything(lambda after, count: context.rooms.budgets.page(unit, after, count, actor.tenant))
    asked: list[tuple[BudgetRule, BudgetQuestion]] = []
    looked_at = 0
    for rule in rules:
        # The meters of a budget may have to be filled first: not of those that are not shown.
        if len(asked) >= query.limit:
            break
        looked_at += 1
        try:
            asked += await _questions(context, rule, zones, now_ns)
        except DatabaseUnavailable as error:
            if actor.tenant is not None:
                raise
            rounds.leave_out(context.storage.cells.of(rule.tenant), error)
    shown = asked[: query.limit]
    left_out = len(asked) - len(shown) + len(rules) - looked_at
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await forecast_budgets(unit, [entry for _, entry in shown], now_ns, actor.tenant, zones)
        wanted = [(entry.kind, entry.subject) for _, entry in shown] + [("tenant", rule.tenant) for rule, _ in shown]
        names = await names_of(context, unit, wanted)
    items = [
        _with_budget(rule, question, entry, _view(entry.forecast, rule.period, names, zones), to_datetime(now_ns))
        for (rule, question), entry in zip(shown, found, strict=True)
        if entry is not None
    ]
    return ForecastsView(at=to_datetime(now_ns), by="budget", items=items, left_out=left_out)


async def _questions(
    context: AdminContext, rule: BudgetRule, zones: dict[str, str], now_ns: int
) -> list[tuple[BudgetRule, BudgetQuestion]]:
    """A budget for each subject that it is counted for. One that nobody has used has no meter yet."""
    calendar = rule.calendar._replace(time_zone=zones.get(rule.tenant, "UTC"))
    window = budget_window(rule.period, now_ns, calendar)
    if window is None:
        return []
    kind = rule.subject.kind
    meters = [(meter.subject, meter.ceiling, meter.spent) for meter in await context.costs.budget_meters(rule)]
    if not meters and not rule.subject.is_each:
        meters = [(rule.subject.id or rule.tenant, rule.limit_nano + rule.raised_at(now_ns), 0)]
    return [
        (rule, BudgetQuestion(rule.tenant, kind, subject, rule.model, window, ceiling, spent))
        for subject, ceiling, spent in sorted(meters, key=lambda meter: -meter[2])
    ]


def _with_budget(
    rule: BudgetRule, question: BudgetQuestion, entry: BudgetForecast, view: ForecastView, now: datetime
) -> ForecastView:
    zone = view.window_end.tzinfo if view.window_end else UTC
    expected, earliest, latest = (
        None if moment is None else moment.astimezone(zone)
        for moment in (entry.expected_at, entry.earliest_at, entry.latest_at)
    )
    view.budget = BudgetOutlookView(
        id=rule.id,
        model=rule.model,
        action=rule.action.value,
        limit_usd=format_usd(question.ceiling),
        used_up_at=expected,
        earliest_at=earliest,
        latest_at=latest,
        days_left=None if expected is None else round((expected - now) / DAY, 1),
    )
    return view


def _view(entry: Forecast, window: str, names: Names, zones: Mapping[str, str]) -> ForecastView:
    known = entry.projection
    is_endless = entry.window.end_ns >= FOREVER_NS
    zone = ZoneInfo(zones.get(entry.tenant, "UTC"))
    sums = None if known is None or is_endless else (known.expected, known.low, known.high)
    ends = [None if sums is None else format_usd(entry.spent + nano) for nano in sums or (0, 0, 0)]
    return ForecastView(
        name=names.get((entry.kind, entry.subject), entry.subject),
        id=entry.subject if entry.kind in NOUNS else None,
        kind=entry.kind,
        tenant=names.get(("tenant", entry.tenant), entry.tenant),
        window=window,
        window_start=None if is_endless else to_datetime(entry.window.start_ns).astimezone(zone),
        window_end=None if is_endless else to_datetime(entry.window.end_ns).astimezone(zone),
        spent_usd=format_usd(entry.spent),
        expected_usd=ends[0],
        low_usd=ends[1],
        high_usd=ends[2],
        history_days=known.history_days if known else 0,
        basis="none" if known is None else "backtested" if known.basis == "backtested" else "short",
        note=NOTHING_KNOWN if known is None else ENDLESS if is_endless else None,
        budget=None,
    )
