"""Every dialect: errors, as its SDKs expect them."""

import json
from datetime import datetime
from typing import Any

import pytest

import enfilade.bootstrap.compose  # noqa: F401 - so that every room's errors are known
from enfilade.core.clock import NANOSECONDS, ManualClock
from enfilade.core.errors import EnfiladeError, UpstreamFailed, all_errors
from enfilade.dialects.types import LimitHeaders
from enfilade.providers.errors import ProviderOverloaded
from tests.contract.shapes import DialectSample
from tests.contract.test_dialect_streams import reader_of

REQUEST_ID = "0199-call"
OF_OUR_OWN = sorted(
    {
        error
        for error in all_errors()
        if error.__module__.startswith("enfilade.") and error.__init__ is EnfiladeError.__init__
    },
    key=lambda error: error.__name__,
)
BLAMES_US = {"server_error", "api_error", "overloaded_error", "INTERNAL", "UNAVAILABLE"}
LATE = {"timeout_error", "DEADLINE_EXCEEDED"}


def rendered(sample: DialectSample, error: EnfiladeError) -> dict[str, Any]:
    """The error object of a whole reply, out of its envelope."""
    envelope = json.loads(sample.dialect.render_error(error, REQUEST_ID))
    if sample.read_error is not None:
        found = sample.read_error(envelope)
        assert found.pop("request_id") == REQUEST_ID
        return found
    content: dict[str, Any] = envelope.pop("error")
    assert (content.pop("request_id", None) or envelope.pop("request_id")) == REQUEST_ID
    assert envelope == sample.error_envelope
    return content


@pytest.mark.parametrize("kind", OF_OUR_OWN, ids=lambda kind: kind.__name__)
def test_every_error_has_the_dialects_shape(sample: DialectSample, kind: type[EnfiladeError]) -> None:
    error = kind('It went wrong: "ü"\n', param="messages[0]", details={"scope": "tenant", "left": 3})
    content = rendered(sample, error)
    status = sample.dialect.error_status(error)
    assert content["code"] == kind.code
    assert content["message"] == f"{error.message} {kind.remedy}"
    assert content["param"] == "messages[0]"
    assert content["details"] == {"scope": "tenant", "left": 3}
    assert 400 <= status < 600
    assert content["type"]
    assert (content["type"] in BLAMES_US) is (status >= 500 and content["type"] not in LATE)


def test_each_status_has_the_type_that_the_sdk_documents(sample: DialectSample) -> None:
    seen = set()
    for kind in OF_OUR_OWN:
        error = kind("No.")
        status = sample.dialect.error_status(error)
        if status in sample.error_types:
            assert rendered(sample, error)["type"] == sample.error_types[status]
            seen.add(status)
    assert seen >= {400, 401, 402, 403, 404, 413, 429, 502}


def test_an_error_without_particulars_names_none(sample: DialectSample) -> None:
    content = rendered(sample, EnfiladeError("No."))
    assert content.get("param") is None
    assert "details" not in content


def test_an_overloaded_provider_has_the_dialects_own_status(sample: DialectSample) -> None:
    known = 529 in sample.error_types
    assert sample.dialect.error_status(ProviderOverloaded("Busy.")) == (529 if known else 503)


def test_an_error_in_a_stream_is_seen_by_who_reads_it_and_ends_it(sample: DialectSample) -> None:
    error = UpstreamFailed("It broke\r\n\r\ndata: [DONE]\n\nevent: message_stop")
    event = sample.dialect.render_error_event(error, REQUEST_ID)
    assert event.endswith(b"\n\n")
    assert event.count(b"\n\n") == 1
    assert b"\r" not in event
    data, whole = event.split(b"data: ", 1)[1].strip(), sample.dialect.render_error(error, REQUEST_ID)
    assert data == whole if sample.error_event_name is None else json.loads(data).items() >= json.loads(whole).items()
    for stream in sample.streams:
        if stream.complete:
            continue
        reader = reader_of(sample, asked=True)
        passed = reader.feed(stream.wire)
        caller = reader_of(sample, asked=True)
        caller.feed(passed + event)
        assert not caller.finish()
        assert "It broke" in (caller.facts.error or "")


def test_an_error_event_has_the_name_that_its_sdk_waits_for(sample: DialectSample) -> None:
    event = sample.dialect.render_error_event(UpstreamFailed("No."), REQUEST_ID)
    named = sample.error_envelope.get("type") == "error" or sample.error_event_name == "error"
    assert (json.loads(event.split(b"data: ", 1)[1]).get("type") == "error") is named
    assert event.startswith(b"event: error\ndata: {" if named else b"data: {")


def test_what_is_left_of_the_limits_stands_in_the_dialects_headers(sample: DialectSample) -> None:
    now_ns = ManualClock().now_ns()
    figures = {b"requests": (600, 599, 1.5), b"tokens": (200_000, 0, 61.25)}
    limits = LimitHeaders(figures[b"requests"], figures[b"tokens"], now_ns)
    headers = dict(sample.dialect.limit_headers(limits))
    assert len(headers) == (6 if sample.has_limit_headers else 0)
    if not sample.has_limit_headers:
        return
    prefix = b"anthropic-ratelimit-" if sample.error_envelope else b"x-ratelimit-"
    for kind, (limit, left, seconds) in figures.items():
        found = {
            name.removeprefix(prefix).replace(kind, b"").strip(b"-"): value
            for name, value in headers.items()
            if name.startswith(prefix) and kind in name
        }
        assert found.pop(b"limit") == b"%d" % limit
        assert found.pop(b"remaining") == b"%d" % left
        assert seconds_until(found.pop(b"reset").decode(), now_ns) == pytest.approx(seconds, abs=0.001)
        assert not found


def test_without_limits_there_are_no_headers(sample: DialectSample) -> None:
    assert sample.dialect.limit_headers(LimitHeaders()) == []
    some = sample.dialect.limit_headers(LimitHeaders(tokens=(5, 5, 0.0)))
    assert len(some) == (3 if sample.has_limit_headers else 0)


def seconds_until(text: str, now_ns: int) -> float:
    """A reset, as a duration or as a moment."""
    if text.endswith("s"):
        return float(text[:-1])
    return datetime.fromisoformat(text).timestamp() - now_ns / NANOSECONDS
