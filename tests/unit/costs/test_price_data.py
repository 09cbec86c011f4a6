"""The price data that is installed: all of it can be compiled, and agrees with the library it comes from."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import genai_prices.data
import msgspec
import pytest
from genai_prices import Usage as PublishedUsage
from genai_prices import types as source

from enfilade.core.usage import Usage
from enfilade.costs.errors import PriceBookFault
from enfilade.costs.prices import compile as compiler
from enfilade.costs.prices.book import PriceBook, decode_book
from enfilade.costs.prices.compile import compile_book

MOMENT = datetime(2026, 11, 2, 12, tzinfo=UTC)
# How the book's service tiers are asked for in the library.
CONTEXTS: dict[str | None, dict[str, str]] = {
    None: {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}


@pytest.fixture(scope="module")
def installed() -> PriceBook:
    """The compiled book."""
    return compile_book()


def test_the_installed_data_compiles_to_a_sane_book(installed: PriceBook) -> None:
    assert decode_book(msgspec.json.encode(installed)) == installed
    assert sum(len(provider.models) for provider in installed.providers) > 100


@pytest.mark.parametrize("tier", CONTEXTS)
@pytest.mark.parametrize("tokens", [(1000, 0, 100), (150_000, 50_000, 3), (400_000, 100_000, 7001)])
def test_every_published_price_is_the_librarys_to_the_nano_dollar(
    installed: PriceBook, tier: str | None, tokens: tuple[int, int, int]
) -> None:
    inputs, cached, outputs = tokens
    ours = {(provider.id, model.id): model for provider in installed.providers for model in provider.models}
    compared = 0
    for provider in genai_prices.data.providers:
        for model in provider.models:
            sheet = ours[provider.id, model.id].sheet("l", MOMENT)
            if sheet is None or (tier is not None and tier not in sheet.service_tiers):
                continue
            price = model.get_prices(MOMENT, CONTEXTS[tier])
            if price.input_mtok is None or price.output_mtok is None:
                continue
            theirs = price.calc_price(
                PublishedUsage(input_tokens=inputs, cache_read_tokens=cached, output_tokens=outputs)
            )["total_price"]
            charge = sheet.for_service_tier(tier).charge(Usage(inputs, cached, output_tokens=outputs))
            assert abs(Decimal(charge.nano) - theirs * 10**9) <= 2, (provider.id, model.id)
            compared += 1
    assert compared > (500 if tier is None else 10)


def test_the_addresses_of_the_known_services_are_recognised(installed: PriceBook) -> None:
    assert installed.provider_at("https://api.openai.com/v1") == "openai"
    assert installed.provider_at("https://api.anthropic.com") == "anthropic"
    assert installed.provider_at("http://127.0.0.1:8000/v1") is None


def test_every_unit_is_either_priced_or_named_as_not_charged(installed: PriceBook) -> None:
    ours = {(provider.id, model.id): model for provider in installed.providers for model in provider.models}
    for provider in genai_prices.data.providers:
        for model in provider.models:
            named = set(ours[provider.id, model.id].unsupported)
            assert _units(model) <= named | compiler.KIND_BY_UNIT.keys(), (provider.id, model.id)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (
            {"input_mtok": Decimal("2.5"), "web_searches_kcount": Decimal(10)},
            {"input": 25 * 10**8, "web_searches": 10**13},
        ),
        ({"requests_kcount": Decimal(5)}, {"requests": 5 * 10**12}),
        ({"input_mchars": Decimal(15)}, {"characters": 15 * 10**9}),
        ({"input_document_kpages": Decimal("1.5")}, {"pages": 15 * 10**11}),
        ({"audio_hours": Decimal("0.36")}, {"seconds": 10**11}),
        (
            {"cache_write_1h_mtok": Decimal(6), "input_mtok": Decimal(3)},
            {"cache_write_1h": 6 * 10**9, "input": 3 * 10**9},
        ),
        ({"input_mtok": Decimal("0.18000000000000002")}, {"input": 18 * 10**7}),
    ],
)
def test_units_become_kinds(
    monkeypatch: pytest.MonkeyPatch, units: dict[str, Decimal], expected: dict[str, int]
) -> None:
    book = _compiled(monkeypatch, prices=source.ModelPrice(**units))

    assert book.providers[0].models[0].history[0].prices == expected


def test_a_model_priced_only_in_units_that_no_call_reports_has_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    book = _compiled(monkeypatch, prices=source.ModelPrice(rerank_searches_kcount=Decimal(2)))
    found = book.find("acme", "m")

    assert found is not None
    assert found[1].sheet("l", MOMENT) is None
    assert found[1].unsupported == ("rerank_searches_kcount",)


def test_conditions_become_service_tiers_and_those_that_no_call_states_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def variant(dollars: int, **when: str) -> source.PriceVariant:
        return source.PriceVariant(when=when, prices=source.ModelPrice(input_mtok=Decimal(dollars)))

    book = _compiled(
        monkeypatch,
        prices=source.ModelPrice(input_mtok=Decimal(10), output_mtok=Decimal(20)),
        price_variants=[
            variant(5, processing="batch"),
            variant(30, speed="fast"),
            variant(20, service_tier="priority"),
            variant(7, route="mistral/eu"),
        ],
    )
    model = book.providers[0].models[0]
    sheet = model.sheet("l", MOMENT)

    assert sheet is not None
    rates = {name: [tier.base.of(kind) for kind in ("input", "output")] for name, tier in sheet.service_tiers.items()}
    dollar = 10**9
    assert rates == {
        "batch": [5 * dollar, 20 * dollar],
        "fast": [30 * dollar, 20 * dollar],
        "priority": [20 * dollar, 20 * dollar],
    }
    assert model.unsupported_variants == ("route=mistral/eu",)


@pytest.mark.parametrize("price", [Decimal(-1), Decimal("NaN"), Decimal("Infinity"), Decimal(10**9)])
def test_one_price_that_is_not_sane_refuses_the_whole_book_and_is_named(
    monkeypatch: pytest.MonkeyPatch, price: Decimal
) -> None:
    with pytest.raises(PriceBookFault, match="acme/m"):
        _compiled(monkeypatch, prices=source.ModelPrice(input_mtok=price))


def _compiled(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> PriceBook:
    model = source.ModelInfo(id="m", match=source.ClauseEquals(equals="m"), **fields)
    provider = source.Provider(id="acme", name="Acme", api_pattern="https://acme", models=[model])
    monkeypatch.setattr(compiler, "providers", [provider])
    return compile_book()


def _units(model: source.ModelInfo) -> set[str]:
    prices = [model.prices] if isinstance(model.prices, source.ModelPrice) else [p.prices for p in model.prices]
    prices += [variant.prices for variant in model.price_variants or ()]
    return {unit for price in prices for unit, figure in vars(price).items() if figure is not None}


def test_a_moment_a_second_before_a_published_date_has_the_earlier_price(installed: PriceBook) -> None:
    changes = [
        (model, datetime.fromisoformat(day).replace(tzinfo=UTC))
        for provider in installed.providers
        for model in provider.models
        for day in [price.from_date for price in model.history if price.from_date]
    ]
    assert len(changes) > 50
    for model, day in changes:
        assert model.price_at(day).from_date == day.date().isoformat() or model.price_at(day).from_time, model.id
        assert model.price_at(day - timedelta(seconds=1)).from_date != day.date().isoformat()
