"""Each service's errors on their way to callers of every dialect: whole, as a stream's first event, and in its middle."""

from itertools import product
from typing import Any

import httpx2
import pytest

from enfilade.core.clock import ManualClock
from tests.support.callers import CALLERS
from tests.support.data_plane import driven
from tests.support.strict.types import KEY, Failure, Reply, Say
from tests.support.strict_house import StrictHouse, calling, open_strict_house

SERVICES = ("anthropic", "gemini", "openai")
EXPECTED = {
    "rate": (429, "provider_rate_limited"),
    "overloaded": (503, "provider_overloaded"),
    "key": (502, "provider_credentials_refused"),
    "context": (400, "provider_context_exceeded"),
    "filter": (400, "provider_content_filter"),
    "field": (400, "provider_refused_request"),
    "model": (502, "provider_model_missing"),
    "quota": (502, "provider_quota_exhausted"),
    "server": (502, "provider_fault"),
}
"""What became of it: the status, and our code."""
OVERLOADED_THERE = {"anthropic_messages": 529}
TYPES = {
    400: "invalid_request_error",
    429: "rate_limit_error",
    502: "api_error",
    503: "overloaded_error",
    529: "overloaded_error",
}
STATUSES = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 502: "UNAVAILABLE", 503: "UNAVAILABLE"}


@pytest.mark.parametrize("service", SERVICES)
async def test_errors_are_told_in_the_callers_dialect(database: Any, service: str) -> None:
    """With the status that its SDK expects; never with the provider's key or address."""
    clock = ManualClock()
    async with open_strict_house(database, service, clock=clock) as strict:
        for dialect, kind, stream in product(CALLERS, EXPECTED, (False, True)):
            if service == "gemini" and kind in {"quota", "filter"}:
                continue  # Google has no words of their own for these.
            strict.services[service].will(Failure(kind=kind, retry_after="7" if kind == "rate" else None))
            reply = await asked(strict, clock, dialect, service, stream=stream)
            status, code = EXPECTED[kind]
            status = OVERLOADED_THERE.get(dialect, status) if kind == "overloaded" else status
            assert reply.status_code == status, (dialect, service, kind, reply.status_code, reply.text)
            assert reply.headers["content-type"].startswith("application/json")
            check_shape(dialect, reply.json(), status, code)
            check_secrets(strict, service, reply)
            if kind == "rate":
                assert reply.headers["retry-after"] == "7", (dialect, service)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_stream_that_begins_with_an_error_is_an_error(database: Any, service: str) -> None:
    clock = ManualClock()
    async with open_strict_house(database, service, clock=clock) as strict:
        for dialect in CALLERS:
            strict.services[service].will(Reply(failure=Failure(kind="rate")))
            reply = await asked(strict, clock, dialect, service, stream=True)
            assert reply.status_code == 429, (dialect, service, reply.text)
            check_shape(dialect, reply.json(), 429, "provider_rate_limited")
            check_secrets(strict, service, reply)


@pytest.mark.parametrize("service", SERVICES)
async def test_an_error_in_the_middle_of_a_stream_is_its_last_event(database: Any, service: str) -> None:
    """And so is a connection that ends: nothing after it looks like the end of an answer."""
    clock = ManualClock()
    words = [Say("Good morning, dear world. " * 3)]
    async with open_strict_house(database, service, clock=clock) as strict:
        broken = [Reply(parts=words, failure=Failure(kind="server"), fails_after=6), Reply(parts=words, cut_after=6)]
        for dialect, said in product(CALLERS, broken):
            strict.services[service].will(said)
            reply = await asked(strict, clock, dialect, service, stream=True)
            assert reply.status_code == 200, (dialect, service, reply.text)
            events = CALLERS[dialect].events(reply.text)
            assert "Good " in reply.text
            assert "[DONE]" not in reply.text
            last = events[-1]
            error = last.get("error") or last.get("response", {}).get("error") or last
            assert error.get("message"), (dialect, service, last)
            assert not any(word in reply.text for word in ("message_stop", "response.completed", '"STOP"', '"stop"'))
            check_secrets(strict, service, reply)
            record = await strict.record(reply)
            assert record["status"] != "ok", (dialect, record)


async def asked(
    strict: StrictHouse, clock: ManualClock, dialect: str, service: str, *, stream: bool
) -> httpx2.Response:
    """A small question, with time going on."""
    caller = calling(dialect, service, stream=stream)
    caller.asks("Hello")
    # What failed before is forgotten by then.
    clock.advance(3600)
    return await driven(clock, strict.raw(caller))


def check_secrets(strict: StrictHouse, service: str, reply: httpx2.Response) -> None:
    """Neither the provider's key nor its address is in the reply."""
    told = reply.text + str(reply.headers)
    assert KEY not in told
    assert strict.services[service].url.removeprefix("http://").split("/")[0] not in told


def check_shape(dialect: str, body: dict[str, Any], status: int, code: str) -> None:
    """The error as the dialect's SDK reads it."""
    error = body["error"]
    assert error["message"]
    if dialect == "anthropic_messages":
        assert (body["type"], error["type"]) == ("error", TYPES[status]), body
    elif dialect == "gemini_generate":
        assert (error["code"], error["status"]) == (status, STATUSES[status]), body
    else:
        assert {"type", "param", "code"} <= set(error), body
        assert error["code"] == code
