"""What a caller is told when a limit or a budget has no room."""

from enfilade.core.clock import NANOSECONDS
from enfilade.core.errors import EnfiladeError
from enfilade.core.money import format_usd
from enfilade.costs.errors import (
    BudgetExhausted,
    ConcurrencyLimitReached,
    HoldExpired,
    RequestLimitReached,
    TokenLimitReached,
)
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.meters import ConcurrencyMeter, WindowMeter
from enfilade.costs.holds.types import Rule
from enfilade.costs.holds.windows import FOREVER_NS


def limit_refusal(meter: WindowMeter, amount: int, now_ns: int) -> EnfiladeError:
    """A limit of requests or tokens is reached."""
    rule = meter.rule
    wait = meter.seconds_until_fits(amount, now_ns)
    left = meter.left(now_ns)
    details = _where(rule, meter.subject) | {
        "limit": rule.amount,
        "per": rule.per,
        "left": left,
        "needed": amount,
        "resets_in_s": None if wait is None else round(wait, 3),
    }
    unit = rule.measure.value
    message = f"The limit of {rule.amount} {unit} per {rule.per} for the {rule.subject.kind} is reached: {left} left, {amount} needed."
    if wait is None:
        message += " This call alone is larger than the limit."
    error = RequestLimitReached if unit == "requests" else TokenLimitReached
    return error(message, retry_after=wait, details=details)


def concurrency_refusal(counter: ConcurrencyMeter) -> EnfiladeError:
    """Too many calls run."""
    rule = counter.rule
    message = f"The limit of {rule.amount} calls at the same time for the {rule.subject.kind} is reached."
    details = _where(rule, counter.subject) | {"limit": rule.amount, "active": counter.active}
    return ConcurrencyLimitReached(message, retry_after=1.0, details=details)


def budget_refusal(budget: BudgetMeter, nano: int, now_ns: int) -> EnfiladeError:
    """A budget does not cover the call."""
    rule = budget.rule
    end = budget.window.end_ns
    resets_in = None if end >= FOREVER_NS else (end - now_ns) / NANOSECONDS
    details = _where(rule, budget.subject) | {
        "window": rule.period,
        "limit_usd": format_usd(rule.limit_nano),
        "raised_usd": format_usd(budget.raised),
        "carried_usd": format_usd(budget.carried),
        "spent_usd": format_usd(budget.spent),
        "held_usd": format_usd(budget.held),
        "needed_usd": format_usd(nano),
        "resets_in_s": None if resets_in is None else round(resets_in, 3),
    }
    each = "in total" if rule.period == "total" else f"per {rule.period}"
    more = [
        f"{format_usd(amount)} {what}"
        for amount, what in ((budget.raised, "by which it is raised"), (budget.carried, "carried over"))
        if amount
    ]
    message = (
        f"The budget of {format_usd(rule.limit_nano)} USD {each} for the {rule.subject.kind}"
        f"{', with ' + ' and '.join(more) + ',' if more else ''} does not cover this call: "
        f"{format_usd(budget.spent)} spent, {format_usd(budget.held)} held for running calls, {format_usd(nano)} needed."
    )
    return BudgetExhausted(message, retry_after=resets_in, details=details)


def expiry_refusal() -> EnfiladeError:
    """The hold of a call was given back, because no call takes so long."""
    return HoldExpired("This call has run for so long that what was held for it was given back.")


def _where(rule: Rule, subject: str) -> dict[str, object]:
    return {"rule": rule.id, "scope": rule.subject.kind, "subject": subject, "model": rule.model}
