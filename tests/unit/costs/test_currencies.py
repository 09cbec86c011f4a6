"""Exchange rates for display: the rate of the day, exact, rounded half-up to the currency's own minor unit."""

from datetime import date
from decimal import Decimal

import pytest

from enfilade.core.clock import ManualClock
from enfilade.costs.errors import InvalidRule, UnknownCurrency
from enfilade.costs.prices.currencies import Currencies, Rate, checked_currency, checked_rate, converted

FIRST, SECOND = date(2026, 11, 1), date(2026, 11, 10)


def currencies() -> Currencies:
    """Two rates of the euro, the second of which was corrected."""
    made = Currencies(ManualClock())
    made.install(
        [
            Rate("EUR", Decimal("0.92"), FIRST),
            Rate("EUR", Decimal("0.5"), SECOND),
            Rate("EUR", Decimal("0.95"), SECOND),
            Rate("JPY", Decimal("151.5"), FIRST),
        ]
    )
    return made


@pytest.mark.parametrize(
    ("day", "rate"), [(FIRST, "0.92"), (date(2026, 11, 9), "0.92"), (SECOND, "0.95"), (date(2030, 1, 1), "0.95")]
)
def test_a_rate_holds_from_its_day_until_the_next_one(day: date, rate: str) -> None:
    assert currencies().rate("EUR", day) == Decimal(rate)


@pytest.mark.parametrize(("currency", "day"), [("EUR", date(2026, 10, 31)), ("CHF", SECOND), ("", SECOND)])
def test_a_currency_without_a_rate_on_that_day_is_refused_with_what_to_do(currency: str, day: date) -> None:
    with pytest.raises(UnknownCurrency) as refusal:
        currencies().rate(currency, day)

    assert "enfilade currency set" in refusal.value.remedy


def test_a_dollar_is_a_dollar() -> None:
    assert currencies().rate("USD", date(1999, 1, 1)) == 1


@pytest.mark.parametrize(
    ("nano", "currency", "amount"),
    [
        (1_000_000_000, "EUR", "0.92"),
        (5_434_782, "EUR", "0.00"),
        (5_434_783, "EUR", "0.01"),
        (-5_434_783, "EUR", "-0.01"),
        (1_000_000_000, "JPY", "152"),
        (0, "EUR", "0.00"),
        (10**18, "EUR", "920000000.00"),
    ],
)
def test_amounts_are_rounded_half_up_to_the_minor_unit(nano: int, currency: str, amount: str) -> None:
    assert str(currencies().convert(nano, currency, FIRST)) == amount


@pytest.mark.parametrize(("currency", "amount"), [("KWD", "1.235"), ("CLF", "1.2345"), ("VND", "1"), ("XYZ", "1.23")])
def test_currencies_have_the_decimals_that_they_have(currency: str, amount: str) -> None:
    assert str(converted(1_234_500_000, Decimal(1), currency)) == amount


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity", "much", "1e-10", "1e10"])
def test_rates_that_mean_nothing_are_refused(rate: str) -> None:
    with pytest.raises(InvalidRule):
        checked_rate(rate)


@pytest.mark.parametrize("currency", ["USD", "eur", "EURO", "E1R", ""])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    with pytest.raises(InvalidRule):
        checked_currency(currency)
