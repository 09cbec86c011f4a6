"""What one attempt is posted as: what the tenant is charged, line by line, and what the provider charges us."""

import msgspec

from enfilade.core.usage import Usage
from enfilade.costs.prices.sheet import NOTHING, Charge, PriceSheet

ESTIMATED_USAGE = "estimated_usage"
USAGE_MISSING = "usage_missing"
USAGE_IMPOSSIBLE = "usage_impossible"
OVERRUN = "overrun"
SUBSTITUTED = "substituted"
UNPRICED = "unpriced"
FLAGS = {
    ESTIMATED_USAGE: "The quantities are estimated: nobody reported what was used.",
    USAGE_MISSING: "The provider's answer did not say what was used.",
    USAGE_IMPOSSIBLE: "The provider reported a usage that cannot be (negative, absurd, or parts beyond their whole).",
    OVERRUN: "More was used than was held for the call.",
    SUBSTITUTED: "Another model answered than was asked for: the dearer price of the two is charged.",
    UNPRICED: "Nobody has said what a part of this costs: that part is charged nothing, or as the model asked for.",
}
"""What can be odd about an entry; each stands in the ledger, in reports, and in the explanation of a call."""


class Posting(msgspec.Struct, frozen=True, gc=False):
    """The amounts of one ledger entry."""

    charge: Charge = NOTHING
    price: str | None = None
    """The label of the price's version."""
    provider_nano: int | None = None
    """What the provider charges us, where that differs."""
    list_nano: int | None = None
    """What it would be at the published price, where that differs."""
    saved_nano: int = 0

    @property
    def nano(self) -> int:
        """What the tenant is charged."""
        return self.charge.nano


NO_POSTING = Posting()


def posting_of(sheet: PriceSheet, usage: Usage) -> Posting:
    """What usage is posted as by a tenant's price."""
    charge = sheet.charge(usage)
    saved = sheet.saved(usage)
    if sheet.contracted is None and sheet.listed is None:
        return Posting(charge, sheet.label, saved_nano=saved)
    return Posting(
        charge,
        sheet.label,
        None if sheet.contracted is None else sheet.contracted.cost(usage),
        None if sheet.listed is None else sheet.listed.cost(usage),
        saved,
    )


def worst_posting(
    sheet: PriceSheet, input_bound: int, output_bound: int, *, caching: bool, searches: int = 0
) -> Posting:
    """What an attempt is posted as of which nothing is known: its worst case."""

    def worst(by: PriceSheet) -> Charge:
        return by.worst_charge(input_bound, output_bound, caching=caching, searches=searches)

    return Posting(
        worst(sheet),
        sheet.label,
        None if sheet.contracted is None else worst(sheet.contracted).nano,
        None if sheet.listed is None else worst(sheet.listed).nano,
    )
