"""Anthropic's cost report: pages of `GET /v1/organizations/cost_report`. Its amounts are cents."""

from collections.abc import Iterator, Mapping
from typing import Any

from enfilade.costs.reconciliation.fields import fault, number, require_usd, texts
from enfilade.costs.reconciliation.naming import kind_of
from enfilade.costs.reconciliation.pages import Result, objects_of, results_of
from enfilade.costs.reconciliation.types import CostItem, JsonFormat, Page, Row, dollars

KINDS = {
    "uncached_input_tokens": "input",
    "cache_read_input_tokens": "cached_input",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "output_tokens": "output",
}


def recognises(bucket: Mapping[str, Any]) -> bool:
    """Whether a bucket is of the cost report: the usage report has the same buckets, and other results."""
    return "starting_at" in bucket and not any("amount" not in result for result in objects_of(bucket))


def read(page: Page) -> Iterator[Row]:
    """The rows of a page. Raises UnreadableExport, ExportCurrency."""
    for result in results_of(page, "starting_at", "ending_at"):
        yield _item(result) if isinstance(result, Result) else result


def _item(result: Result) -> CostItem:
    fields, where = result.fields, result.where
    require_usd(f"{where}.currency", fields.get("currency"))
    amount = fields["amount"]
    if not isinstance(amount, str):
        raise fault(f"{where}.amount", 'cents as text such as "123.45"', amount)
    money = dollars(number(f"{where}.amount", amount, 'cents as text such as "123.45"').scaleb(-2))
    description = fields.get("description")
    if not isinstance(description, str) or not description.strip():
        raise fault(f"{where}.description", "a text; export with `group_by[]=description`", description)
    kind = KINDS.get(str(fields.get("token_type"))) or kind_of(description)
    model = texts(fields.get("model"))
    if not model:
        # What is no model's, code execution and searches, stands under its own name.
        return CostItem(result.day, description.strip(), _keys(fields), None, None, money, where)
    return CostItem(result.day, model[0], _keys(fields), kind, None, money, where)


def _keys(fields: Mapping[str, Any]) -> tuple[str, ...]:
    return texts(fields.get("api_key_id"), fields.get("workspace_id"))


FORMAT = JsonFormat("Anthropic cost report (JSON)", recognises, read)
