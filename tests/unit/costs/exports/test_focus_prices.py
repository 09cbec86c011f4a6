"""Prices and costs of FOCUS rows: the product is exact, whatever the ledger has rounded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from enfilade.costs.spend.exports.tables._focus_columns import COST_SCALE, PRICE_SCALE
from enfilade.costs.spend.exports.tables.focus import MILLION, charge, measure, priced
from enfilade.costs.spend.exports.tables.lines import apportion

RATES = st.integers(0, 10**15)
QUANTITIES = st.integers(-(10**9), 10**12)
AMOUNTS = st.integers(-(10**15), 10**18)


def product(price: int, quantity: int, per: int) -> Decimal:
    with localcontext(prec=80):
        return Decimal(price).scaleb(-PRICE_SCALE) * Decimal(quantity) / per


@given(RATES, QUANTITIES, st.sampled_from([1, MILLION]), AMOUNTS, st.integers(1, 1000))
def test_unit_price_times_quantity_is_the_cost(rate: int, quantity: int, per: int, nano: int, lines: int) -> None:
    found = priced(Decimal(nano), quantity, rate, lines, per)
    if found is None:
        assert quantity == 0 or (nano < 0) != (quantity < 0)
        return
    assert found.price >= 0
    with localcontext(prec=80):
        assert product(found.price, quantity, per) == Decimal(found.cost).scaleb(-COST_SCALE)


@given(RATES, st.lists(st.integers(0, 10**9), min_size=1, max_size=20), st.sampled_from([1, MILLION]))
def test_the_rate_that_was_paid_is_the_price_however_often_it_was_rounded(
    rate: int, quantities: list[int], per: int
) -> None:
    nano = sum((quantity * rate + 500_000) // MILLION for quantity in quantities)
    found = priced(Decimal(nano), sum(quantities), rate, len(quantities), per)
    assert found is not None
    assert product(found.price, MILLION, per) == product(rate * per, MILLION, per)
    assert abs(Decimal(found.cost).scaleb(9 - COST_SCALE) - nano) <= Decimal(len(quantities)) / 2


@given(st.integers(1, 10**12), st.integers(0, 10**18))
def test_a_price_that_no_rate_explains_comes_close_to_the_amount(quantity: int, nano: int) -> None:
    assume(nano > 0)
    found = priced(Decimal(nano), quantity, None, 1, MILLION)
    assert found is not None
    assert abs(Decimal(found.cost).scaleb(9 - COST_SCALE) - nano) <= Decimal(quantity) / 10**9


@given(st.integers(-(10**18), 10**18), st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=17))
def test_parts_add_up_to_their_whole(total: int, weights: list[int]) -> None:
    parts = apportion(total, weights)
    assert sum(parts) == total
    assert len(parts) == len(weights)


def group(**changes: Any) -> dict[str, Any]:
    start = datetime(2026, 12, 31, tzinfo=UTC)
    month = start.replace(day=1)
    nothing = dict.fromkeys(
        ("department_id", "department", "application_id", "application", "region", "use_case", "prompt")
    )
    return {
        **nothing,
        "tenant_id": "t",
        "issuer": None,
        "tenant": "acme",
        "model": "m",
        "provider": "p",
        "deployment": "p/m",
        "price": "v",
        "estimated": False,
        "corrects": False,
        "kind": "input",
        "rate": 1_000,
        "lines": 1,
        "quantity": Decimal(10**6),
        "amount_nano": Decimal(1000),
        "list_nano": Decimal(1000),
        "provider_nano": Decimal(1000),
        "charged_from": start,
        "billed_from": month,
        "used_in": month,
        "length": timedelta(days=1),
    } | changes


def test_the_billing_period_is_the_calendar_month_over_the_end_of_the_year() -> None:
    cells = charge(group(), is_platform=False)
    assert cells["BillingPeriodStart"] == datetime(2026, 12, 1, tzinfo=UTC)
    assert cells["BillingPeriodEnd"] == datetime(2027, 1, 1, tzinfo=UTC) == cells["ChargePeriodEnd"]


def test_the_issuer_is_who_bills_here() -> None:
    assert charge(group(), is_platform=False)["InvoiceIssuerName"] == "Enfilade"
    assert charge(group(issuer="Acme IT GmbH"), is_platform=False)["InvoiceIssuerName"] == "Acme IT GmbH"


@pytest.mark.parametrize(
    ("changes", "category"),
    [
        ({}, "Usage"),
        ({"quantity": Decimal(0)}, "Adjustment"),
        ({"quantity": None, "kind": None, "rate": None}, "Adjustment"),
        ({"quantity": Decimal(-5)}, "Adjustment"),
        ({"quantity": Decimal(-(10**6)), "amount_nano": Decimal(-1000), "list_nano": Decimal(-1000)}, "Usage"),
    ],
)
def test_what_has_no_price_and_quantity_is_an_adjustment(changes: dict[str, Any], category: str) -> None:
    assert charge(group(**changes), is_platform=True)["ChargeCategory"] == category


def test_what_neither_cost_nor_counted_anything_is_no_row() -> None:
    nothing = {"quantity": None, "amount_nano": Decimal(0), "list_nano": Decimal(0)}
    assert charge(group(**nothing), is_platform=True) == {}


@pytest.mark.parametrize(
    ("kind", "unit", "per"),
    [
        ("input", "Tokens", MILLION),
        ("image_output", "Tokens", MILLION),
        ("characters", "Characters", MILLION),
        ("requests", "Requests", 1),
        ("web_searches", "Searches", 1),
        ("pages", "Pages", 1),
        ("seconds", "Seconds", 1),
        (None, "Tokens", MILLION),
    ],
)
def test_kinds_have_units(kind: str | None, unit: str, per: int) -> None:
    found = measure(kind)
    assert (found.unit, found.per) == (unit, per)
    assert found.pricing_unit == (unit if per == 1 else f"1000000 {unit}")
