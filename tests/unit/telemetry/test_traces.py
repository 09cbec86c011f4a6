"""Which calls become spans, and what a span says."""

from random import Random

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from enfilade.telemetry.otel import OtelTracer
from enfilade.telemetry.traces import NoTracer

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class Silent(Random):
    """A source whose next figure is always the same."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


def quiet(rate: float, random: Random) -> tuple[OtelTracer, InMemorySpanExporter]:
    """A tracer, and where its spans go instead of the network."""
    made, exporter = OtelTracer("http://127.0.0.1:9", rate, "enfilade", "1.2.3", random), InMemorySpanExporter()
    processors = made._provider._active_span_processor
    processors.shutdown()
    processors._span_processors = (SimpleSpanProcessor(exporter),)
    return made, exporter


@pytest.fixture
def tracer() -> OtelTracer:
    """Half of the calls whose callers did not decide are traced."""
    return quiet(0.5, Random(20261102))[0]


def test_a_share_of_the_calls_is_sampled(tracer: OtelTracer) -> None:
    sampled = sum(tracer.sampled(None) for _ in range(10_000))

    assert abs(sampled - 5000) < 5 * 50  # Five standard deviations, with a fixed seed.


@pytest.mark.parametrize(("rate", "drawn", "expected"), [(0.0, 0.0, False), (1.0, 0.999999, True), (0.1, 0.1, False)])
def test_the_ends_of_the_rate(rate: float, drawn: float, expected: bool) -> None:
    assert quiet(rate, Silent(drawn))[0].sampled(None) is expected


@pytest.mark.parametrize(
    ("parent", "expected"),
    [(SAMPLED, True), (NOT_SAMPLED, False), (SAMPLED[:-2] + "03", True), (SAMPLED[:-2] + "02", False)],
)
def test_a_caller_that_traces_decides_for_its_call(tracer: OtelTracer, parent: str, expected: bool) -> None:
    assert tracer.sampled(parent) is expected


def test_a_span_has_the_calls_times_attributes_and_parent() -> None:
    tracer, exporter = quiet(1, Random(1))

    tracer.record("chat m", 1_000, 5_000, {"gen_ai.request.model": "m", "enfilade.attempts": 2}, SAMPLED)

    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind, span.start_time, span.end_time) == ("chat m", SpanKind.SERVER, 1_000, 5_000)
    assert dict(span.attributes or {}) == {"gen_ai.request.model": "m", "enfilade.attempts": 2}
    assert span.parent is not None
    assert format(span.parent.span_id, "016x") == PARENT
    assert format(span.context.trace_id, "032x") == TRACE
    assert span.status.status_code is StatusCode.UNSET
    assert span.resource.attributes["service.name"] == "enfilade"
    assert span.resource.attributes["service.version"] == "1.2.3"


def test_a_span_without_a_parent_begins_a_trace_and_tells_of_failures() -> None:
    tracer, exporter = quiet(1, Random(1))

    tracer.record("chat m", 1_000, 5_000, {"error.type": "provider_timeout"}, None)

    (span,) = exporter.get_finished_spans()
    assert span.parent is None
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "provider_timeout")


@pytest.mark.parametrize("parent", ["", "1", "nonsense", f"00-{'0' * 32}-{PARENT}-01", SAMPLED[:-3], SAMPLED.upper()])
def test_a_header_that_is_no_trace_is_as_good_as_none(parent: str) -> None:
    for rate, expected in ((0.0, False), (1.0, True)):
        made, exporter = quiet(rate, Silent(0.5))
        assert made.sampled(parent) is expected
        made.record("chat m", 1, 2, {}, parent)
        assert exporter.get_finished_spans()[0].parent is None


def test_without_an_endpoint_nothing_is_traced() -> None:
    assert not NoTracer().sampled(None)
    assert not NoTracer().sampled(SAMPLED)
