"""What providers' exports say, format by format."""

import json
from typing import Any

import pytest

from enfilade.core.families import members
from enfilade.costs.errors import EmptyExport, ExportCurrency, UnreadableExport
from enfilade.costs.reconciliation import formats
from enfilade.costs.reconciliation.types import CsvFormat, JsonFormat
from tests.unit.costs.reconciliation.exports import (
    anthropic_cost,
    anthropic_page,
    csv_of,
    openai_cost,
    openai_page,
    reading_of,
    sums,
    tar_of,
    text_of,
    zipped,
)

LEGACY = (
    *("identity/LineItemId", "lineItem/UsageAccountId", "lineItem/LineItemType", "lineItem/UsageStartDate"),
    *("lineItem/ProductCode", "lineItem/UsageType", "lineItem/ResourceId", "lineItem/UsageAmount"),
    *("lineItem/CurrencyCode", "lineItem/UnblendedCost", "product/ProductName", "pricing/unit", "bill/Whatever"),
)
CUR_2 = (
    *("identity_line_item_id", "line_item_usage_account_id", "line_item_line_item_type", "line_item_usage_start_date"),
    *("line_item_product_code", "line_item_usage_type", "line_item_resource_id", "line_item_usage_amount"),
    *("line_item_currency_code", "line_item_unblended_cost", "product", "pricing_unit", "line_item_net_unblended_cost"),
)
FOCUS = (
    *("BilledCost", "BillingCurrency", "ChargeCategory", "ChargeDescription", "ChargePeriodStart", "ConsumedQuantity"),
    *("ConsumedUnit", "EffectiveCost", "ResourceId", "ServiceCategory", "ServiceName", "SkuId", "x_SkuMeterName"),
)


def test_the_family_has_the_formats_of_the_documentation() -> None:
    found = members(formats, "FORMAT")
    assert sorted(found) == ["anthropic_costs", "anthropic_usage", "aws_cur", "focus", "openai_costs", "openai_usage"]
    assert all(isinstance(form, JsonFormat | CsvFormat) and form.title for form in found.values())


def test_openai_costs_are_read_line_item_by_line_item() -> None:
    page = openai_page(
        [
            openai_cost("gpt-4o-2024-08-06, input", "0.0025", quantity=1000, quantity_unit="tokens"),
            openai_cost("gpt-4o-2024-08-06, cached input", "1.25e-05", quantity=10),
            openai_cost("gpt-image-1, input", "0.5"),
            openai_cost("web search tool calls", "0.03"),
            openai_cost("Vector store storage", "0.1", quantity=3, quantity_unit="gibibyte_hours"),
        ],
        [],
        [openai_cost("gpt-4o-2024-08-06, output", "0.13080438340307526")],
    )
    reading = reading_of(text_of(page))
    assert sums(reading) == {
        ("01", "gpt-4o-2024-08-06", "input"): (1000, 2_500_000),
        ("01", "gpt-4o-2024-08-06", "cached_input"): (10, 12_500),
        ("01", "gpt-image-1", "input"): (None, 500_000_000),
        ("01", "web search tool calls", "web_searches"): (None, 30_000_000),
        ("01", "Vector store storage", None): (None, 100_000_000),
        ("03", "gpt-4o-2024-08-06", "output"): (None, 130_804_383),
    }
    assert (reading.start.isoformat(), reading.end.isoformat()) == ("2026-11-01", "2026-11-04")
    assert reading.rounded_rows == 1
    assert reading.formats == ["OpenAI costs API (JSON)"]
    assert reading.keys == {"proj_abc": 763_316_883}


