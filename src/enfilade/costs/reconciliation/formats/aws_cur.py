"""AWS Cost and Usage Reports, the legacy ones and CUR 2.0: their rows about Amazon Bedrock."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from enfilade.costs.reconciliation.fields import Columns, first, moment, number, quantity, require_usd, texts
from enfilade.costs.reconciliation.naming import FEW, kind_of, model_of, unit_size, whole
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
    usage_type = row[places.usage_type].strip()
    cost = dollars(number(where, first(row, places.costs) or "0", "an amount of dollars in the column of costs"))
    name = _product_name(row[places.product], *(row[place] for place in places.names))
    if name is None:
        name = _mapped_name(row[places.product], *(row[place] for place in places.product_map))
    if name is None:
        return LeftOut("other services", cost.nano)
    require_usd(f"{where}: lineItem/CurrencyCode", row[places.currency])
    line_type = first(row, places.line_type) or "Usage"
    if line_type.lower() not in USED:
        return LeftOut(line_type, cost.nano)
    kind, model, otherwise = _meaning(usage_type, name)
    used = quantity(where, row[places.amount].strip() or "0", "a quantity in the column of usage amounts")
    return CostItem(
        moment(where, row[places.start]).date(),
        model,
        texts(*(row[place] for place in places.keys)),
        kind,
        whole(used * unit_size(first(row, places.units), otherwise)) if kind else None,
        cost,
        where,
    )


@lru_cache(FEW)
def _product_name(code: str, *names: str) -> str | None:
    """The product's name, in which the model may stand; None where it is not Bedrock's."""
    found = [name.strip() for name in names if name.strip()]
    about = next((name for name in found if BEDROCK.search(name)), None)
    if about is None and BEDROCK.search(code) and found:
        return found[0]
    return about


@lru_cache(FEW)
def _mapped_name(code: str, *maps: str) -> str | None:
    """As above, from CUR 2.0's column of all attributes of the product, which is JSON."""
    names: list[str] = []
    for text in maps:
        try:
            attributes = json.loads(text) if text.strip().startswith("{") else {}
        except ValueError:
            attributes = {}
        names += [str(attributes[key]) for key in ("product_name", "servicename", "model") if attributes.get(key)]
    about = next((name for name in names if BEDROCK.search(name)), None)
    return about or (next(iter(names), "") if BEDROCK.search(code) else None)


@lru_cache(FEW)
def _meaning(usage_type: str, name: str) -> tuple[str | None, str, int]:
    """Kind, model, and how many tokens a unit is where the row does not say.

    The model is the product's, where its maker sells it, and else in the usage type.
    """
    kind = kind_of(usage_type)
    here = PLACE.sub("", usage_type)
    inner = MARKETPLACE.sub("", here)
    otherwise = 1_000_000 if inner != here else 1_000
    bare = re.sub(r"\s*\(amazon bedrock edition\)\s*", "", name, flags=re.IGNORECASE).strip()
    if bare and bare.lower() != "amazon bedrock":
        return kind, bare, otherwise
    cut = TAIL.sub("", inner)
    return kind, cut if cut != inner or kind is None else model_of(inner), otherwise


FORMAT = CsvFormat("AWS Cost and Usage Report, legacy or 2.0 (CSV)", recognises, read)
