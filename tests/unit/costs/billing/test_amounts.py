"""What is owed: exact sums, one rounding each."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.costs.billing.amounts import Currency, check_rate, minor_of, minor_text, tax_minor, total_up
from enfilade.costs.billing.types import Credit, ExchangeRate, Tax
from enfilade.costs.errors import InvalidBilling

AMOUNTS = st.integers(-(10**16), 10**16)
CODES = st.sampled_from(["USD", "EUR", "JPY", "KWD"])
RATES = st.decimals("0.0001", "20000", places=6)


def currency(code: str, rate: Decimal | str = "1") -> Currency:
    return Currency(code, None if code == "USD" else ExchangeRate(code, Decimal(rate), date(2026, 11, 30), "a bank"))


def credit(identifier: str, left: int) -> Credit:
    return Credit(identifier, "acme", 10**12, left, identifier, datetime(2026, 11, 1, tzinfo=UTC), None)


@given(AMOUNTS, CODES, RATES)
def test_the_net_sum_is_within_half_the_smallest_unit_of_the_ledger(nano: int, code: str, rate: Decimal) -> None:
    chosen = currency(code, rate)
    net = total_up(nano, chosen, (), ()).net
    owed = Decimal(nano) * chosen.per_usd / 10**9 * 10**chosen.digits
    assert abs(net - owed) <= Decimal("0.5")


@given(st.integers(0, 10**14), CODES, RATES, st.lists(st.integers(0, 10**13), max_size=6))
def test_credits_never_take_more_than_is_owed_and_their_amounts_add_up(
    nano: int, code: str, rate: Decimal, left: list[int]
) -> None:
    chosen = currency(code, rate)
    granted = [credit(str(position), amount) for position, amount in enumerate(left)]
    totals = total_up(nano, chosen, granted, ())
    taken = sum(part.nano for part in totals.credits)
    assert taken == min(nano, sum(left))
    assert totals.subtotal - sum(part.minor for part in totals.credits) == totals.net
    assert totals.net == chosen.minor(nano - taken)
    assert [part.credit.id for part in totals.credits] == sorted(
        (part.credit.id for part in totals.credits), key=[entry.id for entry in granted].index
    )


def test_credits_are_taken_in_the_order_given() -> None:
    totals = total_up(1_000_000_000, currency("USD"), [credit("old", 300_000_000), credit("new", 10**12)], ())
    assert [(part.credit.id, part.nano) for part in totals.credits] == [("old", 300_000_000), ("new", 700_000_000)]
    assert totals.total == 0


def test_a_negative_sum_takes_no_credit() -> None:
    totals = total_up(-5_000_000, currency("USD"), [credit("old", 10**9)], [Tax("VAT", "20")])
    assert (totals.subtotal, totals.credits, totals.net, totals.total) == (-1, (), -1, -1)


@pytest.mark.parametrize(
    ("net", "rate", "tax"),
    [
        (1000, "20", 200),
        (1, "20", 0),
        (3, "20", 1),
        (2, "25", 1),
        (1002, "8.875", 89),
        (-1000, "20", -200),
        (5, "0", 0),
    ],
)
def test_a_tax_is_rounded_half_up_once(net: int, rate: str, tax: int) -> None:
    assert tax_minor(net, rate) == tax


@pytest.mark.parametrize(
    ("nano", "code", "rate", "text"),
    [
        (1_234_567_890, "USD", "1", "1.23"),
        (5_000_000, "USD", "1", "0.01"),
        (4_999_999, "USD", "1", "0.00"),
        (-5_000_000, "USD", "1", "-0.01"),
        (1_000_000_000, "JPY", "151.5", "152"),
        (1_000_000_000, "KWD", "0.3065", "0.307"),
        (10**9, "EUR", "0.9234", "0.92"),
    ],
)
def test_sums_have_the_currencys_own_places(nano: int, code: str, rate: str, text: str) -> None:
    chosen = currency(code, rate)
    assert chosen.text(chosen.minor(nano)) == text


@given(st.integers(-(10**12), 10**12), st.sampled_from([0, 2, 3]))
def test_sums_as_text_read_back(minor: int, digits: int) -> None:
    assert minor_of(minor_text(minor, digits)) == minor


@pytest.mark.parametrize(
    ("rate", "per", "text"),
    [
        (1_250_000_000, 1_000_000, "1.25"),
        (10_000_000_000_000, 1, "0.01"),
        (150_000, 1_000_000, "0.00015"),
        (0, 1, "0.00"),
    ],
)
def test_unit_prices_have_no_idle_zeros(rate: int, per: int, text: str) -> None:
    assert currency("USD").price(rate, per) == text


def test_lines_have_nine_places_and_nothing_has_no_sign() -> None:
    assert currency("USD").line(-1) == "-0.000000001"
    assert currency("EUR", "0.1").line(-1) == "0.000000000"
    assert currency("EUR", "0.9234").line(123_456_789_012) == "113.999998974"


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity", "1e12"])
def test_a_rate_is_positive_and_finite(rate: str) -> None:
    with pytest.raises(InvalidBilling):
        check_rate(ExchangeRate("EUR", Decimal(rate), date(2026, 11, 30), "a bank"))
