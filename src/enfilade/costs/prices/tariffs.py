"""A declared price: everything that an administrator or a price list may say about what one model costs."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from decimal import Decimal
from typing import Any

import msgspec

from enfilade.costs.errors import InvalidRule
from enfilade.costs.prices.book import PublishedPrice, Tier, merged
from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.prices.sheet import FREE_RATES, STANDARD_TIERS, PriceSheet
from enfilade.costs.prices.units import dollars_from_rate, rate_from_dollars

MAX_PARTS = 50
"""The most thresholds, service tiers and hours that one price may have."""


class Variant(msgspec.Struct, frozen=True, omit_defaults=True):
    """What differs under a condition: for a service tier, or between two times of the day."""

    rates: dict[str, int]
    long_context: tuple[Tier, ...] = ()


class Hours(msgspec.Struct, frozen=True, omit_defaults=True):
    """What differs between two times of the day, in UTC; the second is the first moment after it."""

    from_time: str
    until_time: str
    rates: dict[str, int]
    long_context: tuple[Tier, ...] = ()


class Tariff(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rates by kind, with thresholds, service tiers and hours; or free."""

    rates: dict[str, int] = {}
    long_context: tuple[Tier, ...] = ()
    service_tiers: dict[str, Variant] = {}
    hours: tuple[Hours, ...] = ()
    free: bool = False

    @property
    def varies_by_time(self) -> bool:
        """Whether the price depends on the time of the day."""
        return bool(self.hours)

    def sheet(self, label: str, moment: datetime) -> PriceSheet:
        """The price at a moment of a version in force."""
        if self.free:
            return PriceSheet(label, FREE_RATES)
        standard = PublishedPrice(self.rates, self.long_context)
        for hours in self.hours:
            price = PublishedPrice(
                hours.rates, hours.long_context, from_time=hours.from_time, until_time=hours.until_time
            )
            if price.is_active(moment):
                standard = merged(standard, price)
        tiers = {}
        for name, variant in self.service_tiers.items():
            rates, long_context = merged(standard, PublishedPrice(variant.rates, variant.long_context)).rates()
            tiers[name] = PriceSheet(f"{label}#{name}", rates, long_context)
        rates, long_context = standard.rates()
        return PriceSheet(label, rates, long_context, tiers)


def tariff_from(price: Mapping[str, Any]) -> Tariff:
    """A declared price as rates. Raises InvalidRule with the field at fault."""
    fields = {name: value for name, value in price.items() if value not in (None, [], (), {})}
    if fields.pop("free", False):
        if fields:
            message = "a model is either free or has prices"
            raise InvalidRule(message, param="price")
        return Tariff(free=True)
    long_context = _tiers(fields.pop("long_context", ()), "price.long_context")
    tiers = fields.pop("service_tiers", {})
    hours = fields.pop("hours", ())
    rates = _rates(fields, "price")
    if not rates:
        message = "a price names at least one kind, such as `input`; use `free: true` for a model that costs nothing"
        raise InvalidRule(message, param="price")
    if "output" in rates and "input" not in rates:
        message = "a price with `output` needs `input`, too; 0 is a price"
        raise InvalidRule(message, param="price.input")
    if max(len(long_context), len(tiers), len(hours)) > MAX_PARTS:
        message = f"a price has at most {MAX_PARTS} thresholds, service tiers or hours"
        raise InvalidRule(message, param="price")
    return Tariff(
        rates,
        long_context,
        {name: _variant(name, part) for name, part in sorted(tiers.items())},
        tuple(_hours(part, f"price.hours[{position}]") for position, part in enumerate(hours)),
    )


def _variant(name: str, part: Mapping[str, Any]) -> Variant:
    path = f"price.service_tiers.{name}"
    if name in STANDARD_TIERS:
        message = f"{name!r} is the standard tier: its price is the price itself"
        raise InvalidRule(message, param=path)
    return Variant(*_conditional(part, path))