def test_openai_usage_is_read_as_disjoint_kinds() -> None:
    result: dict[str, Any] = {
        "object": "organization.usage.completions.result",
        "model": "gpt-4o-2024-08-06",
        "api_key_id": "key_1",
        "num_model_requests": 5,
    }
    older = result | {"input_tokens": 1000, "input_cached_tokens": 800, "output_tokens": 500, "input_audio_tokens": 7}
    newer = result | {
        "model": "gpt-audio",
        "input_tokens": 100,
        "input_cached_tokens": 40,
        "input_uncached_tokens": 50,
        "input_cache_write_tokens": 10,
        "input_text_tokens": 30,
        "input_audio_tokens": 20,
        "input_cached_audio_tokens": 15,
        "output_tokens": 9,
        "output_audio_tokens": 4,
    }
    assert sums(reading_of(text_of(openai_page([older, newer])))) == {
        ("01", "gpt-4o-2024-08-06", "input"): (200, None),
        ("01", "gpt-4o-2024-08-06", "cached_input"): (800, None),
        ("01", "gpt-4o-2024-08-06", "output"): (500, None),
        ("01", "gpt-4o-2024-08-06", "audio_input"): (7, None),
        ("01", "gpt-audio", "input"): (30, None),
        ("01", "gpt-audio", "cached_input"): (25, None),
        ("01", "gpt-audio", "cached_audio_input"): (15, None),
        ("01", "gpt-audio", "cache_write"): (10, None),
        ("01", "gpt-audio", "audio_input"): (20, None),
        ("01", "gpt-audio", "output"): (5, None),
        ("01", "gpt-audio", "audio_output"): (4, None),
    }


def test_parts_that_exceed_their_whole_are_refused() -> None:
    result = {
        "object": "organization.usage.completions.result",
        "model": "m",
        "input_tokens": 1,
        "input_cached_tokens": 2,
    }
    with pytest.raises(UnreadableExport, match=r"data\[0\]\.results\[0\]: expected parts that fit"):
        reading_of(text_of(openai_page([result])))


def test_anthropics_amounts_are_cents() -> None:
    page = anthropic_page(
        [
            anthropic_cost("123.45"),
            anthropic_cost("0.0375", "cache_creation.ephemeral_5m_input_tokens"),
            anthropic_cost("0.06", "cache_creation.ephemeral_1h_input_tokens"),
            anthropic_cost("0.00000001", "cache_read_input_tokens"),
            anthropic_cost("7", "output_tokens"),
            anthropic_cost("3.5", None, model=None, description="Web Search Usage", cost_type="web_search"),
        ]
    )
    reading = reading_of(text_of(page), "anthropic")
    assert sums(reading) == {
        ("01", "claude-sonnet-4-20250514", "input"): (None, 1_234_500_000),
        ("01", "claude-sonnet-4-20250514", "cache_write"): (None, 375_000),
        ("01", "claude-sonnet-4-20250514", "cache_write_1h"): (None, 600_000),
        ("01", "claude-sonnet-4-20250514", "cached_input"): (None, 0),
        ("01", "claude-sonnet-4-20250514", "output"): (None, 70_000_000),
        ("01", "Web Search Usage", None): (None, 35_000_000),
    }
    assert reading.rounded_rows == 1


def test_anthropics_usage_and_costs_make_one_whole() -> None:
    usage = {
        "uncached_input_tokens": 1500,
        "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
        "cache_read_input_tokens": 200,
        "output_tokens": 600,
        "server_tool_use": {"web_search_requests": 10},
        "api_key_id": "apikey_1",
        "workspace_id": "wrkspc_1",
        "model": "claude-sonnet-4-20250514",
        "service_tier": "standard",
        "context_window": "0-200k",
    }
    archive = tar_of(
        {
            "costs.json": text_of(anthropic_page([anthropic_cost("0.45")])),
            "usage.json": text_of(anthropic_page([usage])),
        }
    )
    found = sums(reading_of(archive, "anthropic"))
    model = "claude-sonnet-4-20250514"
    assert found["01", model, "input"] == (1500, 4_500_000)
    assert found["01", model, "cache_write_1h"] == (1000, None)
    assert found["01", model, "web_searches"] == (10, None)


def legacy_row(usage_type: str, amount: str, cost: str, **more: str) -> list[str]:
    """A row of a legacy cost and usage report."""
    fields = {
        "type": "Usage",
        "code": "AmazonBedrock",
        "product": "Amazon Bedrock",
        "unit": "1K tokens",
        "currency": "USD",
        "day": "2026-11-01T05:00:00Z",
    } | more
    return [
        *("li-1", "111122223333", fields["type"], fields["day"], fields["code"], usage_type, "arn:profile/a", amount),
        *(fields["currency"], cost, fields["product"], fields["unit"], "x"),
    ]


