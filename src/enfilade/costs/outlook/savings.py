"""What caches saved, and what they could save."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from enfilade.costs.spend.measures import Sums
from enfilade.costs.spend.report import Question, report_all
from enfilade.storage.unit_of_work import UnitOfWork

MOST = 1_000
WORTH_SHARE = 100
"""Advice is given where at least a hundredth of the cost could be saved."""
LONG_PROMPT_TOKENS = 2_000
"""Providers keep prompts from about a thousand tokens on; a mean of so many has much to keep."""
PROMPTS_FROM = 100
"""Calls from which on a mean says something."""

REPLY_CACHE = "reply_cache"
PROMPT_CACHE = "prompt_cache"


@dataclass(frozen=True, slots=True)
class Saving:
    """An application's calls of one model. Amounts are nano-dollars."""

    tenant: str
    application: str | None
    model: str | None
    calls: int
    answered_from_cache: int
    spent: int
    by_provider: int
    """Saved by the provider's prompt cache: what was read from it costs less than other input."""
    by_replies: int
    """Saved by our reply cache: what the calls would have cost that it answered."""
    could: int
    """What a reply cache would have saved beside."""
    advice: str | None


@dataclass(frozen=True, slots=True)
class Savings:
    """A period's savings, the largest first."""

    start: datetime
    end: datetime
    spent: int
    by_provider: int
    by_replies: int
    could: int
    items: list[Saving]


async def report_savings(
    unit: UnitOfWork, start: datetime, end: datetime, tenant: str | None, zones: Mapping[str, str]
) -> Savings:
    """What was saved in a period, by application and model. It needs a unit that only reads. Raises InvalidRule."""
    question = Question(start, end, tenant=tenant, group_by=("application", "model"), limit=MOST, zones=zones)
    # What our own cache answers is of no deployment.
    everything, kept = await report_all(unit, [question, replace(question, where={"deployment": ""})])
    by_replies = {(group.tenant, group.keys): group.sums.saved_nano for group in kept.groups}
    items = [
        saving(group.tenant, group.keys, group.sums, by_replies.get((group.tenant, group.keys), 0))
        for group in everything.groups
    ]
    items.sort(key=lambda item: (-(item.by_provider + item.by_replies + item.could), -item.spent))
    total = everything.total
    replies = kept.total.saved_nano
    return Savings(
        everything.start,
        everything.end,
        total.nano,
        total.saved_nano - replies,
        replies,
        total.could_save_nano,
        items,
    )


def saving(tenant: str, keys: tuple[str | None, ...], sums: Sums, by_replies: int) -> Saving:
    """What is told of some calls."""
    return Saving(
        tenant=tenant,
        application=keys[0],
        model=keys[1],
        calls=sums.calls,
        answered_from_cache=sums.cached,
        spent=sums.nano,
        by_provider=sums.saved_nano - by_replies,
        by_replies=by_replies,
        could=sums.could_save_nano,
        advice=advice(sums),
    )


def advice(sums: Sums) -> str | None:
    """What to switch on, if anything is worth it."""
    if sums.could_save_nano > 0 and sums.could_save_nano * WORTH_SHARE >= sums.nano:
        return REPLY_CACHE
    asked = sums.calls - sums.cached - sums.refused
    kept = sums.quantities.get("cached_input", 0) + sums.quantities.get("cache_write", 0)
    plain = sums.quantities.get("input", 0)
    if asked >= PROMPTS_FROM and not kept and plain >= asked * LONG_PROMPT_TOKENS:
        return PROMPT_CACHE
    return None
