"""Exports as providers write them, in small."""

import csv
import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from enfilade.costs.reconciliation.reading import ReadingOptions, read
from enfilade.costs.reconciliation.types import Reading

DAY_S = 86_400
NOV_1 = 1_793_491_200
"""2026-11-01T00:00:00Z."""


def openai_page(*days: Sequence[Mapping[str, Any]], more: bool = False, first: int = NOV_1) -> dict[str, Any]:
    """A page of OpenAI's costs or usage API, a bucket for each day."""
    buckets = [
        {
            "object": "bucket",
            "start_time": first + place * DAY_S,
            "end_time": first + (place + 1) * DAY_S,
            "results": list(results),
        }
        for place, results in enumerate(days)
    ]
    return {"object": "page", "data": buckets, "has_more": more, "next_page": "page_2" if more else None}


def openai_cost(line_item: str, value: str, **more: Any) -> dict[str, Any]:
    """One result of the costs API; the value is put into the text as it is."""
    amount = {"value": f"#{value}#", "currency": more.pop("currency", "usd")}
    return {
        "object": "organization.costs.result",
        "amount": amount,
        "line_item": line_item,
        "project_id": "proj_abc",
        "organization_id": "org-1",
        **more,
    }


def anthropic_page(*days: Sequence[Mapping[str, Any]], more: bool = False) -> dict[str, Any]:
    """A page of Anthropic's cost or usage report."""
    buckets = [
        {
            "starting_at": f"2026-11-{place + 1:02d}T00:00:00Z",
            "ending_at": f"2026-11-{place + 2:02d}T00:00:00Z",
            "results": list(results),
        }
        for place, results in enumerate(days)
    ]
    return {"data": buckets, "has_more": more, "next_page": None}


def anthropic_cost(amount: str, token_type: str | None = "uncached_input_tokens", **more: Any) -> dict[str, Any]:
    """One result of the cost report, in cents."""
    return {
        "currency": "USD",
        "amount": amount,
        "workspace_id": "wrkspc_1",
        "description": f"Claude Sonnet 4 Usage - {token_type}",
        "cost_type": "tokens",
        "context_window": "0-200k",
        "model": "claude-sonnet-4-20250514",
        "service_tier": "standard",
        "token_type": token_type,
        "inference_geo": None,
    } | more


def text_of(*documents: Any) -> bytes:
    """JSON documents, one after the other; numbers marked by # are written as they are."""
    return "\n".join(json.dumps(document).replace('"#', "").replace('#"', "") for document in documents).encode()


def csv_of(header: Sequence[str], *rows: Sequence[object]) -> bytes:
    """A CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *rows])
    return text.getvalue().encode()


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Files in one archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zipped(content: bytes) -> bytes:
    """Packed with gzip."""
    return gzip.compress(content, mtime=0)


def reading_of(content: bytes, provider: str = "openai", **options: Any) -> Reading:
    """What is read from an import."""
    return read(io.BytesIO(content), ReadingOptions(provider=provider, **options))


def sums(reading: Reading) -> dict[tuple[str, str, str | None], tuple[int | None, int | None]]:
    """Quantity and nano-dollars by day, model and kind."""
    return {
        (entry.day.isoformat()[8:], entry.model, entry.kind): (entry.quantity, entry.nano) for entry in reading.entries
    }
