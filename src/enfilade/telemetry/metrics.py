"""Counters as plain integers, rendered when somebody scrapes them.

A call touches one small object found by one dictionary look-up: label handling at every increment would cost more
than the rest of the line's bookkeeping.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from enfilade.core.money import NANO_PER_USD
from enfilade.telemetry import names
from enfilade.telemetry.names import LATENCY_BUCKETS, Metric

MAX_SERIES = 2000
OTHER = "other"
STATUS_CLASSES = ("2xx", "4xx", "5xx", "cut", "abandoned")

Gauge = Callable[[], float]


class Histogram:
    """Counts by bucket."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        """Start empty."""
        self.counts = [0] * (len(LATENCY_BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(LATENCY_BUCKETS, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bounds and how many durations lie below them."""
        rows, below = [], 0
        for bound, count in zip((*map(str, LATENCY_BUCKETS), "+Inf"), self.counts, strict=True):
            below += count
            rows.append((bound, float(below)))
        return rows


class CallSeries:
    """Everything that is counted for one tenant, application and model."""

    __slots__ = ("cost_nano", "duration", "first_byte", "input_tokens", "output_tokens", "statuses")

    def __init__(self) -> None:
        """Start at zero."""
        self.statuses = dict.fromkeys(STATUS_CLASSES, 0)
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_nano = 0
        self.duration = Histogram()
        self.first_byte = Histogram()


class Metrics:
    """All figures of this process."""

    def __init__(self, max_series: int = MAX_SERIES) -> None:
        """Start at zero; beyond `max_series` combinations of labels, calls are counted under `other`."""
        self._max_series = max_series
        self._calls: dict[tuple[str, str, str], CallSeries] = {}
        self._counters: dict[tuple[str, tuple[str, ...]], int] = {}
        self._gauges: dict[str, Callable[[], Iterable[tuple[tuple[str, ...], float]]]] = {}
        self.overflow = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Collector(self))

    def series(self, tenant: str, application: str, model: str) -> CallSeries:
        """The counters of one combination of labels."""
        key = (tenant, application, model)
        series = self._calls.get(key)
        if series is None:
            if len(self._calls) >= self._max_series:
                self.overflow += 1
                key = (OTHER, OTHER, OTHER)
            series = self._calls.setdefault(key, CallSeries())
        return series

    def count(self, metric: Metric, *labels: str) -> None:
        """Count one event of a family with few labels."""
        key = (metric.name, labels)
        counters = self._counters
        if key not in counters and len(counters) >= self._max_series:
            key = (metric.name, (OTHER,) * len(labels))
        counters[key] = counters.get(key, 0) + 1

    def watch(self, metric: Metric, read: Gauge) -> None:
        """Read a single figure at each scrape."""
        self._gauges[metric.name] = lambda: [((), read())]

    def watch_many(self, metric: Metric, read: Callable[[], Iterable[tuple[tuple[str, ...], float]]]) -> None:
        """Read figures by label at each scrape."""
        self._gauges[metric.name] = read

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)

    def families(self) -> Iterator[Family]:
        """The figures as the client library's families."""
        yield from self._call_families()
        for metric in names.METRICS:
            if metric.name in self._gauges:
                family = _family(metric)
                for labels, value in self._gauges[metric.name]():
                    family.add_metric(labels, value)
                yield family
            elif any(name == metric.name for name, _ in self._counters):
                counter = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
                for (name, labels), value in self._counters.items():
                    if name == metric.name:
                        counter.add_metric(labels, value)
                yield counter
        overflow = CounterMetricFamily(names.OVERFLOW.name, names.OVERFLOW.help)
        overflow.add_metric([], self.overflow)
        yield overflow

    def _call_families(self) -> Iterator[Family]:
        calls = CounterMetricFamily(names.CALLS.name, names.CALLS.help, labels=names.CALLS.labels)
        tokens = CounterMetricFamily(names.TOKENS.name, names.TOKENS.help, labels=names.TOKENS.labels)
        cost = CounterMetricFamily(names.COST.name, names.COST.help, labels=names.COST.labels)
        duration = HistogramMetricFamily(names.DURATION.name, names.DURATION.help, labels=names.DURATION.labels)
        first = HistogramMetricFamily(names.FIRST_BYTE.name, names.FIRST_BYTE.help, labels=names.FIRST_BYTE.labels)
        for labels, series in self._calls.items():
            for status, count in series.statuses.items():
                if count:
                    calls.add_metric((*labels, status), count)
            tokens.add_metric((*labels, "input"), series.input_tokens)
            tokens.add_metric((*labels, "output"), series.output_tokens)
            cost.add_metric(labels, series.cost_nano / NANO_PER_USD)
            duration.add_metric(labels, series.duration.cumulative(), series.duration.total)
            first.add_metric(labels, series.first_byte.cumulative(), series.first_byte.total)
        yield from (calls, tokens, cost, duration, first)


class _Collector(Collector):
    """Lets the client library ask."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Family]:
        return self._metrics.families()


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=metric.labels)
