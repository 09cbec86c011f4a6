"""FOCUS 1.2: the FinOps Open Cost and Usage Specification's columns, filled from the ledger.

The tenant is the billing account, its department or application the sub account. A row sums up what is alike in a day
(or hour), kind and rate. `BilledCost` is the ledger, to the nano-dollar. The specification wants list and contracted
costs to be exactly unit price times quantity, so those two leave out that the ledger rounds each call's kinds once.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from enfilade.core.money import NANO_PER_USD
from enfilade.costs.spend.exports import store
from enfilade.costs.spend.exports.columns import Row, Table, Value, decimal_text
from enfilade.costs.spend.exports.tables._focus_columns import COLUMNS, COST_SCALE, PRICE_SCALE, QUANTITY_SCALE

ISSUER = "Enfilade"
MILLION = 1_000_000
HALF = 500_000
"""What rounding once can move a kind's amount by, in millionths of a nano-dollar."""
BY_MILLION = {"characters": "Characters"}
ONE_BY_ONE = {"requests": "Requests", "web_searches": "Searches", "pages": "Pages", "seconds": "Seconds"}


@dataclass(frozen=True, slots=True)
class Measure:
    """In what a kind is counted and priced."""

    unit: str
    per: int

    @property
    def pricing_unit(self) -> str:
        """The unit that a price is for."""
        return self.unit if self.per == 1 else f"{self.per} {self.unit}"


def measure(kind: str | None) -> Measure:
    """The measure of a kind; all but a few are tokens, which are priced by the million."""
    if kind in ONE_BY_ONE:
        return Measure(ONE_BY_ONE[kind], 1)
    return Measure(BY_MILLION.get(kind or "", "Tokens"), MILLION)


@dataclass(frozen=True, slots=True)
class Priced:
    """A unit price and the cost that it makes with its quantity, both in the smallest units of their columns."""

    price: int
    cost: int


