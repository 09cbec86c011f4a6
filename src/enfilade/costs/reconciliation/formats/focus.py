"""FOCUS, the FinOps Open Cost and Usage Specification, versions 1.0 to 1.2: the rows about models."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from enfilade.costs.prices.kinds import NUMBER
from enfilade.costs.reconciliation.fields import Columns, first, moment, number, quantity, require_usd, texts
from enfilade.costs.reconciliation.naming import kind_of, model_of, unit_size, whole
from enfilade.costs.reconciliation.types import CostItem, CsvFormat, LeftOut, Row, Table, dollars

MODELS_CATEGORY = "ai and machine learning"
MODELS_SERVICE = re.compile(
    r"bedrock|openai|anthropic|vertex|gemini|foundry|cognitive|generative|mistral|cohere", re.IGNORECASE
)
PLACE = re.compile(r"^[A-Z]{2,4}\d?-(MP:)?(?=.)")


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the columns stand."""

    start: int
    cost: int
    currency: int
    categories: list[int]
    charges: list[int]
    services: list[int]
    models: list[int]
    kinds: list[int]
    descriptions: list[int]
    used: list[int]
    units: list[int]
    keys: list[int]


def recognises(columns: frozenset[str]) -> bool:
    """Whether these columns are of a FOCUS file."""
    return "chargeperiodstart" in columns


def read(table: Table) -> Iterator[Row]:
    """The rows of a file. Raises UnreadableExport, ExportCurrency."""
    columns = Columns(table.name, table.header)
    places = _Places(
        columns.need("ChargePeriodStart"),
        columns.need("BilledCost", "EffectiveCost"),
        columns.need("BillingCurrency"),
        columns.all("ServiceCategory"),
        columns.all("ChargeCategory"),
        [columns.need("ServiceName", "ServiceCategory")],
        columns.all("x_Model", "x_ModelName", "x_model_id"),
        columns.all("x_Kind", "x_TokenType", "x_token_type"),
        columns.all(
            *(
                "x_UsageType",
                "SkuMeter",
                "x_SkuMeterName",
                "x_SkuDescription",
                "ChargeDescription",
                "SkuId",
                "ResourceName",
            )
        ),
        columns.all("ConsumedQuantity"),
        columns.all("ConsumedUnit"),
        columns.all("ResourceId", "SubAccountId", "BillingAccountId"),
    )
    for line, row in table.rows:
        yield _row(f"{table.name}: line {line}", row, places)


def _row(where: str, row: Sequence[str], places: _Places) -> Row:
    cost = number(where, first(row, [places.cost]) or "0", "an amount in the column of costs")
    category = first(row, places.categories).lower()
    if category != MODELS_CATEGORY and not MODELS_SERVICE.search(first(row, places.services)):
        return LeftOut("other services", dollars(cost).nano)
    require_usd(f"{where}: BillingCurrency", row[places.currency])
    charge = first(row, places.charges) or "Usage"
    if charge.lower() != "usage":
        return LeftOut(charge, dollars(cost).nano)
    texts_of_row = [PLACE.sub("", text) for place in places.descriptions if (text := row[place].strip())]
    told = first(row, places.kinds)
    description = next((text for text in texts_of_row if kind_of(text)), texts_of_row[0] if texts_of_row else "")
    kind = (told.lower() if told.lower() in NUMBER else kind_of(told)) if told else kind_of(description)
    model = first(row, places.models) or model_of(description)
    used = first(row, places.used)
    amount = None
    if used and kind:
        size = unit_size(first(row, places.units))
        amount = whole(quantity(where, used, "a quantity in the column ConsumedQuantity") * Decimal(size))
    return CostItem(
        moment(where, row[places.start]).date(),
        model or first(row, places.services),
        texts(*(row[place] for place in places.keys)),
        kind,
        amount,
        dollars(cost),
        where,
    )


FORMAT = CsvFormat("FOCUS 1.0 to 1.2 (CSV)", recognises, read)
