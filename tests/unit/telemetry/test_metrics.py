"""Metrics: bounded in number, and read by Prometheus's own parser as what was counted."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from enfilade.core.money import NANO_PER_USD
from enfilade.telemetry import names
from enfilade.telemetry.metrics import OTHER, Histogram, Metrics
from tests.support.properties import examples

Found = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics) -> Iterator[Sample]:
    """What a scrape says."""
    for family in text_string_to_metric_families(metrics.render().decode()):
        yield from family.samples


def scrape(metrics: Metrics) -> Found:
    """The same by name and labels; a series that comes twice is a fault."""
    found: Found = {}
    for sample in samples(metrics):
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in found, f"{key} is told twice"
        found[key] = sample.value
    return found


def of(found: Found, name: str, **labels: str) -> float | None:
    """One figure."""
    return found.get((name, tuple(sorted(labels.items()))))


def test_calls_tokens_and_cost_are_told_by_tenant_application_and_model() -> None:
    metrics = Metrics()
    labels = {"tenant": "acme", "application": "copilot", "model": "chat"}
    series = metrics.series("acme", "copilot", "chat")
    series.statuses["2xx"] += 3
    series.statuses["cut"] += 1
    series.input_tokens, series.output_tokens, series.cost_nano = 70, 30, 1_250_000_000

    found = scrape(metrics)

    assert of(found, "enfilade_calls_total", **labels, status="2xx") == 3
    assert of(found, "enfilade_calls_total", **labels, status="cut") == 1
    assert of(found, "enfilade_calls_total", **labels, status="5xx") is None
    assert of(found, "enfilade_tokens_total", **labels, direction="input") == 70
    assert of(found, "enfilade_tokens_total", **labels, direction="output") == 30
    assert of(found, "enfilade_cost_usd_total", **labels) == 1.25


def test_the_same_labels_are_the_same_series() -> None:
    metrics = Metrics()

    assert metrics.series("a", "b", "c") is metrics.series("a", "b", "c")
    assert metrics.series("a", "b", "c") is not metrics.series("a", "c", "b")


def test_beyond_the_bound_calls_are_counted_under_other_and_none_is_lost() -> None:
    metrics = Metrics(max_series=10)
    for number in range(50):
        metrics.series("acme", "copilot", f"model-{number}").statuses["2xx"] += 1
    metrics.series("acme", "copilot", "model-3").statuses["2xx"] += 1

    calls = {labels: value for (name, labels), value in scrape(metrics).items() if name == "enfilade_calls_total"}

    assert len(calls) == 11
    assert sum(calls.values()) == 51
    others = {"tenant": OTHER, "application": OTHER, "model": OTHER}
    assert of(scrape(metrics), "enfilade_calls_total", **others, status="2xx") == 40
    assert of(scrape(metrics), "enfilade_label_overflow_total") == 40


def test_counters_with_labels_are_bounded_too() -> None:
    metrics = Metrics(max_series=10)
    for number in range(50):
        metrics.count(names.ATTEMPTS, f"deployment-{number}", "ok")
        metrics.count(names.ATTEMPTS, f"deployment-{number}", "ok")

    attempts = {k: v for k, v in scrape(metrics).items() if k[0] == "enfilade_upstream_attempts_total"}

    assert len(attempts) <= 11
    assert sum(attempts.values()) == 100
    assert of(scrape(metrics), "enfilade_upstream_attempts_total", deployment=OTHER, outcome=OTHER) == 80


def test_names_that_need_escaping_come_through_unchanged() -> None:
    metrics = Metrics()
    strange = 'a "quoted" \\ back\nslash é'
    metrics.series(strange, "", "m").statuses["2xx"] += 1

    assert of(scrape(metrics), "enfilade_calls_total", tenant=strange, application="", model="m", status="2xx") == 1


def test_figures_are_read_when_somebody_scrapes() -> None:
    metrics, values = Metrics(), [1.0]
    metrics.watch(names.RUNNING, lambda: values[0])
    metrics.watch(names.COMMITS, lambda: 5)
    metrics.watch_many(names.BREAKERS, lambda: [(("p/m",), values[0])])
    scrape(metrics)
    values[0] = 2.5

    found = scrape(metrics)

    assert of(found, "enfilade_running_calls") == 2.5
    assert of(found, "enfilade_writer_transactions_total") == 5
    assert of(found, "enfilade_breaker_open", deployment="p/m") == 2.5


def test_every_metric_has_a_name_a_kind_and_a_help_text_of_its_own() -> None:
    found = [metric.name for metric in names.METRICS]

    assert len(set(found)) == len(found) >= 20
    for metric in names.METRICS:
        assert metric.name.startswith(names.PREFIX)
        assert not metric.name.endswith("_total"), "the exposition adds it"
        assert metric.kind in {"counter", "gauge", "histogram"}
        assert metric.help.endswith(".")
        assert "key" not in metric.labels


@given(st.lists(st.one_of(st.floats(0, 400), st.sampled_from(names.LATENCY_BUCKETS)), max_size=60))
@examples(150)
def test_a_histogram_says_how_many_durations_were_at_most_each_bound(durations: list[float]) -> None:
    metrics = Metrics()
    histogram = metrics.series("t", "a", "m").duration
    for seconds in durations:
        histogram.observe(seconds)
    labels = {"tenant": "t", "application": "a", "model": "m"}

    found = scrape(metrics)

    for bound in (*names.LATENCY_BUCKETS, math.inf):
        told = "+Inf" if bound == math.inf else str(bound)
        expected = sum(seconds <= bound for seconds in durations)
        assert of(found, "enfilade_call_duration_seconds_bucket", **labels, le=told) == expected
    assert of(found, "enfilade_call_duration_seconds_count", **labels) == len(durations)
    assert of(found, "enfilade_call_duration_seconds_sum", **labels) == pytest.approx(math.fsum(durations))


def test_the_buckets_ascend() -> None:
    assert list(names.LATENCY_BUCKETS) == sorted(set(names.LATENCY_BUCKETS))
    assert len(Histogram().counts) == len(names.LATENCY_BUCKETS) + 1


def test_cost_is_counted_in_whole_nano_dollars() -> None:
    metrics = Metrics()
    series = metrics.series("t", "a", "m")
    for _ in range(10):
        series.cost_nano += NANO_PER_USD // 10

    assert of(scrape(metrics), "enfilade_cost_usd_total", tenant="t", application="a", model="m") == 1.0
