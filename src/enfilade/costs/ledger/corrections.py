"""Corrections: new entries that point at what they correct. Nothing in the ledger is ever changed."""

from dataclasses import dataclass, field

import msgspec

from enfilade.core.clock import Clock, to_datetime, to_rfc3339
from enfilade.core.money import format_usd
from enfilade.costs.errors import InvalidCorrection
from enfilade.costs.ledger import store
from enfilade.storage.unit_of_work import UnitOfWork

MAX_REASON = 500
MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What to add to what was charged; amounts are differences in nano-dollars and may be negative.

    With `corrects`, a line of the call `call_id` is corrected, and whom it concerns is taken over from there. Without,
    `call_id` is the correction's own id, and the fields below say whom and what it concerns.
    """

    call_id: str
    started_ns: int
    """When the call began that is corrected: the correction counts in the same windows and periods."""
    reason: str
    source: str = MANUAL
    corrects: int | None = None
    amount_nano: int = 0
    """Of what the tenant is charged."""
    provider_nano: int = 0
    """Of what the provider charges."""
    list_nano: int = 0
    kinds: tuple[str, ...] = ()
    quantities: tuple[int, ...] = ()
    rates: tuple[int, ...] = ()
    amounts: tuple[int, ...] = ()
    dimensions: dict[str, str] = field(default_factory=dict)
    """department, application, user, key (ids), model, provider, deployment, region, use_case, prompt, price."""


DIMENSIONS = frozenset(
    (
        "department",
        "application",
        "user",
        "key",
        "model",
        "provider",
        "deployment",
        "region",
        "use_case",
        "prompt",
        "price",
    )
)


async def post_correction(unit: UnitOfWork, correction: Correction, clock: Clock) -> int:
    """Post a correction to the ledger of the unit's tenant, and record it; returns the number of its line.

    What budgets count is read from the ledger anew. Raises InvalidCorrection for one that says nothing, has no reason,
    or corrects a line that is not there.
    """
    _check(correction)
    if correction.corrects is not None:
        span = (to_datetime(correction.started_ns), correction.call_id, correction.corrects)
        if await unit.fetch_value(store.HAS_LINE, *span) is None:
            message = f"Call {correction.call_id} has no line {correction.corrects} in this tenant."
            raise InvalidCorrection(message, param="corrects")
    body = {
        "call_id": correction.call_id,
        "started_at": to_rfc3339(correction.started_ns),
        "posted_at": to_rfc3339(clock.now_ns()),
        "corrects": correction.corrects,
        "amount_nano": correction.amount_nano,
        "provider_nano": correction.provider_nano,
        "list_nano": correction.list_nano,
        "source": correction.source,
        "reason": correction.reason,
        "kinds": correction.kinds,
        "quantities": correction.quantities,
        "rates": correction.rates,
        "amounts": correction.amounts,
        **correction.dimensions,
    }
    line: int = await unit.fetch_value(store.POST_CORRECTION, msgspec.json.encode(body).decode())
    unit.record(
        "LedgerCorrected",
        call=correction.call_id,
        line=line,
        corrects=correction.corrects,
        amount_usd=format_usd(correction.amount_nano),
        provider_usd=format_usd(correction.provider_nano),
        source=correction.source,
        reason=correction.reason,
    )
    unit.changed()
    return line


def _check(correction: Correction) -> None:
    if not correction.reason.strip() or len(correction.reason) > MAX_REASON:
        message = f"a correction needs a reason of at most {MAX_REASON} characters"
        raise InvalidCorrection(message, param="reason")
    if not (correction.amount_nano or correction.provider_nano or correction.list_nano):
        message = "a correction of nothing is none: give an amount other than zero"
        raise InvalidCorrection(message, param="amount_usd")
    lengths = {len(part) for part in (correction.kinds, correction.quantities, correction.rates, correction.amounts)}
    if len(lengths) > 1 or (correction.kinds and sum(correction.amounts) != correction.amount_nano):
        message = "a correction's lines must add up to its amount"
        raise InvalidCorrection(message, param="amounts")
    if unknown := correction.dimensions.keys() - DIMENSIONS:
        message = f"{', '.join(sorted(unknown))} is nothing that a correction can concern"
        raise InvalidCorrection(message, param="dimensions")
