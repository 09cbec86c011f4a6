"""Anthropic's usage report: pages of `GET /v1/organizations/usage_report/messages`. It counts and does not price."""

from collections.abc import Iterator, Mapping
from typing import Any

from enfilade.costs.reconciliation.fields import count, fault, texts
from enfilade.costs.reconciliation.pages import Result, objects_of, results_of
from enfilade.costs.reconciliation.types import CostItem, JsonFormat, Page, Row

COUNTED = ("uncached_input_tokens", "output_tokens")


def recognises(bucket: Mapping[str, Any]) -> bool:
    """Whether a bucket is of the usage report."""
    return "starting_at" in bucket and any("amount" not in result for result in objects_of(bucket))


def read(page: Page) -> Iterator[Row]:
    """The rows of a page, one for each kind. Raises UnreadableExport."""
    for result in results_of(page, "starting_at", "ending_at"):
        if isinstance(result, Result):
            yield from _items(result)
        else:
            yield result


def _items(result: Result) -> Iterator[CostItem]:
    fields, where = result.fields, result.where
    if missing := [name for name in COUNTED if name not in fields]:
        raise fault(where, f"a result with {' and '.join(missing)}", sorted(map(str, fields)))
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise fault(f"{where}.model", "a text; export with `group_by[]=model`", model)
    written = fields.get("cache_creation") or {}
    tools = fields.get("server_tool_use") or {}
    if not isinstance(written, Mapping) or not isinstance(tools, Mapping):
        raise fault(where, "objects as `cache_creation` and `server_tool_use`", written)
    kinds = {
        "input": count(where, fields, "uncached_input_tokens"),
        "cached_input": count(where, fields, "cache_read_input_tokens"),
        "cache_write": count(where, written, "ephemeral_5m_input_tokens"),
        "cache_write_1h": count(where, written, "ephemeral_1h_input_tokens"),
        "output": count(where, fields, "output_tokens"),
        "web_searches": count(where, tools, "web_search_requests"),
    }
    keys = texts(fields.get("api_key_id"), fields.get("workspace_id"))
    for kind, tokens in kinds.items():
        if tokens:
            yield CostItem(result.day, model, keys, kind, tokens, None, where)


FORMAT = JsonFormat("Anthropic usage report (JSON)", recognises, read)
