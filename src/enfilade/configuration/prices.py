"""Between the document's prices and the versions that costs keeps, in both directions."""

from typing import Any

from enfilade.configuration.model_parts import Model
from enfilade.configuration.price_parts import Discount, ExchangeRate, Markup, Price
from enfilade.core.clock import Clock, to_datetime
from enfilade.costs.prices.adjustments import Kind
from enfilade.costs.prices.agreements import AdjustmentSpec, Agreement, Agreements, millionths_of, percent_of
from enfilade.costs.prices.currencies import Currencies, Rate
from enfilade.costs.prices.overrides import Change, Overrides
from enfilade.costs.prices.source import Override
from enfilade.costs.prices.tariffs import Tariff, price_fields, tariff_from
from enfilade.costs.prices.timeline import in_force
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork


def price_tariff(part: Price | None) -> Tariff | None:
    """What costs needs of a price. Raises InvalidRule."""
    return None if part is None else tariff_from(part.model_dump(exclude_none=True, by_alias=True))


async def put_prices(overrides: Overrides, clock: Clock, unit: UnitOfWork, model: Model) -> Outcome:
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


async def put_adjustment(
    agreements: Agreements, clock: Clock, unit: UnitOfWork, tenant: str | None, part: Discount | Markup
) -> Outcome:
    """Let a discount or a markup be what the document says. Raises what `Agreements.put` raises."""
    now = to_datetime(clock.now_ns())
    if part.to is not None and part.to <= now:
        return Outcome.UNCHANGED
    kind: Kind = "discount" if isinstance(part, Discount) else "markup"
    spec = AdjustmentSpec(
        kind=kind,
        tenant=tenant,
        provider=part.provider,
        model=part.model,
        millionths=millionths_of(kind, part.percent),
        effective=part.start if part.start is not None and part.start > now else None,
        until=part.to,
        reason=part.reason,
    )
    return await agreements.put(unit, spec, cuts=True)


async def put_rate(currencies: Currencies, unit: UnitOfWork, part: ExchangeRate) -> Outcome:
    """Let an exchange rate be what the document says. Raises InvalidRule."""
    return await currencies.put(unit, part.currency, part.rate, part.start, part.source)


def adjustment_fields(agreement: Agreement) -> dict[str, Any]:
    """A discount or a markup in the document's words."""
    adjustment = agreement.adjustment
    fields: dict[str, Any] = {
        "percent": percent_of(adjustment),
        "provider": adjustment.provider,
        "model": adjustment.model,
        "from": to_datetime(adjustment.from_ns),
        "to": None if adjustment.to_ns is None else to_datetime(adjustment.to_ns),
        "reason": adjustment.reason,
    }
    return fields | ({"tenant": agreement.tenant_name} if adjustment.kind == "discount" else {})


def rate_fields(rate: Rate) -> dict[str, Any]:
    """An exchange rate in the document's words."""
    return {"currency": rate.currency, "rate": rate.rate, "from": rate.on, "source": rate.source}


def adjustment_name(part: Discount | Markup) -> str:
    """As changes name it."""
    return f"{part.provider}/{part.model}"
