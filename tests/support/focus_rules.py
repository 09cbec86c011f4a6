"""What FOCUS 1.2 asks of a data set, written down from the specification's table of columns, apart from the exporter.

`faults` reads rows as texts (as a CSV has them, with None for an empty cell) and says what does not conform.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

Row = Mapping[str, str | None]

MANDATORY = {
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd"),
    *("ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity"),
    *("PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName"),
}
CONDITIONAL = {
    *("BillingAccountType", "CapacityReservationId", "CapacityReservationStatus", "CommitmentDiscountCategory"),
    *("CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountQuantity", "CommitmentDiscountStatus"),
    *("CommitmentDiscountType", "CommitmentDiscountUnit", "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice"),
    *("ListUnitPrice", "PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice"),
    *("PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "RegionId", "RegionName", "ResourceId"),
    *("ResourceName", "ResourceType", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId"),
    *("SubAccountName", "SubAccountType", "Tags"),
}
RECOMMENDED = {"AvailabilityZone", "ChargeFrequency", "InvoiceId", "ServiceSubcategory"}
EXPECTED = (MANDATORY | CONDITIONAL | RECOMMENDED) - {
    # For those alone who price and bill in different currencies.
    *("PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice"),
}
NEVER_NULL = (MANDATORY - {"ChargeClass", "PricingQuantity", "PricingUnit"}) | {
    *("ChargeFrequency", "ServiceSubcategory", "PricingCurrency", "BillingAccountType"),
}
DECIMALS = {
    *("BilledCost", "CommitmentDiscountQuantity", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice"),
    *("EffectiveCost", "ListCost", "ListUnitPrice", "PricingQuantity"),
}
MOMENTS = {"BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"}
OBJECTS = {"SkuPriceDetails", "Tags"}
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "CapacityReservationStatus": {"Used", "Unused"},
    "CommitmentDiscountCategory": {"Spend", "Usage"},
    "CommitmentDiscountStatus": {"Used", "Unused"},
    "BillingCurrency": {"USD"},
    "PricingCurrency": {"USD"},
    "ServiceCategory": {"AI and Machine Learning"},
    "ServiceSubcategory": {
        *("AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing"),
        "Other (AI and Machine Learning)",
    },
}
"""Of services and currencies only what we can be."""
TOGETHER = [
    ("ConsumedQuantity", "ConsumedUnit"),
    ("PricingQuantity", "PricingUnit"),
    ("RegionId", "RegionName"),
    ("ResourceId", "ResourceType"),
    ("SubAccountId", "SubAccountName"),
    ("SubAccountId", "SubAccountType"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
]
"""Both null or neither."""
ALWAYS_WITH_USAGE = (
    *("PricingQuantity", "PricingUnit", "ListUnitPrice", "ContractedUnitPrice", "SkuId", "SkuPriceId"),
    *("PricingCategory", "ConsumedQuantity", "ConsumedUnit"),
)
NUMBER = re.compile(r"-?\d+(\.\d+)?(E-?\d+)?")
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
UNIT = re.compile(r"(\d+ )?[A-Z][A-Za-z]*s")


def faults(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """What does not conform, in words."""
    found = [f"column {name} is missing" for name in sorted(EXPECTED - set(columns))]
    if len(set(columns)) != len(columns):
        found.append("a column stands twice")
    own = [name for name in columns if name not in MANDATORY | CONDITIONAL | RECOMMENDED]
    found += [f"column {name} is not prefixed with x_" for name in own if not name.startswith("x_")]
    if list(columns[len(columns) - len(own) :]) != own:
        found.append("own columns stand among FOCUS's")
    for number, row in enumerate(rows):
        found += [f"row {number}: {fault}" for fault in row_faults(row)]
    prices = {(row["SkuPriceId"], row["SkuId"]) for row in rows if row["SkuPriceId"]}
    if len({price for price, _ in prices}) != len(prices):
        found.append("a SkuPriceId has two SkuIds")
    return found


def row_faults(row: Row) -> Iterator[str]:
    """What does not conform in one row."""
    for name in NEVER_NULL:
        if row[name] is None or not str(row[name]).strip():
            yield f"{name} is null"
    for name in DECIMALS & row.keys():
        if row[name] is not None and not NUMBER.fullmatch(row[name] or ""):
            yield f"{name} is no number: {row[name]!r}"
    yield from (f"{name} is no moment: {row[name]!r}" for name in MOMENTS if not MOMENT.fullmatch(row[name] or ""))
    yield from _word_faults(row)
    for one, other in TOGETHER:
        if (row[one] is None) != (row[other] is None):
            yield f"{one} and {other} are not null together"
    yield from _period_faults(row)
    yield from _price_faults(row)


def _word_faults(row: Row) -> Iterator[str]:
    for name, allowed in ALLOWED.items():
        if row[name] is not None and row[name] not in allowed:
            yield f"{name} is {row[name]!r}"
    for name in OBJECTS:
        if row[name] is not None and not _is_flat(row[name] or ""):
            yield f"{name} is no object of plain values: {row[name]!r}"
    for name in ("PricingUnit", "ConsumedUnit"):
        if row[name] is not None and not UNIT.fullmatch(row[name] or ""):
            yield f"{name} is no unit: {row[name]!r}"


def _is_flat(text: str) -> bool:
    value = json.loads(text)
    return isinstance(value, dict) and not any(isinstance(entry, dict | list) for entry in value.values())


def _period_faults(row: Row) -> Iterator[str]:
    moments = {name: datetime.strptime(row[name] or "", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) for name in MOMENTS}
    if not moments["ChargePeriodStart"] < moments["ChargePeriodEnd"]:
        yield "the charge period is empty"
    if not moments["BillingPeriodStart"] < moments["BillingPeriodEnd"]:
        yield "the billing period is empty"
    inside = moments["BillingPeriodStart"] <= moments["ChargePeriodStart"] < moments["BillingPeriodEnd"]
    if not inside and row["ChargeClass"] != "Correction":
        yield "a charge of another billing period is no correction"


def _price_faults(row: Row) -> Iterator[str]:
    is_usage, is_correction = row["ChargeCategory"] == "Usage", row["ChargeClass"] == "Correction"
    if is_usage and not is_correction:
        yield from (f"{name} is null in usage" for name in ALWAYS_WITH_USAGE if row[name] is None)
    if not is_usage and row["ConsumedQuantity"] is not None:
        yield "ConsumedQuantity is not null, and it is no usage"
    if row["SkuId"] is None and (row["SkuMeter"] is not None or row["SkuPriceId"] is not None):
        yield "SkuMeter or SkuPriceId without SkuId"
    if row["SkuPriceId"] is None and row["SkuPriceDetails"] is not None:
        yield "SkuPriceDetails without SkuPriceId"
    for cost, price in (("ListCost", "ListUnitPrice"), ("ContractedCost", "ContractedUnitPrice")):
        if row[price] is None:
            if row[cost] != row["BilledCost"]:
                yield f"{cost} is not BilledCost, and there is no {price}"
            continue
        if Decimal(row[price] or 0) < 0:
            yield f"{price} is negative"
        product = Decimal(row[price] or 0) * Decimal(row["PricingQuantity"] or 0)
        if not is_correction and product != Decimal(row[cost] or 0):
            yield f"{cost} is not {price} times PricingQuantity"
    if not is_usage and row["EffectiveCost"] != row["BilledCost"]:
        yield "EffectiveCost is not BilledCost"