def priced(nano: Decimal, quantity: int, rate: int | None, lines: int, per: int) -> Priced | None:
    """A unit price whose product with the quantity is the cost; None when there is none that is not negative.

    The rate, where it explains the amount but for rounding; else what the amount comes to for one unit, to as many
    places as keep the product exact.
    """
    if rate is not None and abs(rate * quantity - nano * MILLION) <= HALF * lines:
        price = rate * per
    elif quantity == 0:
        return None
    else:
        places = PRICE_SCALE if per == 1 else COST_SCALE - QUANTITY_SCALE
        price = round(Fraction(nano) * per * 10**places / (quantity * NANO_PER_USD)) * 10 ** (PRICE_SCALE - places)
    if price < 0:
        return None
    return Priced(price, price * quantity * 10 ** (COST_SCALE - PRICE_SCALE) // per)


def rows(group: Any, *, is_platform: bool) -> Iterator[Row]:
    """A group of charges as its row; nothing for what neither cost nor counted anything."""
    cells = charge(group, is_platform=is_platform)
    if cells:
        yield tuple(cells.get(column.name) for column in COLUMNS)


def charge(group: Any, *, is_platform: bool) -> dict[str, Value]:
    """The cells of a row by column."""
    nano, listed = Decimal(group["amount_nano"]), Decimal(group["list_nano"])
    quantity = int(group["quantity"] or 0)
    if not nano and not listed and not quantity:
        return {}
    kind, measured, lines = group["kind"], measure(group["kind"]), group["lines"]
    contracted = priced(nano, quantity, group["rate"], lines, measured.per)
    published = priced(listed, quantity, group["rate"], lines, measured.per)
    cells = _place(group) | _period(group)
    billed = decimal_text(int(nano), 9)
    cells |= {"BilledCost": billed, "EffectiveCost": billed, "x_Estimated": group["estimated"], "x_LedgerLines": lines}
    if is_platform:
        cells["x_ProviderCost"] = decimal_text(int(Decimal(group["provider_nano"]).to_integral_value()), 9)
    if contracted is None or published is None:
        what = "Correction" if group["corrects"] else "Charge without a quantity"
        return cells | {
            "ChargeCategory": "Adjustment",
            "ChargeFrequency": "One-Time",
            "ContractedCost": billed,
            "ListCost": billed,
            "ChargeDescription": f"{what} of {group['model'] or 'a call'}",
        }
    return cells | _usage(group, kind or "tokens", measured, quantity, contracted, published)


def _usage(
    group: Any, kind: str, measured: Measure, quantity: int, contracted: Priced, published: Priced
) -> dict[str, Value]:
    words = kind.replace("_", " ") + (" tokens" if measured.unit == "Tokens" and kind != "tokens" else "")
    where = group["deployment"] or group["provider"] or group["model"] or ISSUER
    version = group["price"] or "unnamed"
    return {
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ChargeDescription": f"{words.capitalize()} of {group['model'] or 'unknown model'} by {where}",
        "ContractedCost": decimal_text(contracted.cost, COST_SCALE),
        "ContractedUnitPrice": decimal_text(contracted.price, PRICE_SCALE),
        "ListCost": decimal_text(published.cost, COST_SCALE),
        "ListUnitPrice": decimal_text(published.price, PRICE_SCALE),
        "PricingQuantity": decimal_text(quantity * 10**QUANTITY_SCALE // measured.per, QUANTITY_SCALE),
        "PricingUnit": measured.pricing_unit,
        "PricingCategory": "Standard",
        "ConsumedQuantity": decimal_text(quantity, 0),
        "ConsumedUnit": measured.unit,
        "SkuId": f"{where}:{kind}",
        "SkuMeter": words.title(),
        "SkuPriceId": f"{where}:{kind}@{version}",
        "SkuPriceDetails": _json({"x_Kind": kind, "x_PriceVersion": version}),
    }


def _place(group: Any) -> dict[str, Value]:
    """Whose charge it is, and for what."""
    department, application = group["department_id"], group["application_id"]
    provider = group["provider"] or ISSUER
    cells: dict[str, Value] = {
        "BillingAccountId": str(group["tenant_id"]),
        "BillingAccountName": group["tenant"] or str(group["tenant_id"]),
        "BillingAccountType": "Tenant",
        "BillingCurrency": "USD",
        "PricingCurrency": "USD",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": "Model Calls",
        "ProviderName": provider,
        "PublisherName": provider,
        "InvoiceIssuerName": group["issuer"] or ISSUER,
        "RegionId": group["region"],
        "RegionName": group["region"],
        "x_Model": group["model"],
    }
    if department or application:
        kind = "Department" if department else "Application"
        identifier = str(department or application)
        cells["SubAccountId"] = identifier
        cells["SubAccountName"] = group[kind.lower()] or identifier
        cells["SubAccountType"] = kind
    if group["deployment"]:
        cells["ResourceId"] = group["deployment"]
        cells["ResourceName"] = group["model"] if group["model"] != group["deployment"] else None
        cells["ResourceType"] = "Model Deployment"
    tags = {
        f"enfilade/{name}": group[name]
        for name in ("department", "application", "use_case", "prompt")
        if group[name] is not None
    }
    cells["Tags"] = _json(tags) if tags else None
    return cells


def _period(group: Any) -> dict[str, Value]:
    start: datetime = group["charged_from"]
    month: datetime = group["billed_from"]
    is_late = group["corrects"] and month > group["used_in"]
    return {
        "ChargePeriodStart": start,
        "ChargePeriodEnd": start + group["length"],
        "BillingPeriodStart": month,
        "BillingPeriodEnd": (month + timedelta(days=32)).replace(day=1),
        # What is corrected within its own billing period was not invoiced yet: the class is for what was.
        "ChargeClass": "Correction" if is_late else None,
    }


def _json(value: dict[str, str]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


TABLE = Table(
    "focus",
    "FOCUS 1.2: one row for each day (or hour), subject, deployment, kind and rate.",
    COLUMNS,
    store.CHARGES,
    rows,
    {"FocusVersion": "1.2"},
)
