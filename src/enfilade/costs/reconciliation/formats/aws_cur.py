"""AWS Cost and Usage Reports, the legacy ones and CUR 2.0: their rows about Amazon Bedrock."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from enfilade.costs.reconciliation.fields import Columns, first, moment, number, quantity, require_usd, texts
from enfilade.costs.reconciliation.naming import kind_of, model_of, unit_size, whole
from enfilade.costs.reconciliation.types import CostItem, CsvFormat, LeftOut, Row, Table, dollars

USED = frozenset({"usage", "discountedusage", "savingsplancoveredusage"})
BEDROCK = re.compile(r"bedrock", re.IGNORECASE)
PLACE = re.compile(r"^[A-Z]{2,4}\d?-(?=.)")
MARKETPLACE = re.compile(r"^MP:")
TAIL = re.compile(
    r"[-_](mantle[-_])?(cache[-_](read|write)[-_])?(text[-_]|audio[-_]|image[-_]|speech[-_])?(input|output)[-_]?(token|image)"
    r".*$|[-_](input|output)[-_]tokens?.*$",
    re.IGNORECASE,
)


def _both(name: str) -> tuple[str, str]:
    """A column's name in legacy reports and in CUR 2.0: `lineItem/UsageType` and `line_item_usage_type`."""
    prefix, _, rest = name.partition("/")
    snake = [re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", part).lower() for part in (prefix, rest)]
    return name, "_".join(snake)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the columns stand."""

    start: int
    product: int
    usage_type: int
    amount: int
    currency: int
    costs: list[int]
    line_type: list[int]
    units: list[int]
    names: list[int]
    product_map: list[int]
    keys: list[int]


def recognises(columns: frozenset[str]) -> bool:
    """Whether these columns are of a cost and usage report."""
    return any(name in columns for name in map(str.lower, _both("lineItem/UsageStartDate")))


def read(table: Table) -> Iterator[Row]:
    """The rows of a file. Raises UnreadableExport, ExportCurrency."""
    columns = Columns(table.name, table.header)
    places = _Places(
        columns.need(*_both("lineItem/UsageStartDate")),
        columns.need(*_both("lineItem/ProductCode")),
        columns.need(*_both("lineItem/UsageType")),
        columns.need(*_both("lineItem/UsageAmount")),
        columns.need(*_both("lineItem/CurrencyCode")),
        [
            *columns.all(*_both("lineItem/NetUnblendedCost")),
            columns.need(*_both("lineItem/UnblendedCost")),
        ],
        columns.all(*_both("lineItem/LineItemType")),
        columns.all(*_both("pricing/unit")),
        columns.all(
            *("product/ProductName", "product_product_name", "product/servicename", "product_servicename"),
            *("product/model", "product_model"),
        ),
        columns.all("product"),
        columns.all(*_both("lineItem/ResourceId"), *("line_item_iam_principal",), *_both("lineItem/UsageAccountId")),
    )
    for line, row in table.rows:
        yield _row(f"{table.name}: line {line}", row, places)


def _row(where: str, row: Sequence[str], places: _Places) -> Row:
    name = _product_name(row, places)
    usage_type = row[places.usage_type].strip()
    product = row[places.product].strip()
    cost = number(where, first(row, places.costs) or "0", "an amount of dollars in the column of costs")
    if not any(BEDROCK.search(text) for text in (product, name)):
        return LeftOut("other services", dollars(cost).nano)
    require_usd(f"{where}: {'lineItem/CurrencyCode'}", row[places.currency])
    line_type = first(row, places.line_type) or "Usage"
    if line_type.lower() not in USED:
        return LeftOut(line_type, dollars(cost).nano)
    kind = kind_of(usage_type)
    used = quantity(where, first(row, [places.amount]) or "0", "a quantity in the column of usage amounts")
    inner = MARKETPLACE.sub("", PLACE.sub("", usage_type))
    is_marketplace = inner != PLACE.sub("", usage_type)
    size = unit_size(first(row, places.units), 1_000_000 if is_marketplace else 1_000)
    return CostItem(
        moment(where, row[places.start]).date(),
        _model(inner, name, kind),
        texts(*(row[place] for place in places.keys)),
        kind,
        whole(used * Decimal(size)) if kind else None,
        dollars(cost),
        where,
    )


def _product_name(row: Sequence[str], places: _Places) -> str:
    """The product's name where the model stands in it; CUR 2.0 has a column of all attributes as JSON, too."""
    found = [text for place in places.names if (text := row[place].strip())]
    for place in places.product_map:
        if (text := row[place].strip()).startswith("{"):
            try:
                attributes = json.loads(text)
            except ValueError:
                continue
            found += [str(attributes[key]) for key in ("product_name", "servicename", "model") if attributes.get(key)]
    return next((text for text in found if BEDROCK.search(text)), found[0] if found else "")


def _model(usage_type: str, name: str, kind: str | None) -> str:
    """From the usage type, where it names the model; else from the product's name (models sold by their makers)."""
    bare = re.sub(r"\s*\(amazon bedrock edition\)\s*", "", name, flags=re.IGNORECASE).strip()
    if bare and bare.lower() != "amazon bedrock":
        return bare
    cut = TAIL.sub("", usage_type)
    return cut if cut != usage_type or kind is None else model_of(usage_type)


FORMAT = CsvFormat("AWS Cost and Usage Report, legacy or 2.0 (CSV)", recognises, read)
