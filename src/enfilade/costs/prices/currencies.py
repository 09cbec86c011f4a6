"""Exchange rates for display. The ledger stays in dollars; whoever shows another currency asks here."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.money import NANO_PER_USD
from enfilade.costs.errors import InvalidRule, UnknownCurrency
from enfilade.costs.prices import store
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

MINOR_UNITS = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(),  # noqa: SIM905 - a table
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""ISO 4217: decimals of the currencies that do not have two."""
USD = "USD"
MOST_DIGITS = 30
CONVERSION = Context(prec=80, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Rate:
    """What a dollar is worth, from a day on."""

    currency: str
    rate: Decimal
    """Units of the currency for one dollar."""
    on: date
    source: str | None = None
    created_by: str = ""
    created_at: datetime | None = None


class Currencies:
    """All exchange rates in memory."""

    def __init__(self, clock: Clock) -> None:
        """Start with the dollar alone; take today from `clock`."""
        self._clock = clock
        self._rates: Mapping[str, list[Rate]] = {}

    def install(self, rates: Iterable[Rate]) -> None:
        """Take rates in the order in which they were declared."""
        by_currency: dict[str, dict[date, Rate]] = {}
        for rate in rates:
            by_currency.setdefault(rate.currency, {})[rate.on] = rate
        self._rates = {currency: [days[day] for day in sorted(days)] for currency, days in by_currency.items()}

    def find(self, currency: str, day: date) -> Rate | None:
        """The rate in force on a day, with its own day and source; None where there is none."""
        if currency == USD:
            return Rate(USD, Decimal(1), day, "the ledger's currency")
        rates = self._rates.get(currency, [])
        return next((rate for rate in reversed(rates) if rate.on <= day), None)

    def rate(self, currency: str, day: date) -> Decimal:
        """Units of the currency for one dollar on a day. Raises UnknownCurrency."""
        found = self.find(currency, day)
        if found is None:
            message = f"There is no exchange rate for {currency!r} on {day.isoformat()}."
            raise UnknownCurrency(message, param="currency")
        return found.rate

    def convert(self, nano: int, currency: str, day: date) -> Decimal:
        """Nano-dollars in a currency, rounded half-up to its minor unit. Raises UnknownCurrency."""
        return converted(nano, self.rate(currency, day), currency)

    async def history(self, unit: UnitOfWork) -> list[Rate]:
        """Every rate that was ever declared, by currency and day."""
        return [rate_of(row) for row in await unit.fetch(store.LIST_RATES)]

    async def put(
        self, unit: UnitOfWork, currency: str, rate: str | Decimal, day: date | None = None, source: str | None = None
    ) -> Outcome:
        """Declare a rate from a day on, or from today. Raises InvalidRule."""
        currency = checked_currency(currency)
        figure = checked_rate(rate)
        on = day or to_datetime(self._clock.now_ns()).date()
        known = [entry for entry in await self.history(unit) if entry.currency == currency and entry.on <= on]
        # Of two for one day the later entry counts; without a day given, a rate that holds already is the same.
        if known and known[-1].rate == figure and (day is None or known[-1].on == on):
            return Outcome.UNCHANGED
        await unit.execute(store.INSERT_RATE, currency, on, figure, source, unit.scope.actor)
        unit.record("ExchangeRateSet", currency=currency, rate=format(figure, "f"), effective_from=on.isoformat())
        unit.changed()
        return Outcome.CHANGED if known else Outcome.CREATED


def converted(nano: int, rate: Decimal, currency: str) -> Decimal:
    """Nano-dollars at a rate, rounded half-up (away from zero) to the currency's minor unit."""
    exact = CONVERSION.divide(CONVERSION.multiply(Decimal(nano), rate), Decimal(NANO_PER_USD))
    return exact.quantize(Decimal(1).scaleb(-minor_units(currency)), context=CONVERSION)


def minor_units(currency: str) -> int:
    """The decimals that amounts of a currency have."""
    return MINOR_UNITS.get(currency, 2)


def checked_currency(text: str) -> str:
    """A currency's code. Raises InvalidRule."""
    if not re.fullmatch("[A-Z]{3}", text) or text == USD:
        message = f"{text!r} is no currency to declare; use an ISO 4217 code such as EUR, other than USD"
        raise InvalidRule(message, param="currency")
    return text


def checked_rate(rate: str | Decimal) -> Decimal:
    """An exact positive rate. Raises InvalidRule."""
    try:
        figure = Decimal(str(rate))
    except InvalidOperation:
        figure = Decimal("NaN")
    if (
        not figure.is_finite()
        or not Decimal("1e-9") <= figure <= Decimal("1e9")
        or len(figure.as_tuple().digits) > MOST_DIGITS
    ):
        message = f"a rate is how many units a dollar is worth, such as 0.92, not {rate!r}"
        raise InvalidRule(message, param="rate")
    return figure


def rate_of(row: Mapping[str, Any]) -> Rate:
    """A rate from its row."""
    return Rate(
        row["currency"], row["rate"], row["effective_from"], row["source"], row["created_by"], row["created_at"]
    )
