"""Between the document's prices and the versions that costs keeps, in both directions."""

from typing import Any

from enfilade.configuration import document as doc
from enfilade.configuration.price_parts import Price
from enfilade.core.clock import Clock, to_datetime
from enfilade.costs.prices.overrides import Change, Overrides
from enfilade.costs.prices.source import Override
from enfilade.costs.prices.tariffs import Tariff, price_fields, tariff_from
from enfilade.costs.prices.timeline import in_force
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork


def price_tariff(part: Price | None) -> Tariff | None:
    """What costs needs of a price. Raises InvalidRule."""
    return None if part is None else tariff_from(part.model_dump(exclude_none=True, by_alias=True))


async def put_prices(overrides: Overrides, clock: Clock, unit: UnitOfWork, model: doc.Model) -> Outcome:
    """Let a model's own prices be what the document says: the one that holds now, and those for later.

    Of `price` and `price_changes` together the last one that has begun holds now, so that the same document means
    the same at any time. Raises what `Overrides.put` raises.
    """
    now = to_datetime(clock.now_ns())
    changes = sorted(model.price_changes, key=lambda change: change.start)
    price, until = model.price, None
    for change in changes:
        if change.start <= now:
            price, until = change.price, change.to
    if until is not None and until <= now:
        price, until = None, None
    outcome = await overrides.put(unit, model.name, Change(price_tariff(price), until=until, cuts=True))
    for change in changes:
        if change.start > now:
            changed = await overrides.put(unit, model.name, Change(price_tariff(change.price), change.start, change.to))
            outcome = outcome if changed is Outcome.UNCHANGED else changed
    return outcome


async def own_prices(overrides: Overrides, clock: Clock, unit: UnitOfWork, model: str) -> dict[str, Any]:
    """A model's own prices in the document's words: `price` and `price_changes`."""
    now_ns = clock.now_ns()
    versions = [entry.override for entry in await overrides.history(unit, model)]
    current = in_force(versions, now_ns).version
    later = {version.from_ns: version for version in versions if version.from_ns > now_ns}
    changes = [_change(version) for version in later.values() if version.tariff is not None]
    if current is not None and current.tariff is not None and current.to_ns is not None:
        return {"price": None, "price_changes": [_change(current), *changes]}
    price = current.tariff if current is not None else None
    return {"price": None if price is None else price_fields(price), "price_changes": changes}


def _change(version: Override) -> dict[str, Any]:
    return {
        "from": to_datetime(version.from_ns),
        "to": None if version.to_ns is None else to_datetime(version.to_ns),
        "price": None if version.tariff is None else price_fields(version.tariff),
    }
