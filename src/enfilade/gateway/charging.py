"""By which price an answer is charged: the tier that served it, and the model that gave it."""

from enfilade.core.usage import Usage
from enfilade.costs.ledger.postings import SUBSTITUTED, UNPRICED, Posting, posting_of
from enfilade.costs.prices.sheet import STANDARD_TIERS, PriceSheet
from enfilade.gateway.bounds import Candidate
from enfilade.gateway.types import Call


def posting_for(
    call: Call, candidate: Candidate, usage: Usage, service_tier: str | None, answered_by: str | None
) -> tuple[Posting, tuple[str, ...]]:
    """What usage is posted as, and what is odd about it.

    When another model has answered than was asked for, the dearer of the two prices is charged; when nobody has said
    what that one costs, the one that was asked for.
    """
    posting = posting_of(_tier(call, candidate.base, candidate.sheet, service_tier), usage)
    flags: tuple[str, ...] = ()
    target = candidate.target
    if answered_by is not None and answered_by != target.upstream_model:
        found = target.substituted(answered_by, call.scope.tenant, call.started_ns)
        if found.kind != "same":
            flags = (SUBSTITUTED,)
        if found.kind == "unpriced":
            flags = (SUBSTITUTED, UNPRICED)
        if found.sheet is not None:
            other = posting_of(_tier(call, found.sheet, found.sheet, service_tier or call.request.service_tier), usage)
            posting = max(posting, other, key=lambda either: either.nano)
    if posting.charge.unpriced and UNPRICED not in flags:
        flags = (*flags, UNPRICED)
    return posting, flags


def _tier(call: Call, base: PriceSheet, asked: PriceSheet, service_tier: str | None) -> PriceSheet:
    """The price of the service tier that the provider reports, if that has one of its own."""
    if service_tier is None or service_tier == call.request.service_tier:
        return asked
    # The sheet that was asked for may be a tier's own, which knows nothing of the others.
    return base if service_tier in STANDARD_TIERS else base.service_tiers.get(service_tier, asked)
