"""OpenAI's usage APIs: pages of `GET /v1/organization/usage/…` for completions, embeddings, moderations and speech."""

from collections.abc import Iterator, Mapping
from typing import Any

from enfilade.costs.reconciliation.fields import count, fault, texts
from enfilade.costs.reconciliation.pages import Result, objects_of, results_of
from enfilade.costs.reconciliation.types import CostItem, JsonFormat, Page, Row

COUNTED = ("input_tokens", "characters", "seconds", "images")


def recognises(bucket: Mapping[str, Any]) -> bool:
    """Whether a bucket is of one of the usage APIs."""
    return "start_time" in bucket and any("amount" not in result for result in objects_of(bucket))


def read(page: Page) -> Iterator[Row]:
    """The rows of a page, one for each kind. Raises UnreadableExport."""
    for result in results_of(page, "start_time", "end_time"):
        if isinstance(result, Result):
            yield from _items(result)
        else:
            yield result


def _items(result: Result) -> Iterator[CostItem]:
    fields, where = result.fields, result.where
    if not any(name in fields for name in COUNTED):
        raise fault(where, f"a result with one of {', '.join(COUNTED)}", sorted(map(str, fields)))
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise fault(f"{where}.model", "a text; export with `group_by=model`", model)
    keys = texts(fields.get("api_key_id"), fields.get("project_id"))
    for kind, tokens in _kinds(where, fields).items():
        if tokens < 0:
            raise fault(where, f"parts that fit into their whole ({kind})", tokens)
        if tokens:
            yield CostItem(result.day, model, keys, kind, tokens, None, where)


def _kinds(where: str, fields: Mapping[str, Any]) -> dict[str, int]:
    """The disjoint kinds: the totals include cached and written input."""
    found = {
        "cached_input": count(where, fields, "input_cached_tokens"),
        "cache_write": count(where, fields, "input_cache_write_tokens"),
        "characters": count(where, fields, "characters"),
        "seconds": count(where, fields, "seconds"),
    }
    rest_in = count(where, fields, "input_tokens") - found["cached_input"] - found["cache_write"]
    rest_out = count(where, fields, "output_tokens")
    if "input_uncached_tokens" in fields:
        # The newer results say each medium's part of the totals; in the older ones audio stood beside them.
        for medium in ("audio", "image"):
            cached = count(where, fields, f"input_cached_{medium}_tokens")
            found[f"cached_{medium}_input"] = cached
            found["cached_input"] -= cached
            found[f"{medium}_input"] = count(where, fields, f"input_{medium}_tokens")
            found[f"{medium}_output"] = count(where, fields, f"output_{medium}_tokens")
            rest_in -= found[f"{medium}_input"]
            rest_out -= found[f"{medium}_output"]
    else:
        found["audio_input"] = count(where, fields, "input_audio_tokens")
        found["audio_output"] = count(where, fields, "output_audio_tokens")
    return {"input": rest_in, "output": rest_out, **found}


FORMAT = JsonFormat("OpenAI usage API (JSON)", recognises, read)