LEGACY_ROWS = (
    legacy_row("USE1-NovaPro-input-tokens", "12.5", "0.01"),
    legacy_row("USE1-NovaPro-output-tokens", "2", "0.0064"),
    legacy_row("EUW2-NovaPro-cache-read-input-token-count", "1", "0.0002"),
    legacy_row("EUW2-Qwen3-VL-235B-A22B-input-tokens-batch", "1", "0.5"),
    legacy_row(
        "USE1-MP:USE1_InputTokenCount-Units",
        "0.5",
        "1.5",
        code="4a1example",
        product="Claude Sonnet 4.5 (Amazon Bedrock Edition)",
        unit="Units",
    ),
    legacy_row("USE1-BoxUsage:m7i.large", "24", "2.4192", code="AmazonEC2", product="Amazon EC2", unit="Hrs"),
    legacy_row("USE1-NovaPro-input-tokens", "0", "-1.25", type="Credit"),
    legacy_row("USE1-NovaPro-input-tokens", "0", "3.10", type="Tax"),
)


def test_a_legacy_cost_and_usage_report_gives_its_rows_about_bedrock() -> None:
    reading = reading_of(csv_of(LEGACY, *LEGACY_ROWS), "bedrock")
    assert sums(reading) == {
        ("01", "NovaPro", "input"): (12_500, 10_000_000),
        ("01", "NovaPro", "output"): (2_000, 6_400_000),
        ("01", "NovaPro", "cached_input"): (1_000, 200_000),
        ("01", "Qwen3-VL-235B-A22B", "input"): (1_000, 500_000_000),
        ("01", "Claude Sonnet 4.5", "input"): (500_000, 1_500_000_000),
    }
    assert reading.left_out == {
        "other services": (1, 2_419_200_000),
        "Credit": (1, -1_250_000_000),
        "Tax": (1, 3_100_000_000),
    }


def test_a_packed_report_says_the_same() -> None:
    plain = csv_of(LEGACY, *LEGACY_ROWS)
    assert sums(reading_of(zipped(plain), "bedrock")) == sums(reading_of(plain, "bedrock"))
    assert sums(reading_of(tar_of({"part-1.csv.gz": zipped(plain)}), "bedrock")) == sums(reading_of(plain, "bedrock"))


def test_cur_2_names_its_columns_otherwise_and_prefers_what_is_net_of_discounts() -> None:
    product = json.dumps({"product_name": "Claude Opus 4.6 (Amazon Bedrock Edition)"})
    row = [
        *("li", "111122223333", "Usage", "2026-11-02 09:00:00.000", "AmazonBedrockFoundationModels"),
        *("USE1-MP:USE1_CacheWriteInputTokenCount-Units", "", "250", "USD", "1.71875", product, "1K tokens", "1.5"),
    ]
    assert sums(reading_of(csv_of(CUR_2, row), "bedrock")) == {
        ("02", "Claude Opus 4.6", "cache_write"): (250_000, 1_500_000_000)
    }


