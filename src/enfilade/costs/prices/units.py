"""The units in which people write prices, and the exact way from them to rates and back.

Tokens and characters by the million, requests, searches and pages by the thousand, audio by the hour.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from enfilade.core.money import NANO_PER_USD, billionths
from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.prices.sheet import MAX_PRICE_NANO, MAX_UNIT_PRICE_NANO, MILLION

THOUSANDS = frozenset({"requests", "web_searches", "pages"})
SHOWN_PLACES = Decimal("0.000000001")


class Unit(NamedTuple):
    """How many of a kind a written price is for."""

    per: int
    words: str
    most_nano: int


def _unit(kind: str) -> Unit:
    if kind in THOUSANDS:
        return Unit(1000, f"per 1,000 {kind.replace('_', ' ')}", MAX_UNIT_PRICE_NANO)
    if kind == "seconds":
        return Unit(3600, "per hour of audio", MAX_UNIT_PRICE_NANO)
    if kind == "characters":
        return Unit(MILLION, "per million characters", MAX_PRICE_NANO)
    return Unit(MILLION, "per million tokens", MAX_PRICE_NANO)


UNITS = {kind: _unit(kind) for kind in KINDS}


def rate_from_dollars(kind: str, dollars: str | int | float | Decimal) -> int:
    """A written price as nano-dollars per million of its kind.

    Raises ValueError for what is negative, not finite, too much, or finer than a nano-dollar in its own unit. A price
    by the hour need not come out even: then it is rounded half-up to a nano-dollar per million seconds.
    """
    unit = UNITS[kind]
    nano = billionths(dollars, "a price")
    most = unit.most_nano * unit.per // MILLION
    if not nano.is_finite() or not 0 <= nano <= most:
        message = f"a price must be between 0 and {most // NANO_PER_USD} USD {unit.words}, not {dollars!r}"
        raise ValueError(message)
    if nano != nano.to_integral_value():
        message = f"{dollars!r} is finer than a nano-dollar {unit.words}"
        raise ValueError(message)
    return _rate(int(nano), unit.per)


def _rate(nano: int, per: int) -> int:
    return (2 * nano * MILLION + per) // (2 * per)


def dollars_from_rate(kind: str, rate: int) -> Decimal:
    """A rate as it is written: what reads back as the same rate, where a nano-dollar in its unit is fine enough for it."""
    per = UNITS[kind].per
    exact = Decimal(rate * per) / MILLION / NANO_PER_USD
    shown = exact.quantize(SHOWN_PLACES, ROUND_HALF_UP)
    return _shortest(shown if _rate(int(shown * NANO_PER_USD), per) == rate else exact)


def _shortest(figure: Decimal) -> Decimal:
    whole = figure.to_integral_value()
    return whole if figure == whole else figure.normalize()
