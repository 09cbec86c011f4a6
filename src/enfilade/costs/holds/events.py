"""What this room tells the audit log about budgets."""

from enfilade.core.clock import to_rfc3339
from enfilade.core.events import Event
from enfilade.core.money import format_usd
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.hold import Alert

ACTOR = "system:costs"
"""Who tells what this room tells by itself."""


def threshold_crossed(alert: Alert, at_ns: int) -> Event:
    """A share of a budget that raises an alert has been spent."""
    rule = alert.meter.rule
    return Event(
        "BudgetThresholdCrossed",
        rule.tenant,
        at_ns,
        ACTOR,
        {
            "budget": rule.id,
            "scope": rule.subject.kind,
            "subject": alert.meter.subject,
            "window": rule.period,
            "window_start": to_rfc3339(alert.window.start_ns),
            "share": alert.share,
            "limit_usd": format_usd(rule.limit_nano),
            "spent_usd": format_usd(alert.spent),
        },
    )


def budget_exhausted(meter: BudgetMeter, at_ns: int) -> Event:
    """A call was refused because a budget did not cover it; told once per window."""
    rule = meter.rule
    return Event(
        "BudgetExhausted",
        rule.tenant,
        at_ns,
        ACTOR,
        {
            "budget": rule.id,
            "scope": rule.subject.kind,
            "subject": meter.subject,
            "window": rule.period,
            "window_start": to_rfc3339(meter.window.start_ns),
            "limit_usd": format_usd(rule.limit_nano),
            "spent_usd": format_usd(meter.spent),
            "held_usd": format_usd(meter.held),
        },
    )
