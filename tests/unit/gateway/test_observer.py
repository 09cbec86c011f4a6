"""What the world sees of a call that has ended: figures, a log line, a span; nothing that the caller sent."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.core.errors import EnfiladeError
from enfilade.core.usage import Usage
from enfilade.costs.ledger.postings import Posting
from enfilade.costs.prices.sheet import Charge
from enfilade.gateway.admission import admit
from enfilade.gateway.errors import ModelNotFound
from enfilade.gateway.observer import CallObserver
from enfilade.gateway.outcomes import Outcome, refused
from enfilade.gateway.records import REFUSED, SETTLED, CallData, Circumstances, call_data, encode_event, recovered_event
from enfilade.gateway.types import Call
from enfilade.telemetry.logs import LineWriter
from enfilade.telemetry.metrics import Metrics
from tests.unit.gateway.parts import call, desk_of, target

PROMPT = "my diagnosis is confidential"
AROUND = Circumstances(1_500_000, 2, model="chat", cost_nano=70, deployment="sim/echo", provider="sim")


class Tracer:
    """Notes spans."""

    def __init__(self, *, wanted: bool = True) -> None:
        self.wanted = wanted
        self.spans: list[tuple[str, int, int, Mapping[str, Any], str | None]] = []

    def sampled(self, _: str | None) -> bool:
        return self.wanted

    def record(self, *span: Any) -> None:
        self.spans.append(span)

    def close(self) -> None:
        """Do nothing."""


def ended(outcome: Outcome, asked: Call | None = None) -> tuple[Call, CallData, str]:
    """A call that ended so."""
    asked = asked or call(messages=[{"role": "user", "content": PROMPT}])
    data = call_data(asked, outcome, AROUND)
    return asked, data, encode_event(asked, data, asked.started_ns + 2_000_000_000)


ANSWERED = Outcome(
    "ok", 200, Usage(10, output_tokens=20), Posting(Charge(70, ["input", "output"], [10, 20], [1, 3], [10, 60]))
)


@pytest.mark.parametrize(
    ("outcome", "label"),
    [
        (ANSWERED, "2xx"),
        (Outcome("failed", 404, Usage()), "4xx"),
        (Outcome("failed", 504, Usage()), "5xx"),
        (Outcome("cut", 200, Usage()), "cut"),
        (Outcome("abandoned", 499, Usage()), "abandoned"),
        (Outcome("interrupted", 503, Usage()), "5xx"),
    ],
)
def test_every_end_is_counted_under_its_class(outcome: Outcome, label: str) -> None:
    metrics = Metrics()
    CallObserver(metrics, Tracer()).ended(*ended(outcome))

    series = metrics.series("acme", "copilot", "chat")
    assert {name: count for name, count in series.statuses.items() if count} == {label: 1}
    assert sum(series.duration.counts) == 1


def test_names_that_nobody_declared_never_become_labels() -> None:
    metrics = Metrics()
    observer = CallObserver(metrics, Tracer())
    error: EnfiladeError = ModelNotFound("There is no model 'made-up'.")
    for number in range(5):
        asked = call(model=f"made-up-{number}")
        data = call_data(asked, refused(asked, error), Circumstances(1, model=asked.request.model))
        observer.ended(asked, data, encode_event(asked, data, 1, REFUSED))

    text = metrics.render().decode()
    assert "made-up" not in text
    assert 'enfilade_refusals_total{code="model_not_found"} 5.0' in text


def test_the_log_line_is_the_record_with_names_and_holds_nothing_that_the_caller_sent() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream)
    asked, data, body = ended(ANSWERED)
    CallObserver(Metrics(), Tracer(), writer).ended(asked, data, body)
    failed = Outcome("failed", 504, Usage(), error="provider_timeout")
    CallObserver(Metrics(), Tracer(), writer).ended(*ended(failed, asked))
    writer.close()

    first, second = (json.loads(line) for line in stream.getvalue().splitlines())

    assert (first["event"], first["level"], second["level"]) == ("call", "info", "warning")
    assert (first["tenant_name"], first["application_name"], first["key_name"]) == ("acme", "copilot", "copilot-key")
    assert {name: first[name] for name in ("actor", "at", "data", "tenant", "type")} == json.loads(body)
    assert (first["type"], first["data"]["cost_nano"]) == (SETTLED, 70)
    assert PROMPT not in stream.getvalue()


def test_the_line_for_people_says_the_essentials_and_nothing_that_the_caller_sent() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream)
    CallObserver(Metrics(), Tracer(), writer, "console").ended(*ended(ANSWERED))
    writer.close()

    line = stream.getvalue()
    for part in ("acme/copilot", "chat", "1500 ms", "10+20 tokens", "$0.000000070", "2 attempts"):
        assert part in line
    assert PROMPT not in line


def test_a_sampled_call_becomes_a_span_with_its_own_times() -> None:
    tracer = Tracer()
    asked, data, body = ended(ANSWERED)
    asked.trace_parent = "parent"
    CallObserver(Metrics(), tracer).ended(asked, data, body)

    ((name, start, end, attributes, parent),) = tracer.spans
    assert (name, start, end - start, parent) == ("chat chat", asked.started_ns, 1_500_000_000, "parent")
    assert attributes["gen_ai.usage.output_tokens"] == 20
    assert attributes["enfilade.call.id"] == asked.id
    assert "error.type" not in attributes
    assert PROMPT not in str(tracer.spans)


def test_a_call_that_is_not_sampled_becomes_none() -> None:
    tracer = Tracer(wanted=False)
    CallObserver(Metrics(), tracer).ended(*ended(ANSWERED))

    assert tracer.spans == []


async def test_what_a_crash_leaves_is_settled_at_the_worst_case_of_the_intent() -> None:

    clock = ManualClock()
    desk, writer, _ = desk_of(clock)
    async with await admit(desk, call(), [target()]) as admission:
        event = json.loads(recovered_event(writer.intents["call-1"](), clock.now_ns()))

    data = event["data"]
    assert (event["type"], event["tenant"], event["actor"]) == (SETTLED, "acme", "key:key-1")
    assert (data["status"], data["estimated"], data["cost_nano"]) == ("interrupted", True, admission.hold.nano)
    assert (data["application"], data["user"], data["model"]) == ("copilot", "ana", "chat")
    assert data["output_tokens"] == 100
