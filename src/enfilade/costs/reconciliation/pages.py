"""Walking the pages of providers' administration APIs: pages of buckets of results."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from enfilade.costs.reconciliation.fields import DAY, bucket_days, fault, moment
from enfilade.costs.reconciliation.types import Page, Span


@dataclass(frozen=True, slots=True)
class Result:
    """One result of one bucket."""

    day: date
    fields: Mapping[str, Any]
    where: str


def results_of(page: Page, start: str, end: str) -> Iterator[Result | Span]:
    """The results of a page, and the days that its buckets cover. Raises UnreadableExport."""
    for number, bucket in enumerate(page.document["data"]):
        where = f"{page.name}: data[{number}]"
        if not isinstance(bucket, Mapping) or not isinstance(bucket.get("results"), list):
            raise fault(where, "a bucket with a list of results", bucket)
        for name in (start, end):
            if name not in bucket:
                raise fault(where, f"a bucket with `{name}`", sorted(map(str, bucket)))
        day = bucket_days(where, moment(f"{where}.{start}", bucket[start]), moment(f"{where}.{end}", bucket[end]))
        yield Span(day, day + DAY)
        for position, result in enumerate(bucket["results"]):
            place = f"{where}.results[{position}]"
            if not isinstance(result, Mapping):
                raise fault(place, "an object", result)
            yield Result(day, result, place)


def objects_of(bucket: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A bucket's results, as far as they are objects: enough to recognise a format."""
    results = bucket.get("results")
    return [result for result in results if isinstance(result, Mapping)] if isinstance(results, list) else []
