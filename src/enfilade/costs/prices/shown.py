"""Prices in force as people read them."""

from typing import Any

from enfilade.costs.prices.kinds import CONTAINED_IN, KINDS
from enfilade.costs.prices.sheet import PriceSheet, Rates
from enfilade.costs.prices.units import dollars_from_rate

ALWAYS = frozenset({"input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning"})
"""Kinds that are shown even where they cost what contains them."""


def sheet_fields(sheet: PriceSheet) -> dict[str, Any]:
    """A sheet in the words of the configuration."""
    if sheet.is_free:
        return {"free": True}
    fields = _part(sheet)
    if sheet.service_tiers:
        fields["service_tiers"] = {name: _part(tier) for name, tier in sorted(sheet.service_tiers.items())}
    return fields


def _part(sheet: PriceSheet) -> dict[str, Any]:
    fields = rate_fields(sheet.base)
    if sheet.long_context:
        fields["long_context"] = [{"above": above} | rate_fields(rates) for above, rates in sheet.long_context]
    return fields


def rate_fields(rates: Rates) -> dict[str, Any]:
    """Rates by kind, without what follows from them."""
    fields = {}
    for kind in KINDS:
        rate = rates.of(kind)
        if rate is None or (kind == "requests" and not rate):
            continue
        container = CONTAINED_IN.get(kind)
        if kind in ALWAYS or container is None or rate != rates.of(container):
            fields[kind] = dollars_from_rate(kind, rate)
    return fields