def _hours(part: Mapping[str, Any], path: str) -> Hours:
    fields = dict(part)
    span = [_time(fields.pop(name, None), f"{path}.{name}") for name in ("from", "until")]
    if span[0] == span[1]:
        message = "`from` and `until` are the same time of day"
        raise InvalidRule(message, param=path)
    return Hours(span[0], span[1], *_conditional(fields, path))


def _conditional(part: Mapping[str, Any], path: str) -> tuple[dict[str, int], tuple[Tier, ...]]:
    fields = {name: value for name, value in part.items() if value not in (None, [], ())}
    long_context = _tiers(fields.pop("long_context", ()), f"{path}.long_context")
    rates = _rates(fields, path)
    if not rates:
        message = "nothing differs here; name at least one kind"
        raise InvalidRule(message, param=path)
    return rates, long_context


def _time(value: Any, path: str) -> str:
    try:
        moment = time.fromisoformat(value if isinstance(value, str) else "")
        if moment.tzinfo is not None:
            raise ValueError(value)  # noqa: TRY301 - the same answer as for what is no time at all
    except ValueError:
        message = f"a time of day looks like 16:30, in UTC, not {value!r}"
        raise InvalidRule(message, param=path) from None
    return moment.isoformat()


def _tiers(parts: Sequence[Mapping[str, Any]], path: str) -> tuple[Tier, ...]:
    tiers = []
    for position, part in enumerate(parts):
        fields = dict(part)
        above = fields.pop("above", None)
        if not isinstance(above, int) or isinstance(above, bool) or above < 1:
            message = "`above` is a number of input tokens, e.g. 200000"
            raise InvalidRule(message, param=f"{path}[{position}].above")
        rates = _rates({name: value for name, value in fields.items() if value is not None}, f"{path}[{position}]")
        if not rates:
            message = "nothing differs above this threshold; name at least one kind"
            raise InvalidRule(message, param=f"{path}[{position}]")
        tiers.append(Tier(above, rates))
    thresholds = [tier.above for tier in tiers]
    if thresholds != sorted(set(thresholds)):
        message = "thresholds ascend, and each stands once"
        raise InvalidRule(message, param=path)
    return tuple(tiers)


def _rates(prices: Mapping[str, Any], path: str) -> dict[str, int]:
    rates = {}
    for kind, dollars in prices.items():
        if kind not in KINDS:
            message = f"{kind!r} is no kind of price; the kinds are {', '.join(KINDS)}"
            raise InvalidRule(message, param=path)
        try:
            rates[kind] = rate_from_dollars(kind, dollars)
        except ValueError as error:
            raise InvalidRule(str(error), param=f"{path}.{kind}") from None
    return {kind: rates[kind] for kind in KINDS if kind in rates}


def price_fields(tariff: Tariff) -> dict[str, Any]:
    """A declared price in the words of the configuration, so that `tariff_from` reads it back."""
    if tariff.free:
        return {"free": True}
    fields: dict[str, Any] = _dollars(tariff.rates)
    fields |= _tier_fields(tariff.long_context)
    if tariff.service_tiers:
        fields["service_tiers"] = {
            name: _dollars(variant.rates) | _tier_fields(variant.long_context)
            for name, variant in tariff.service_tiers.items()
        }
    if tariff.hours:
        fields["hours"] = [
            {"from": hours.from_time, "until": hours.until_time}
            | _dollars(hours.rates)
            | _tier_fields(hours.long_context)
            for hours in tariff.hours
        ]
    return fields


def _dollars(rates: Mapping[str, int]) -> dict[str, Any]:
    return {kind: dollars_from_rate(kind, rate) for kind, rate in rates.items()}


def _tier_fields(tiers: Sequence[Tier]) -> dict[str, Any]:
    if not tiers:
        return {}
    return {"long_context": [{"above": tier.above} | _dollars(tier.prices) for tier in tiers]}


def as_text(fields: Any) -> Any:
    """Price fields with figures as text, for JSON that keeps them exactly."""
    if isinstance(fields, dict):
        return {name: as_text(value) for name, value in fields.items()}
    if isinstance(fields, list):
        return [as_text(value) for value in fields]
    return format(fields, "f") if isinstance(fields, Decimal) else fields
