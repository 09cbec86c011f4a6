"""Which reports there are, and what their groups are called."""

from datetime import UTC, datetime

import pytest

from enfilade.costs.errors import InvalidRule
from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.spend.measures import AMOUNTS, MEASURES, QUANTITIES, sums_of
from enfilade.costs.spend.report import DIMENSIONS, GRAINS, Question, check, label, widened

NOVEMBER = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


@pytest.mark.parametrize("first", [*DIMENSIONS, *GRAINS, "metadata:team"])
def test_everything_can_be_grouped_by_alone_and_with_a_month(first: str) -> None:
    check(Question(*NOVEMBER, group_by=(first,)))
    if first != "month":
        check(Question(*NOVEMBER, group_by=(first, "month"), by_time=True))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"group_by": ("colour",)}, "group_by"),
        ({"group_by": ("",)}, "group_by"),
        ({"group_by": ("metadata:",)}, "group_by"),
        ({"group_by": ("model", "model")}, "group_by"),
        ({"group_by": ("model", "day", "user")}, "group_by"),
        ({"group_by": ("metadata:team", "user")}, "group_by"),
        ({"group_by": ("metadata:team", "hour")}, "group_by"),
        ({"group_by": ("metadata:team", "metadata:run")}, "group_by"),
        ({"group_by": ("metadata:team",), "where": {"user": "x"}}, "group_by"),
        ({"group_by": ("model",), "where": {"colour": "x"}}, "where"),
        ({"group_by": ("model",), "by_time": True}, "sort"),
        ({"by_time": True}, "sort"),
    ],
)
def test_a_question_without_sense_is_refused(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        check(Question(*NOVEMBER, **fields))  # type: ignore[arg-type]
    assert caught.value.param == param


@pytest.mark.parametrize("period", [NOVEMBER[::-1], (NOVEMBER[0], NOVEMBER[0])])
def test_an_empty_period_is_refused(period: tuple[datetime, datetime]) -> None:
    with pytest.raises(InvalidRule) as caught:
        check(Question(*period))
    assert caught.value.param == "from"


@pytest.mark.parametrize(
    ("grouping", "key", "name"),
    [
        ("model", "gpt", "gpt"),
        ("model", None, None),
        ("hour", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00+02:00"),
        ("hour", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00+01:00"),
        ("day", "2026-11-02", "2026-11-02"),
        ("week", "2026-12-28", "2026-W53"),
        ("week", "2027-01-04", "2027-W01"),
        ("month", "2026-11-01", "2026-11"),
        ("quarter", "2026-10-01", "2026-Q4"),
        ("quarter", "2027-01-01", "2027-Q1"),
    ],
)
def test_groups_of_time_have_the_names_of_iso_8601(grouping: str, key: str | None, name: str | None) -> None:
    assert label(grouping, key, "Europe/Vienna") == name


@pytest.mark.parametrize(
    ("zone", "unit", "expected"),
    [
        ("UTC", "hour", ("2026-11-02T12:00:00+00:00", "2026-11-02T14:00:00+00:00")),
        ("Asia/Kathmandu", "hour", ("2026-11-02T12:15:00+00:00", "2026-11-02T13:15:00+00:00")),
        ("Europe/Vienna", "day", ("2026-11-01T23:00:00+00:00", "2026-11-02T23:00:00+00:00")),
    ],
)
def test_a_period_is_widened_to_whole_local_hours(zone: str, unit: str, expected: tuple[str, str]) -> None:
    asked = (datetime(2026, 11, 2, 12, 20, tzinfo=UTC), datetime(2026, 11, 2, 13, 10, tzinfo=UTC))
    found = widened(Question(*asked, tenant="t", zones={"t": zone}), unit)
    assert tuple(moment.isoformat() for moment in found) == expected


def test_sums_leave_out_kinds_that_were_not_used() -> None:
    row = dict.fromkeys(MEASURES) | {"calls": 3, "q_output": 5, "a_output": 7, "l_3": 3, "failed": 1, "cut": 1}
    found = sums_of(row)
    assert (found.quantities, found.amounts, found.failures) == ({"output": 5}, {"output": 7}, 2)
    assert found.took[0] == found.took[2]
    assert found.began == (None, None)


def test_every_kind_has_a_quantity_and_an_amount() -> None:
    assert len(QUANTITIES) == len(AMOUNTS) == len(KINDS)
    assert len(set(MEASURES)) == len(MEASURES)
