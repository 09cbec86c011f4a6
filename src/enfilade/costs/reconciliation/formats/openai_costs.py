"""OpenAI's costs API: pages of `GET /v1/organization/costs`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from enfilade.costs.reconciliation.fields import fault, number, quantity, require_usd, texts
from enfilade.costs.reconciliation.naming import kind_of, model_of, whole
from enfilade.costs.reconciliation.pages import Result, objects_of, results_of
from enfilade.costs.reconciliation.types import CostItem, JsonFormat, Page, Row, dollars

COUNTED = re.compile(r"token|request|call|quer|search|character|page|second|image", re.IGNORECASE)


def recognises(bucket: Mapping[str, Any]) -> bool:
    """Whether a bucket is of the costs API: its usage APIs have the same buckets, and other results."""
    return "start_time" in bucket and not any("amount" not in result for result in objects_of(bucket))


def read(page: Page) -> Iterator[Row]:
    """The rows of a page. Raises UnreadableExport, ExportCurrency."""
    for result in results_of(page, "start_time", "end_time"):
        yield _item(result) if isinstance(result, Result) else result


def _item(result: Result) -> CostItem:
    fields, where = result.fields, result.where
    amount = fields.get("amount")
    if not isinstance(amount, Mapping) or "value" not in amount:
        raise fault(f"{where}.amount", 'an amount such as {"value": 0.06, "currency": "usd"}', amount)
    require_usd(f"{where}.amount.currency", amount.get("currency"))
    money = dollars(number(f"{where}.amount.value", amount["value"], "an amount of dollars"))
    line_item = fields.get("line_item")
    if not isinstance(line_item, str) or not line_item.strip():
        raise fault(f"{where}.line_item", "a text; export with `group_by=line_item`", line_item)
    counted = fields.get("quantity")
    unit = fields.get("quantity_unit")
    tokens = None
    if counted is not None and (unit is None or COUNTED.search(str(unit))):
        tokens = whole(quantity(f"{where}.quantity", counted, "a quantity"))
    # Names of models speak of images and audio, too.
    kind = kind_of(line_item.rpartition(",")[2])
    return CostItem(
        result.day,
        model_of(line_item) if kind else line_item.strip(),
        texts(fields.get("api_key_id"), fields.get("project_id")),
        kind,
        tokens if kind else None,
        money,
        where,
    )


FORMAT = JsonFormat("OpenAI costs API (JSON)", recognises, read)
