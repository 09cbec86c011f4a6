"""What alerts say is what the reference says of them."""

from datetime import date, datetime, timedelta

import pytest

from enfilade.core.clock import to_datetime, to_ns
from enfilade.core.events import Event
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.events import budget_exhausted, threshold_crossed
from enfilade.costs.holds.hold import Alert
from enfilade.costs.holds.types import BudgetRule, Subject
from enfilade.costs.ledger.oddities import TYPES, Oddities
from enfilade.costs.outlook.alerts import ALERTS
from enfilade.costs.outlook.anomalies import Anomaly, Watched, asked_hours, judge
from enfilade.costs.outlook.hours import hours_alike
from enfilade.costs.outlook.rules import AnomalyRules
from enfilade.costs.outlook.store import ALERT_TYPES
from enfilade.costs.outlook.usual import usual_of
from enfilade.identity.scopes import tenant_scope
from tests.support.parts import NOON

NOW_NS = to_ns(NOON)
USD = 10**9
CHEAP = {hour.start: USD for hour in hours_alike(NOON, "UTC")}


def anomaly() -> Anomaly:
    usual = usual_of(hours_alike(NOON, "UTC"), CHEAP, date(2026, 1, 1), NOON.date())
    assert usual is not None
    return Anomaly("t", "model", "chat", NOON, 5 * USD, 2 * USD, usual)


def events() -> list[Event]:
    """One of each that this process can raise by itself."""
    rule = BudgetRule("b", "t", Subject("tenant"), None, "month", USD, ("0.5",))
    meter = BudgetMeter(rule, "t", NOW_NS)
    odd = Oddities().events(tenant_scope("t", "test"), "c", "chat", tuple(TYPES), 1, NOW_NS)
    told = Event("CostAnomalyDetected", "t", NOW_NS, "system:anomalies", anomaly().told(NOON))
    crossed = threshold_crossed(Alert(meter, "0.5", meter.window, USD), NOW_NS)
    return [crossed, budget_exhausted(meter, NOW_NS), told, *odd]


@pytest.mark.parametrize("event", events(), ids=lambda event: event.type)
def test_an_alert_has_the_fields_that_are_documented(event: Event) -> None:
    assert set(event.data) == set(ALERTS[event.type].fields)
    assert event.body()


def test_every_alert_that_is_listed_is_documented() -> None:
    assert set(ALERT_TYPES) == set(ALERTS)


def test_what_had_no_usual_has_no_times() -> None:
    usual = usual_of(hours_alike(NOON, "UTC"), {}, date(2026, 1, 1), NOON.date())
    assert usual is not None
    assert Anomaly("t", "model", "chat", NOON, 5, 2, usual).told(NOON)["times_usual"] is None


@pytest.mark.parametrize(("minutes", "is_over"), [(0, False), (59, False), (60, True), (-60, False)])
def test_an_alert_says_whether_its_hour_is_over(minutes: int, is_over: bool) -> None:
    assert anomaly().told(NOON + timedelta(minutes=minutes))["is_over"] is is_over


def row(actual: int, at: datetime = NOON, kind: str = "model", first_day: date = date(2026, 1, 1)) -> dict[str, object]:
    hours = CHEAP | {at: actual}
    return {
        "kind": kind,
        "subject": "chat",
        "first_day": first_day,
        "hours": list(hours),
        "costs": list(hours.values()),
    }


@pytest.mark.parametrize(
    ("rules", "entry", "count"),
    [
        (AnomalyRules(), row(2 * USD), 0),
        (AnomalyRules(), row(2 * USD + 1), 1),
        (AnomalyRules(factor="3"), row(2 * USD + 1), 0),
        (AnomalyRules(least_usd="2.5"), row(2 * USD + 1), 0),
        (AnomalyRules(least_usd="0"), row(2 * USD + 1), 1),
        (AnomalyRules(scopes=("tenant",)), row(9 * USD), 0),
        (AnomalyRules(), row(9 * USD, first_day=date(2026, 10, 25)), 0),
        (AnomalyRules(), row(9 * USD, NOON - timedelta(hours=3)), 0),
        (AnomalyRules(least_usd="0"), row(-5), 0),
    ],
)
def test_an_hour_is_judged_by_its_tenants_rules(rules: AnomalyRules, entry: dict[str, object], count: int) -> None:
    asked = {"UTC": asked_hours(NOW_NS, "UTC", 2)}
    assert len(judge(entry, Watched("t", "UTC", rules), asked)) == count


def test_the_hours_in_question_follow_the_zone() -> None:
    assert asked_hours(NOW_NS, "Asia/Kolkata", 3) == [NOON - timedelta(minutes=30 + 60 * step) for step in range(3)]
    # Of an hour that comes twice, both are looked at.
    twice = to_ns(datetime.fromisoformat("2026-10-25T03:10:00+01:00"))
    found = [moment.isoformat()[11:16] for moment in asked_hours(twice, "Europe/Vienna", 4)]
    assert found == ["02:00", "01:00", "00:00", "23:00"]
    assert to_datetime(twice) > asked_hours(twice, "Europe/Vienna", 1)[0]
