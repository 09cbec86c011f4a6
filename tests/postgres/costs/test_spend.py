"""What the ledger says that was spent, by each dimension and over any period."""

from datetime import UTC, datetime, timedelta

import pytest

from enfilade.costs.errors import InvalidRule
from enfilade.costs.spend.report import SpendReport, report_spend
from enfilade.costs.spend.store import SPEND
from enfilade.identity.scopes import system_scope, tenant_scope
from tests.postgres.costs.conftest import Company, make_company
from tests.support.parts import NOON

NOVEMBER = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
MICRO = timedelta(microseconds=1)


async def _report(
    company: Company,
    grouping: str | None = None,
    period: tuple[datetime, datetime] = NOVEMBER,
    tenant: str | None = None,
    time_zone: str = "UTC",
) -> SpendReport:
    scope = tenant_scope(company.tenant, "test")
    async with company.parts.storage.unit_of_work(scope, readonly=True) as unit:
        return await report_spend(unit, grouping, period, tenant, time_zone)


@pytest.fixture
async def spender(company: Company) -> Company:
    """Ana spends 1 and 2 with copilot, Ben 40; review spends 500 without a person, on another model, estimated."""
    await company.spend(1)
    await company.spend(2)
    await company.spend(40, user="ben@acme.example")
    await company.spend(500, NOON + timedelta(days=1), application="review", user=None, model="gpt", estimated=True)
    return company


@pytest.mark.parametrize(
    ("grouping", "expected"),
    [
        ("tenant", {"tenant": 543}),
        ("department", {"department:labs": 500, "department:sales": 43}),
        ("application", {"application:review": 500, "application:copilot": 43}),
        ("user", {None: 500, "user:ben@acme.example": 40, "user:ana@acme.example": 3}),
        ("key", {"key:review-key": 500, "key:copilot-key": 43}),
        ("model", {"gpt": 500, "chat": 43}),
        ("day", {"2026-11-03": 500, "2026-11-02": 43}),
    ],
)
async def test_each_dimension_splits_the_same_total_dearest_first(
    spender: Company, grouping: str, expected: dict[str | None, int]
) -> None:
    report = await _report(spender, grouping)
    names = {identifier: name for name, identifier in (spender.ids | {"tenant": spender.tenant}).items()}
    found = [(names.get(group.name or "", group.name), group.nano) for group in report.groups]
    assert found == list(expected.items())
    assert (report.nano, report.calls, report.tokens) == (543, 4, 60)
    for figure in ("nano", "calls", "tokens"):
        assert sum(getattr(group, figure) for group in report.groups) == getattr(report, figure)
    assert sum(group.estimated for group in report.groups) == 1
    assert {group.tenant for group in report.groups} == {spender.tenant}


def test_every_dimension_is_tested_above() -> None:
    assert set(SPEND) == {"tenant", "department", "application", "user", "key", "model", "day"}


async def test_a_period_holds_its_first_moment_and_not_its_last(company: Company) -> None:
    start, end = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)
    for number, moment in enumerate([start - MICRO, start, end - MICRO, end]):
        await company.spend(10**number, moment)
    assert (await _report(company, period=(start, end))).nano == 110


async def test_a_period_goes_over_the_partitions(company: Company) -> None:
    moments = [datetime(2026, month, 15, tzinfo=UTC) for month in (3, 11, 12)] + [datetime(2027, 1, 15, tzinfo=UTC)]
    for number, moment in enumerate(moments):
        await company.spend(10**number, moment)
    assert (await _report(company, period=(moments[0], moments[-1]))).nano == 111


async def test_days_are_those_of_the_time_zone(company: Company) -> None:
    late = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)
    await company.spend(5, late)
    for zone, day in (("UTC", "2026-11-02"), ("Europe/Vienna", "2026-11-03"), ("America/New_York", "2026-11-02")):
        (group,) = (await _report(company, "day", time_zone=zone)).groups
        assert group.name == day, zone


async def test_a_tenant_sees_its_own_spending_only(spender: Company) -> None:
    other = await make_company(spender.parts, "globex")
    await other.spend(9)
    assert (await _report(other, "tenant")).nano == 9
    # Asking for another tenant by its id changes nothing about that.
    assert (await _report(other, "tenant", tenant=spender.tenant)).nano == 0
    async with spender.parts.storage.unit_of_work(system_scope("test"), readonly=True) as unit:
        everybody = await report_spend(unit, "tenant", NOVEMBER)
        one = await report_spend(unit, "tenant", NOVEMBER, other.tenant)
    assert {group.tenant: group.nano for group in everybody.groups} == {spender.tenant: 543, other.tenant: 9}
    assert (everybody.nano, one.nano) == (552, 9)


async def test_sums_beyond_64_bits_of_floating_point_are_exact(company: Company) -> None:
    for nano in (2**53, 1, 2**53):
        await company.spend(nano)
    assert (await _report(company)).nano == 2**54 + 1


async def test_nothing_was_spent(company: Company) -> None:
    report = await _report(company, "model")
    assert (report.nano, report.calls, report.groups) == (0, 0, [])


@pytest.mark.parametrize(
    ("grouping", "period", "param"),
    [("colour", NOVEMBER, "group_by"), (None, NOVEMBER[::-1], "from"), (None, (NOON, NOON), "from")],
)
async def test_a_question_without_sense_is_refused(
    company: Company, grouping: str | None, period: tuple[datetime, datetime], param: str
) -> None:
    with pytest.raises(InvalidRule) as caught:
        await _report(company, grouping, period)
    assert caught.value.param == param
