"""Forecasts, anomalies, movers, savings and alerts, from the ledger through roll-ups."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock, to_ns
from enfilade.costs.errors import InvalidAlertQuery
from enfilade.costs.holds.windows import window_at
from enfilade.costs.outlook.alerts import ALERTS, AlertQuery, page_alerts
from enfilade.costs.outlook.forecast import (
    KINDS,
    BudgetForecast,
    BudgetQuestion,
    Forecast,
    ScopeQuestion,
    forecast_budgets,
    forecast_scopes,
)
from enfilade.costs.outlook.movers import Comparison, compare
from enfilade.costs.outlook.rules import AnomalyRules
from enfilade.costs.outlook.savings import PROMPT_CACHE, REPLY_CACHE, Savings, report_savings
from enfilade.costs.outlook.store import ALERT_TYPES
from enfilade.identity.scopes import system_scope, tenant_scope
from tests.postgres.costs.conftest import Company, make_company
from tests.postgres.costs.histories import hourly, spike, told, write
from tests.support.histories import Cost, write_history
from tests.support.ledger import rows
from tests.support.parts import NOON, make_tenant, open_parts, unit_in
from tests.support.postgres import TestServer

pytestmark = pytest.mark.asyncio(loop_scope="module")
USD = 10**9
HOUR = timedelta(hours=1)
WHOLE = pytest.mark.parametrize("is_rolled_up", [True, False], ids=["rolled up", "not rolled up"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(server: TestServer) -> AsyncIterator[Parts]:
    """Parts on one database for all tests here, each of which makes tenants of its own; it is noon all the time."""
    async with server.database() as database, open_parts(database, ManualClock()) as parts:
        yield parts


@pytest_asyncio.fixture(loop_scope="module")
async def company(shared: Parts) -> Company:
    """A tenant that nobody else uses."""
    return await make_company(shared, f"company-{shared.ids.new_id()}")


def scopes(events: list[dict[str, Any]]) -> set[str]:
    return {event["scope"] for event in events}


# Anomalies.


@WHOLE
async def test_an_hour_beyond_twice_its_usual_is_told_of_once_for_each_scope(
    company: Company, *, is_rolled_up: bool
) -> None:
    await write(company, hourly(company, 40, 2 * USD), is_rolled_up=is_rolled_up)
    assert await found(company) == []
    await write(
        company,
        [spike(company, 3 * USD), spike(company, 2 * USD, user="ben@acme.example", model="gpt")],
        is_rolled_up=is_rolled_up,
    )
    events = {event["scope"]: event for event in await found(company)}
    assert set(events) == {"tenant", "department", "application"}
    event = events["application"]
    assert event["subject"] == company.ids["application:copilot"]
    assert event["hour"] == "2026-11-02T12:00:00.000000Z"
    assert (event["actual_usd"], event["usual_usd"]) == ("5.000000000", "2.000000000")
    assert (event["times_usual"], event["is_over"], event["basis"]) == ("2.5", False, "hour_of_week")
    assert event["users"] == [
        {"id": company.ids["user:ana@acme.example"], "cost_usd": "3.000000000"},
        {"id": company.ids["user:ben@acme.example"], "cost_usd": "2.000000000"},
    ]
    assert event["models"][0] == {"name": "chat", "cost_usd": "3.000000000"}
    assert event["keys"] == [{"id": company.ids["key:copilot-key"], "cost_usd": "5.000000000"}]
    assert len(await found(company)) == 3


async def test_exactly_twice_the_usual_and_little_money_are_no_anomalies(company: Company) -> None:
    await write(company, [*hourly(company, 40, USD), spike(company, 2 * USD)])
    assert await found(company) == []
    await write(company, hourly(company, 40, USD // 1000, application="review"))
    scope = company.scope("review")
    await write(company, [Cost(NOON, USD // 2, scope.department, scope.application)])
    assert scopes(await found(company)) == {"tenant", "model"}


async def test_a_young_tenant_has_no_anomalies(company: Company) -> None:
    await write(company, [*hourly(company, 13, 2 * USD), spike(company, 500 * USD)])
    assert await found(company) == []


async def test_each_tenant_goes_by_its_own_rules(company: Company) -> None:
    await write(company, [*hourly(company, 40, 2 * USD), spike(company, 7 * USD)])
    parts = company.parts
    for rules, expected in (
        (AnomalyRules(enabled=False), set()),
        (AnomalyRules(factor="4"), set()),
        (AnomalyRules(least_usd="8"), set()),
        (AnomalyRules(scopes=("model",)), {"model"}),
    ):
        async with unit_in(parts, company.tenant) as unit:
            await parts.anomaly_rules.put(unit, rules)
        assert scopes(await found(company)) == expected
    async with unit_in(parts, company.tenant) as unit:
        assert await parts.anomaly_rules.remove(unit)
    assert scopes(await found(company)) == {"tenant", "department", "application", "model"}


async def test_hours_are_those_of_the_tenants_clock(shared: Parts) -> None:
    company = await make_company(shared, "vienna", time_zone="Europe/Vienna")
    zone = ZoneInfo("Europe/Vienna")
    # Dear from one to two on its clock, also before clocks were set back: the hour before it is cheap.
    days = [(NOON - timedelta(days=back)).astimezone(zone).date() for back in range(1, 50)]
    dear = [datetime(day.year, day.month, day.day, 13, 30, tzinfo=zone).astimezone(UTC) for day in days]
    await write(company, [spike(company, 30 * USD, at) for at in dear])
    await write(company, [*(spike(company, USD, at - HOUR) for at in dear), spike(company, 33 * USD)])
    assert await found(company) == []
    await write(company, [spike(company, 40 * USD)])
    assert {event["usual_usd"] for event in await found(company)} == {"30.000000000"}


async def test_an_anomaly_of_last_week_does_not_hide_this_weeks(company: Company) -> None:
    week = timedelta(weeks=1)
    await write(company, [*hourly(company, 56, 2 * USD), spike(company, 90 * USD, NOON - week)])
    await write(company, [spike(company, 90 * USD, NOON - 2 * week), spike(company, 10 * USD)])
    events = await found(company)
    assert len(events) == 4
    assert {event["usual_usd"] for event in events} == {"2.000000000"}


async def found(company: Company) -> list[dict[str, Any]]:
    """What a tenant is told of after a look."""
    await company.parts.anomalies.look()
    return await told(company)


# Forecasts.


async def foretell(company: Company, kind: str, zone: str = "UTC", now: datetime = NOON) -> dict[str, Forecast]:
    parts = company.parts
    async with parts.storage.unit_of_work(tenant_scope(company.tenant, "test"), readonly=True) as unit:
        asked = ScopeQuestion(kind, "month", company.tenant)
        found, count = await forecast_scopes(unit, asked, to_ns(now), {company.tenant: zone})
    assert count == len(found)
    return {forecast.subject: forecast for forecast in found}


@WHOLE
async def test_what_is_spent_is_the_ledgers_sum_and_the_rest_goes_on(company: Company, *, is_rolled_up: bool) -> None:
    await write(company, hourly(company, 60, 2 * USD), is_rolled_up=is_rolled_up)
    await write(company, hourly(company, 60, 5 * USD, application="review"), is_rolled_up=is_rolled_up)
    for kind in KINDS:
        found = await foretell(company, kind)
        column = "tenant_id" if kind == "tenant" else kind if kind == "model" else f"{kind}_id"
        sums = await rows(
            company.parts,
            f"SELECT {column}::text AS subject, sum(amount_nano)::bigint AS nano FROM ledger"
            f" WHERE started_at >= $1 AND tenant_id = $2 GROUP BY 1",
            datetime(2026, 11, 1, tzinfo=UTC),
            company.tenant,
        )
        assert {subject: forecast.spent for subject, forecast in found.items()} == {
            row["subject"]: row["nano"] for row in sums
        }
        for forecast in found.values():
            assert forecast.projection is not None
            hours, passed = 28.5 * 24, 36
            assert forecast.projection.expected == pytest.approx(forecast.spent * hours / passed, rel=0.02)
            assert forecast.projection.low <= forecast.projection.expected <= forecast.projection.high


async def test_a_scope_of_today_has_no_forecast_and_one_of_yesterday_a_wide_one(company: Company) -> None:
    await write(company, [spike(company, 5 * USD, NOON - HOUR, model="today")])
    await write(company, [spike(company, 5 * USD, NOON - timedelta(days=1), model="yesterday")])
    found = await foretell(company, "model")
    assert found["today"].projection is None
    wide = found["yesterday"].projection
    assert wide is not None
    assert wide.history_days == 1
    assert wide.high > 10 * wide.low > 0


async def test_months_end_where_the_tenants_do(shared: Parts) -> None:
    company = await make_company(shared, "new-york", time_zone="America/New_York")
    now = datetime(2026, 10, 20, 4, tzinfo=UTC)
    await write(company, hourly(company, 60, USD, until=now))
    forecast = (await foretell(company, "tenant", zone="America/New_York", now=now))[company.tenant]
    assert forecast.spent == 19 * 24 * USD
    assert forecast.projection is not None
    assert forecast.projection.expected == pytest.approx(12 * 24 * USD, rel=0.01)
    assert forecast.window == window_at("month", to_ns(now), "America/New_York")


async def test_the_dearest_come_first_and_the_rest_is_counted(company: Company) -> None:
    costs = [spike(company, (number + 1) * USD, NOON - timedelta(days=2), model=f"m{number}") for number in range(5)]
    await write(company, costs)
    parts = company.parts
    async with parts.storage.unit_of_work(tenant_scope(company.tenant, "test"), readonly=True) as unit:
        found, count = await forecast_scopes(
            unit, ScopeQuestion("model", "month", company.tenant, 2), parts.clock.now_ns(), {company.tenant: "UTC"}
        )
    assert ([forecast.subject for forecast in found], count) == (["m4", "m3"], 5)


async def test_the_platform_sees_each_tenant_in_its_own_time(company: Company) -> None:
    parts = company.parts
    other = await make_tenant(parts, "tokyo", time_zone="Asia/Tokyo")
    await write(company, hourly(company, 50, USD))
    await write_history(parts, other.id, [Cost(NOON - hour * HOUR, 3 * USD) for hour in range(1, 1200)])
    zones = {company.tenant: "UTC", other.id: "Asia/Tokyo"}
    async with parts.storage.unit_of_work(system_scope("test"), readonly=True) as unit:
        found, _ = await forecast_scopes(unit, ScopeQuestion("tenant", "month", None), parts.clock.now_ns(), zones)
    spent = {forecast.tenant: forecast.spent for forecast in found}
    assert (spent[company.tenant], spent[other.id]) == (36 * USD, 45 * 3 * USD)


# Budgets.


async def outlook(company: Company, **asked: Any) -> BudgetForecast:
    now_ns = company.parts.clock.now_ns()
    fields = {"kind": "tenant", "subject": company.tenant, "model": None, "spent": 0, "ceiling": USD} | asked
    fields["window"] = window_at(fields.pop("period", "month"), now_ns)
    async with company.parts.storage.unit_of_work(tenant_scope(company.tenant, "test"), readonly=True) as unit:
        question = BudgetQuestion(company.tenant, **fields)
        (found,) = await forecast_budgets(unit, [question], now_ns, company.tenant, {company.tenant: "UTC"})
    assert found is not None
    return found


async def test_days_until_a_budget_is_used_up(company: Company) -> None:
    await write(company, hourly(company, 60, USD))
    found = await outlook(company, ceiling=(36 + 48) * USD)
    assert found.forecast.spent == 36 * USD
    assert found.expected_at is not None
    assert abs(found.expected_at - (NOON + timedelta(days=2))) < timedelta(hours=1)
    assert found.earliest_at is not None
    assert found.latest_at is not None
    assert found.earliest_at < found.expected_at < found.latest_at
    assert (await outlook(company, ceiling=36 * USD)).expected_at == NOON
    # What resets first is not used up within its window.
    found = await outlook(company, ceiling=1000 * USD)
    assert (found.expected_at, found.earliest_at, found.latest_at) == (None, None, None)
    found = await outlook(company, ceiling=(36 + 48) * USD, period="day")
    assert (found.forecast.spent, found.expected_at) == (12 * USD, None)
    # What never resets is looked at for a year.
    found = await outlook(company, period="total", spent=500 * USD, ceiling=1220 * USD)
    assert found.expected_at is not None
    assert abs(found.expected_at - (NOON + timedelta(days=30))) < timedelta(hours=1)
    assert (await outlook(company, period="total", ceiling=100_000 * USD)).expected_at is None


async def test_only_what_counts_for_a_budget_is_counted(company: Company) -> None:
    await write(company, hourly(company, 40, USD))
    await write(company, hourly(company, 40, 7 * USD, application="review"))
    scope = company.scope("review")
    await write(
        company,
        [
            Cost(NOON - hour * HOUR, 3 * USD, application=scope.application, model=model)
            for hour in range(1, 960)
            for model in ("gpt-5", "gpt-5-mini")
        ],
    )
    application = {"kind": "application", "subject": company.ids["application:review"]}
    assert (await outlook(company, **application)).forecast.spent == 36 * 13 * USD
    assert (await outlook(company, **application, model="gpt-*")).forecast.spent == 36 * 6 * USD
    assert (await outlook(company, **application, model="gpt-5")).forecast.spent == 36 * 3 * USD
    assert (await outlook(company, model="chat")).forecast.spent == 36 * 8 * USD
    nothing = await outlook(company, model="unheard-of")
    assert (nothing.forecast.spent, nothing.forecast.projection) == (0, None)


# Movers and savings.


async def comparison(company: Company, dimension: str, period: str = "month") -> Comparison:
    parts = company.parts
    async with parts.storage.unit_of_work(tenant_scope(company.tenant, "test"), readonly=True) as unit:
        zones = {company.tenant: "UTC"}
        return await compare(unit, dimension, period, parts.clock.now_ns(), company.tenant, zones)


@WHOLE
async def test_movers_add_up_to_the_ledger(company: Company, *, is_rolled_up: bool) -> None:
    month = timedelta(days=32)
    before, now = NOON - month, NOON - HOUR
    review = company.scope("review")
    await write(
        company,
        [
            spike(company, 100 * USD, datetime(2026, 10, 1, 5, tzinfo=UTC)),
            spike(company, 150 * USD, now),
            Cost(datetime(2026, 10, 2, 11, 59, tzinfo=UTC), 40 * USD, application=review.application, model="gpt"),
            Cost(datetime(2026, 10, 2, 12, 1, tzinfo=UTC), 999 * USD, application=review.application, model="gpt"),
            Cost(before - month, 999 * USD, application=review.application),
            Cost(now, 8 * USD, application=None, quantity=80),
        ],
        is_rolled_up=is_rolled_up,
    )
    found = await comparison(company, "application")
    assert (found.before_nano, found.after_nano, found.left_out_nano) == (140 * USD, 158 * USD, 0)
    copilot, gone, new = found.movers
    assert (copilot.status, copilot.difference, copilot.price, copilot.volume) == ("up", 50 * USD, 50 * USD, 0)
    assert (gone.status, gone.volume) == ("gone", -40 * USD)
    assert (new.subject, new.status, new.volume) == (None, "new", 8 * USD)
    for dimension in ("tenant", "department", "user", "key", "model"):
        by = await comparison(company, dimension)
        assert sum(mover.difference for mover in by.movers) == 18 * USD
        assert sum(mover.price + mover.volume + mover.other for mover in by.movers) == 18 * USD


async def test_savings_of_both_caches_are_told_apart(company: Company) -> None:
    copilot, review = company.scope("copilot").application, company.scope("review").application
    at = NOON - HOUR
    await write(
        company,
        [
            Cost(at, 10 * USD, application=copilot, saved=3 * USD),
            Cost(at, 0, application=copilot, deployment=None, saved=5 * USD),
            Cost(at, 20 * USD, application=review, could=4 * USD),
            Cost(at - timedelta(days=40), 20 * USD, application=review, could=4 * USD),
        ],
    )
    parts = company.parts
    async with parts.storage.unit_of_work(tenant_scope(company.tenant, "test"), readonly=True) as unit:
        found: Savings = await report_savings(unit, NOON - timedelta(days=1), NOON, company.tenant, {})
    assert (found.spent, found.by_provider, found.by_replies, found.could) == (30 * USD, 3 * USD, 5 * USD, 4 * USD)
    first, second = found.items
    assert (first.application, first.by_provider, first.by_replies, first.advice) == (copilot, 3 * USD, 5 * USD, None)
    assert (second.application, second.could, second.advice) == (review, 4 * USD, REPLY_CACHE)


async def test_long_prompts_that_no_cache_reads_are_pointed_at(company: Company) -> None:
    copilot = company.scope("copilot")
    for _ in range(100):
        await company.spend(
            5000, NOON - HOUR, kinds=["input"], quantities=[3000], rates=[1_666_667], amounts=[5000], input_tokens=3000
        )
    parts = company.parts
    async with parts.storage.unit_of_work(tenant_scope(company.tenant, "test"), readonly=True) as unit:
        found = await report_savings(unit, NOON - timedelta(days=1), NOON, company.tenant, {})
    (item,) = found.items
    assert (item.application, item.calls, item.advice) == (copilot.application, 100, PROMPT_CACHE)


# Alerts.


async def test_the_index_of_alerts_holds_every_type(company: Company) -> None:
    (row,) = await rows(
        company.parts,
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'enfilade_shared' AND indexname = 'events_alerts'",
    )
    for name in ALERT_TYPES:
        assert f"'{name}'" in row["indexdef"]
    assert row["indexdef"].count("'::text") == len(ALERT_TYPES)


async def test_alerts_come_newest_first_and_in_pages(company: Company) -> None:
    parts = company.parts
    names = [name for name in ALERTS if name != "ReconciliationDifference"]
    async with unit_in(parts, company.tenant) as unit:
        for number in range(7):
            for name in (names[number % len(names)], "DepartmentCreated"):
                body = json.dumps({"data": {"number": number}})
                at = NOON + timedelta(seconds=number // 2)
                await unit.execute("SELECT append_events($1, $2, $3, $4)", [company.tenant], [name], [at], [body])
    query = AlertQuery(company.tenant, NOON - HOUR, NOON + HOUR)
    found: list[int] = []
    cursor: str | None = None
    async with parts.storage.unit_of_work(tenant_scope(company.tenant, "test"), readonly=True) as unit:
        while True:
            page, cursor = await page_alerts(unit, query, cursor, 3)
            found += [alert.data["number"] for alert in page]
            if cursor is None:
                break
        assert found == [6, 5, 4, 3, 2, 1, 0]
        only = AlertQuery(company.tenant, NOON - HOUR, NOON + HOUR, (names[1],))
        assert [alert.data["number"] for alert in (await page_alerts(unit, only, None, 9))[0]] == [1]
        for wrong in ("x", "MjAyNi0xMS0wMnx4fDE", "MQ"):
            with pytest.raises(InvalidAlertQuery):
                await page_alerts(unit, query, wrong, 3)
        with pytest.raises(InvalidAlertQuery):
            await page_alerts(unit, AlertQuery(None, NOON, NOON, ("CallSettled",)), None, 3)
