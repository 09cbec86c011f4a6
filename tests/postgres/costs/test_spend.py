"""What the ledger says that was spent, by each dimension and over any period."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from enfilade.costs.errors import InvalidRule
from enfilade.costs.spend.report import DIMENSIONS, Question, SpendGroup, SpendReport, report_spend
from enfilade.identity.scopes import system_scope, tenant_scope
from tests.postgres.costs.conftest import Company, make_company
from tests.postgres.costs.spend_oracle import answered, ask, read
from tests.support.parts import NOON

NOVEMBER = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
MICRO = timedelta(microseconds=1)
SPLITS: dict[str, dict[str | None, int]] = {
    "tenant": {"tenant": 543},
    "department": {"department:labs": 500, "department:sales": 43},
    "application": {"application:review": 500, "application:copilot": 43},
    "user": {None: 500, "user:ben@acme.example": 40, "user:ana@acme.example": 3},
    "key": {"key:review-key": 500, "key:copilot-key": 43},
    "model": {"gpt": 500, "chat": 43},
    "provider": {"sim": 543},
    "deployment": {"sim/echo": 541, "sim/other": 2},
    "region": {None: 503, "eu": 40},
    "use_case": {None: 541, "search": 2},
    "prompt": {None: 543},
    "metadata:team": {"red": 502, "blue": 40},
    "hour": {"2026-11-03T12:00:00+00:00": 500, "2026-11-02T12:00:00+00:00": 43},
    "day": {"2026-11-03": 500, "2026-11-02": 43},
    "week": {"2026-W45": 543},
    "month": {"2026-11": 543},
    "quarter": {"2026-Q4": 543},
}


async def _report(
    company: Company, *group_by: str, period: tuple[datetime, datetime] = NOVEMBER, **more: Any
) -> SpendReport:
    scope = tenant_scope(company.tenant, "test")
    async with company.parts.storage.unit_of_work(scope, readonly=True) as unit:
        return await report_spend(unit, Question(*period, group_by=group_by, **more))


@pytest.fixture
async def spender(company: Company) -> Company:
    """Ana spends 1 and 2 with copilot, Ben 40; review spends 500 without a person, on another model, estimated."""
    await company.spend(1)
    await company.spend(2, use_case="search", deployment="sim/other", metadata={"team": "red"})
    await company.spend(40, user="ben@acme.example", region="eu", metadata={"team": "blue"})
    later = NOON + timedelta(days=1)
    more: dict[str, Any] = {"model": "gpt", "estimated": True, "metadata": {"team": "red", "run": 1}}
    await company.spend(500, later, application="review", user=None, **more)
    return company


async def test_each_dimension_splits_the_same_total_dearest_first(spender: Company) -> None:
    await _splits(spender)
    await spender.parts.roll_ups.catch_up()
    await _splits(spender)


async def _splits(spender: Company) -> None:
    names = {identifier: name for name, identifier in (spender.ids | {"tenant": spender.tenant}).items()}
    for grouping, expected in SPLITS.items():
        report = await _report(spender, grouping)
        found = [(names.get(group.keys[0] or "", group.keys[0]), group.sums.nano) for group in report.groups]
        assert found == list(expected.items()), grouping
        assert report.total.nano == sum(expected.values())
        for figure in ("nano", "calls", "tokens", "estimated"):
            assert sum(getattr(group.sums, figure) for group in report.groups) == getattr(report.total, figure)
        assert {group.tenant for group in report.groups} == {spender.tenant}
    whole = (await _report(spender)).total
    assert (whole.calls, whole.tokens, whole.estimated) == (4, 60, 1)


def test_every_dimension_is_tested_above() -> None:
    assert set(DIMENSIONS) <= set(SPLITS)


async def test_two_dimensions_are_told_apart_and_time_goes_forward(spender: Company) -> None:
    report = await _report(spender, "user", "day", by_time=True)
    names = {identifier: name for name, identifier in spender.ids.items()}
    found = [(names.get(group.keys[0] or ""), group.keys[1], group.sums.nano) for group in report.groups]
    assert found == [
        ("user:ben@acme.example", "2026-11-02", 40),
        ("user:ana@acme.example", "2026-11-02", 3),
        (None, "2026-11-03", 500),
    ]


async def test_a_report_may_be_of_some_calls_only(spender: Company) -> None:
    cases: list[tuple[dict[str, str], int]] = [
        ({"model": "gpt"}, 500),
        ({"model": "none"}, 0),
        ({"user": ""}, 500),
        ({"region": ""}, 503),
        ({"application": spender.ids["application:copilot"], "region": "eu"}, 40),
        ({"user": spender.ids["user:ana@acme.example"]}, 3),
    ]
    before = [await _report(spender, "model", where=where) for where, _ in cases]
    await spender.parts.roll_ups.catch_up()
    assert before == [await _report(spender, "model", where=where) for where, _ in cases]
    for (where, nano), report in zip(cases, before, strict=True):
        assert report.total.nano == nano == sum(group.sums.nano for group in report.groups), where


@pytest.mark.parametrize(("by_time", "rolled_up"), [(False, True), (True, False)])
async def test_pages_follow_one_another_without_a_gap_and_without_a_double(
    company: Company, by_time: bool, rolled_up: bool
) -> None:
    for number in range(7):
        # The same amount several times: what comes first must be certain.
        await company.spend(10 + number // 3, NOON + timedelta(days=number % 2), model=f"m{number}")
    if rolled_up:
        await company.parts.roll_ups.catch_up()
    whole = await _report(company, "model", "day", by_time=by_time)
    pages, after = [], None
    while True:
        page = await _report(company, "model", "day", by_time=by_time, limit=2, after=after)
        assert page.total == whole.total
        pages += page.groups
        after = page.following
        if after is None:
            break
        assert len(page.groups) == 2
    assert pages == whole.groups
    assert len(pages) == 7


@pytest.mark.parametrize(
    "grouping", [("hour",), ("model", "hour"), ("day",), ("day", "model"), ("metadata:team", "day")]
)
async def test_pages_in_the_order_of_time_skip_what_nobody_spent(company: Company, grouping: tuple[str, ...]) -> None:
    """Whatever the size of a page, wherever it ends, and though the ledger has more of what is rolled up."""
    for hours, model in [(0, "a"), (0, "b"), (3, "a"), (3, "b"), (50, "b"), (51, "b"), (75, "a"), (98, "a"), (99, "b")]:
        await company.spend(10 + hours, NOON + timedelta(hours=hours), model=model, metadata={"team": "red"})
    for days in (2, 3, 4, 5):
        await company.spend(1, NOON - timedelta(days=days), metadata={"team": "red"})
    await company.parts.roll_ups.catch_up()
    # The first and the last hour are broken off: nothing that was spent beside them has a place on a page.
    period = (NOON + timedelta(minutes=30), NOON + timedelta(hours=98, minutes=30))
    more: dict[str, Any] = {"period": period, "by_time": True, "tenant": company.tenant}
    whole = await _report(company, *grouping, **more)
    for limit in (1, 3):
        assert await _pages(company, *grouping, limit=limit, **more) == whole.groups
    for hours, model in [(-30, "b"), (2, "b"), (3, "a"), (50, "b"), (52, "a"), (99, "b"), (130, "a")]:
        await company.spend(1, NOON + timedelta(hours=hours), model=model, metadata={"team": "red"})
    for where in ({}, {"model": "a"}, {"model": "none"}):
        whole = await _report(company, *grouping, where=where, **more)
        assert sum(group.sums.nano for group in whole.groups) == whole.total.nano
        assert (whole.total.nano > 0) == (where != {"model": "none"})
        assert await _pages(company, *grouping, limit=1, where=where, **more) == whole.groups


async def _pages(company: Company, *grouping: str, **more: Any) -> list[SpendGroup]:
    page = await _report(company, *grouping, **more)
    groups = page.groups
    while page.following is not None:
        page = await _report(company, *grouping, after=page.following, **more)
        assert page.groups
        groups = groups + page.groups
    return groups


async def test_a_cursor_that_no_page_ended_with_hurts_nothing(company: Company) -> None:
    await company.spend(1)
    await company.parts.roll_ups.catch_up()
    for moment in ("", "none", "2026-01-02T12:00:00+01:00", "9999-12-31T23:00:00Z", "0001-01-01T00:00:00Z"):
        for grouping in ("hour", "day", "week"):
            page = await _report(company, grouping, by_time=True, after=(moment, 0, ""), tenant=company.tenant)
            assert page.total.nano == 1
            assert len(page.groups) == (moment < "2026-11")


async def test_a_period_holds_its_first_moment_and_not_its_last(company: Company) -> None:
    start, end = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)
    for number, moment in enumerate([start - MICRO, start, end - MICRO, end]):
        await company.spend(10**number, moment)
    report = await _report(company, period=(start, end))
    assert (report.total.nano, report.start, report.end) == (110, start, end)


async def test_a_period_of_broken_hours_is_one_of_whole_hours_and_says_so(company: Company) -> None:
    hour = timedelta(hours=1)
    for number, moment in enumerate([NOON - MICRO, NOON, NOON + hour - MICRO, NOON + hour]):
        await company.spend(10**number, moment)
    report = await _report(company, period=(NOON + hour / 2, NOON + hour / 2 + MICRO))
    assert (report.total.nano, report.start, report.end) == (110, NOON, NOON + hour)


async def test_a_period_goes_over_the_partitions(company: Company) -> None:
    moments = [datetime(2026, month, 15, tzinfo=UTC) for month in (3, 11, 12)] + [datetime(2027, 1, 15, tzinfo=UTC)]
    for number, moment in enumerate(moments):
        await company.spend(10**number, moment)
    assert (await _report(company, period=(moments[0], moments[-1]))).total.nano == 111


async def test_days_are_those_of_the_tenants_time_zone(company: Company) -> None:
    late = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)
    others = [
        await make_company(company.parts, name, time_zone=zone)
        for name, zone in (("wien", "Europe/Vienna"), ("york", "America/New_York"))
    ]
    zones = {tenant.id: tenant.spec.time_zone for tenant in company.parts.principals.tenants()}
    for place in (company, *others):
        await place.spend(5, late)
    for _ in range(2):
        days = [(await _report(place, "day", zones=zones)).groups[0].keys[0] for place in (company, *others)]
        assert days == ["2026-11-02", "2026-11-03", "2026-11-02"]
        question = Question(*NOVEMBER, group_by=("tenant", "day"), zones=zones)
        assert answered(await ask(company.parts, question)) == (await read(company.parts, zones)).answer(question)
        await company.parts.roll_ups.catch_up()


async def test_a_tenant_sees_its_own_spending_only(spender: Company) -> None:
    other = await make_company(spender.parts, "globex")
    await other.spend(9)
    for _ in range(2):
        assert (await _report(other, "tenant")).total.nano == 9
        # Asking for another tenant by its id changes nothing about that.
        assert (await _report(other, "tenant", tenant=spender.tenant)).total.nano == 0
        assert (await _report(other, "metadata:team", tenant=spender.tenant)).total.calls == 0
        async with spender.parts.storage.unit_of_work(system_scope("test"), readonly=True) as unit:
            everybody = await report_spend(unit, Question(*NOVEMBER, group_by=("tenant",)))
            one = await report_spend(unit, Question(*NOVEMBER, group_by=("tenant",), tenant=other.tenant))
        assert {group.tenant: group.sums.nano for group in everybody.groups} == {spender.tenant: 543, other.tenant: 9}
        assert (everybody.total.nano, one.total.nano) == (552, 9)
        await spender.parts.roll_ups.catch_up()


async def test_sums_beyond_64_bits_of_floating_point_are_exact(company: Company) -> None:
    for nano in (2**53, 1, 2**53):
        await company.spend(nano)
    await company.parts.roll_ups.catch_up()
    assert (await _report(company)).total.nano == 2**54 + 1


async def test_nothing_was_spent(company: Company) -> None:
    report = await _report(company, "model")
    assert (report.total.nano, report.total.calls, report.groups, report.following) == (0, 0, [], None)


async def test_a_question_without_sense_is_refused_before_anything_is_read(company: Company) -> None:
    with pytest.raises(InvalidRule):
        await _report(company, "colour")
