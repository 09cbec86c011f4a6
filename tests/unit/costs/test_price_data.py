"""The price data that is installed: all of it can be compiled, and agrees with the library it comes from."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from genai_prices import Usage as PublishedUsage
from genai_prices import calc_price

from enfilade.core.usage import Usage
from enfilade.costs.prices.book import PriceBook, decode_book
from enfilade.costs.prices.compile import compile_book

MOMENT = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def installed() -> PriceBook:
    """The compiled book."""
    return compile_book()


def test_the_installed_data_compiles_to_a_sane_book(installed: PriceBook) -> None:
    assert decode_book(msgspec.json.encode(installed)) == installed
    assert sum(len(provider.models) for provider in installed.providers) > 100


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o"),
        ("openai", "gpt-4o-mini-2024-07-18"),
        ("openai", "o3"),
        ("openai", "text-embedding-3-small"),
        ("anthropic", "claude-3-5-haiku-latest"),
        ("anthropic", "claude-sonnet-4-0"),
        ("google", "gemini-2.5-pro"),
        ("mistral", "mistral-small-latest"),
    ],
)
@pytest.mark.parametrize("tokens", [(1000, 0, 100), (150_000, 50_000, 3), (400_000, 100_000, 7001), (250_001, 0, 0)])
def test_our_cost_is_the_librarys_to_the_nano_dollar(
    installed: PriceBook, provider: str, model: str, tokens: tuple[int, int, int]
) -> None:
    inputs, cached, outputs = tokens
    found = installed.find(provider, model)
    assert found is not None, "the book knows the model"
    label, published = found
    theirs = calc_price(
        PublishedUsage(input_tokens=inputs, cache_read_tokens=cached, output_tokens=outputs),
        model_ref=model,
        provider_id=provider,
        genai_request_timestamp=MOMENT,
    )

    ours = published.sheet(label, MOMENT).cost(Usage(inputs, cached, output_tokens=outputs))

    assert abs(Decimal(ours) - theirs.total_price * 10**9) <= Decimal("0.5")


def test_the_addresses_of_the_known_services_are_recognised(installed: PriceBook) -> None:
    assert installed.provider_at("https://api.openai.com/v1") == "openai"
    assert installed.provider_at("https://api.anthropic.com") == "anthropic"
    assert installed.provider_at("http://127.0.0.1:8000/v1") is None