def test_focus_rows_about_models_are_read_and_others_left_out() -> None:
    usage, ai = "Usage", "AI and Machine Learning"
    day = "2026-11-03T00:00:00Z"
    azure = [
        "1.25",
        "USD",
        usage,
        "",
        day,
        "500",
        "1K Tokens",
        "1.2",
        "/acc/1",
        ai,
        "Azure OpenAI",
        "sku",
        "gpt-4o 0806 Inp glbl Tokens",
    ]
    aws = ["0.8", "USD", usage, "NovaPro-output-tokens", day, "100", "1M tokens", "", "", ai, "Amazon Bedrock", "s", ""]
    reading = reading_of(
        csv_of(
            FOCUS,
            azure,
            aws,
            ["9", "USD", usage, "disk", day, "1", "GB", "9", "", "Storage", "Disks", "s", ""],
            ["2", "USD", "Tax", "VAT", day, "", "", "2", "", ai, "Azure OpenAI", "s", ""],
        ),
        "azure",
    )
    assert sums(reading) == {
        ("03", "gpt-4o 0806", "input"): (500_000, 1_250_000_000),
        ("03", "NovaPro", "output"): (100_000_000, 800_000_000),
    }
    assert reading.left_out == {"other services": (1, 9_000_000_000), "Tax": (1, 2_000_000_000)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text_of(openai_page([openai_cost("gpt-4o, input", "1", currency="eur")])), r"data\[0\].*amounts are in 'eur'"),
        (text_of(anthropic_page([anthropic_cost("1", currency="EUR")])), "amounts are in 'EUR'"),
        (csv_of(LEGACY, legacy_row("USE1-NovaPro-input-tokens", "1", "1", currency="CNY")), "line 2.*'CNY'"),
    ],
    ids=["openai", "anthropic", "aws"],
)
def test_other_currencies_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(ExportCurrency, match=message) as caught:
        reading_of(content)
    assert "Export in USD" in caught.value.remedy


@pytest.mark.parametrize(
    ("missing", "header"),
    [("lineItem/UnblendedCost", LEGACY), ("line_item_usage_amount", CUR_2), ("BilledCost or EffectiveCost", FOCUS)],
)
def test_a_missing_column_is_named(missing: str, header: tuple[str, ...]) -> None:
    wanted = set(missing.split(" or "))
    kept = [name for name in header if name not in wanted]
    with pytest.raises(UnreadableExport, match=rf"export: line 1: the column .*{missing}.* is missing"):
        reading_of(csv_of(kept, ["x"] * len(kept)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"data": [{"when": 1, "results": []}]}', "not a format that is known, found buckets with results, when"),
        (b"day,cost\n2026-11-01,1\n", "not a format that is known, found columns day, cost"),
        (b'{"rows": []}', 'expected a page such as {"data"'),
        (b"PK\x03\x04...", "a ZIP archive; unpack it"),
        (b"", "the file is empty"),
        (b"\xff\xfe\x00,1\n", "UTF-8"),
        (text_of(openai_page([openai_cost("gpt-4o, input", "NaN")])), "NaN is no number"),
        (text_of(openai_page([openai_cost("gpt-4o, input", "1e400")])), "expected an amount of dollars"),
        (text_of(openai_page([openai_cost("", "1")])), "export with `group_by=line_item`"),
        (text_of(openai_page([openai_cost("gpt-4o, input", "1", quantity=-1)])), "quantity: expected a quantity"),
        (text_of(anthropic_page([anthropic_cost("1", description=None)])), r"group_by\[\]=description"),
        (csv_of(LEGACY, legacy_row("USE1-NovaPro-input-tokens", "x", "1")), "line 2: expected a quantity.*found 'x'"),
        (csv_of(LEGACY, legacy_row("USE1-NovaPro-input-tokens", "1", "1", day="soon")), "line 2: expected a moment"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(content: bytes, message: str) -> None:
    with pytest.raises(UnreadableExport, match=message):
        reading_of(content)


def test_buckets_longer_than_a_day_are_refused() -> None:
    page = openai_page([openai_cost("gpt-4o, input", "1")])
    page["data"][0]["end_time"] += 86_400
    with pytest.raises(UnreadableExport, match="bucket width of one day"):
        reading_of(text_of(page))


@pytest.mark.parametrize(
    "content",
    [
        text_of(openai_page([], [], [])),
        text_of(openai_page()),
        csv_of(LEGACY, LEGACY_ROWS[5]),
        csv_of(FOCUS),
    ],
    ids=["days without costs", "no days", "no rows about models", "no rows"],
)
def test_an_export_without_costs_says_so(content: bytes) -> None:
    with pytest.raises(EmptyExport, match="nothing was stored"):
        reading_of(content)


def test_an_empty_export_names_its_period() -> None:
    with pytest.raises(EmptyExport, match="from 2026-11-01 to 2026-11-03; nothing was stored"):
        reading_of(text_of(openai_page([], [], [])))
