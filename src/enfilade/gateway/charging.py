"""By which price an answer is charged: the tier that served it, and the model that gave it."""

from enfilade.core.usage import Usage
from enfilade.costs.ledger.postings import UNPRICED, Posting, posting_of
from enfilade.costs.prices.sheet import STANDARD_TIERS, PriceSheet
from enfilade.gateway.bounds import Candidate
from enfilade.gateway.types import Call


def posting_for(
    call: Call, candidate: Candidate, usage: Usage, service_tier: str | None, answered_by: str | None
) -> tuple[Posting, tuple[str, ...]]:
    """What usage is posted as, and what is odd about it."""
    sheet = _tier(call, candidate, service_tier)
    posting = posting_of(sheet, usage)
    flags: tuple[str, ...] = (UNPRICED,) if posting.charge.unpriced else ()
    return posting, flags


def _tier(call: Call, candidate: Candidate, service_tier: str | None) -> PriceSheet:
    """The price of the service tier that the provider reports, if that has one of its own."""
    sheet = candidate.sheet
    if service_tier is None or service_tier == call.request.service_tier:
        return sheet
    # The chosen sheet may be a tier's own, which knows nothing of the others.
    base = candidate.base
    return base if service_tier in STANDARD_TIERS else base.service_tiers.get(service_tier, sheet)
