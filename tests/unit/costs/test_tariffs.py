"""What administrators and price lists may declare, and the way to rates and back."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from enfilade.core.usage import Usage
from enfilade.costs.errors import InvalidRule
from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.prices.tariffs import Tariff, price_fields, tariff_from
from enfilade.costs.prices.units import dollars_from_rate, rate_from_dollars

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
DOLLAR = 10**9
EVERYTHING = {
    "input": 10,
    "output": "20.5",
    "requests": 1,
    "seconds": "0.37",
    "long_context": [{"above": 1000, "input": 15}, {"above": 2000, "output": 40}],
    "service_tiers": {"batch": {"input": 5, "long_context": [{"above": 1000, "input": 6}]}},
    "hours": [{"from": "22:00", "until": "06:00", "input": 2}],
}


@pytest.mark.parametrize(
    ("kind", "dollars", "rate"),
    [
        ("input", "0.15", 150_000_000),
        ("characters", 15, 15 * DOLLAR),
        ("requests", 5, 5 * 10**12),
        ("web_searches", 10, 10**13),
        ("pages", "0.000000001", 1000),
        ("seconds", "0.36", 10**11),
        ("seconds", "0.37", 102_777_777_778),
    ],
)
def test_written_prices_are_rates_by_the_million_and_read_back_as_they_were_written(
    kind: str, dollars: str, rate: int
) -> None:
    assert rate_from_dollars(kind, dollars) == rate
    assert dollars_from_rate(kind, rate) == Decimal(dollars)


@pytest.mark.parametrize("nano", [0, 1, 7, 370_000_000, 8_999_999_999_999])
@pytest.mark.parametrize("kind", KINDS)
def test_every_price_of_whole_nano_dollars_in_its_unit_reads_back_as_itself(kind: str, nano: int) -> None:
    written = Decimal(nano).scaleb(-9)

    assert dollars_from_rate(kind, rate_from_dollars(kind, written)) == written


def test_an_hour_of_sound_costs_what_was_written() -> None:
    sheet = tariff_from({"seconds": "0.37"}).sheet("l", NOON)

    assert sheet.cost(Usage(seconds=3600)) == 370_000_000


def test_everything_that_can_be_declared_is_read_back_as_it_was() -> None:
    tariff = tariff_from(EVERYTHING)

    assert tariff_from(price_fields(tariff)) == tariff
    assert msgspec.json.decode(msgspec.json.encode(tariff), type=Tariff) == tariff


def test_a_declared_price_has_tiers_service_tiers_and_hours() -> None:
    tariff = tariff_from(EVERYTHING)
    day, night = tariff.sheet("l", NOON), tariff.sheet("l", NOON.replace(hour=23))

    def rates(tokens: int) -> list[int | None]:
        return [day.rates(tokens).of(kind) for kind in ("input", "output")]

    assert [rates(1000), rates(1001), rates(2001)] == [
        [10 * DOLLAR, 20_500_000_000],
        [15 * DOLLAR, 20_500_000_000],
        [15 * DOLLAR, 40 * DOLLAR],
    ]
    batch = day.for_service_tier("batch")
    # Its own thresholds replace the standard ones for what it names; the output keeps the standard's.
    assert [batch.rates(tokens).of("input") for tokens in (1000, 1001, 2001)] == [5 * DOLLAR, 6 * DOLLAR, 6 * DOLLAR]
    assert batch.rates(2001).of("output") == 40 * DOLLAR
    assert night.base.of("input") == 2 * DOLLAR
    assert night.rates(5000).of("input") == 2 * DOLLAR


@pytest.mark.parametrize(
    ("price", "param"),
    [
        ({}, "price"),
        ({"output": 1}, "price.input"),
        ({"input": 1, "parchments": 1}, "price"),
        ({"input": -1}, "price.input"),
        ({"input": "NaN"}, "price.input"),
        ({"input": "1e-10"}, "price.input"),
        ({"input": 1_000_001}, "price.input"),
        ({"requests": 9001}, "price.requests"),
        ({"free": True, "input": 1}, "price"),
        ({"input": 1, "long_context": [{"above": 0, "input": 1}]}, "price.long_context[0].above"),
        ({"input": 1, "long_context": [{"above": 5}]}, "price.long_context[0]"),
        ({"input": 1, "long_context": [{"above": 5, "input": 1}, {"above": 5, "input": 2}]}, "price.long_context"),
        ({"input": 1, "long_context": [{"above": 9, "input": 1}, {"above": 5, "input": 2}]}, "price.long_context"),
        ({"input": 1, "service_tiers": {"default": {"input": 1}}}, "price.service_tiers.default"),
        ({"input": 1, "service_tiers": {"batch": {}}}, "price.service_tiers.batch"),
        ({"input": 1, "service_tiers": {"batch": {"input": "x"}}}, "price.service_tiers.batch.input"),
        ({"input": 1, "hours": [{"from": "25:00", "until": "1:00", "input": 1}]}, "price.hours[0].from"),
        ({"input": 1, "hours": [{"from": "01:00", "until": "01:00", "input": 1}]}, "price.hours[0]"),
        ({"input": 1, "hours": [{"from": "01:00", "until": "02:00"}]}, "price.hours[0]"),
    ],
)
def test_what_means_nothing_is_refused_with_the_field_at_fault(price: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRule) as refusal:
        tariff_from(price)

    assert refusal.value.param == param


@pytest.mark.parametrize(
    ("prices", "saved_nano"),
    [
        ({"input": 10**9, "cached_input": 10**8}, 900),
        ({"input": 10**9}, 0),
        ({"cached_input": 10**8}, 0),
        ({"requests": 10**9}, 0),
    ],
    ids=["both", "no price for cached input", "no price for input", "neither"],
)
def test_a_cache_saves_only_where_both_prices_are_known(prices: dict[str, int], saved_nano: int) -> None:
    usage = Usage(input_tokens=1_000_000, cached_input_tokens=1_000_000)

    assert Tariff(prices).sheet("l", NOON).saved(usage) == saved_nano * 10**6
