"""Whatever a provider does wrong: its caller gets a fitting status in its dialect, the call its record, nothing stays held."""

import asyncio
from typing import Any

import httpx2
import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    EMBEDDINGS,
    MESSAGES,
    PATHS,
    UP_KEY,
    answers_well,
    assert_nothing_held,
    driven,
    error_of,
    house_at,
    question,
    record_of,
    whole_reply,
)
from tests.support.house import House, HouseOptions
from tests.support.upstream import Step, hang_up, open_upstream, raw, reply, silence

HOST = "127.0.0.1"
NASTY = f"Key {UP_KEY} (token '{UP_KEY}') is bad at http://{HOST}:1/v1, https://[::1]:8443/x and {HOST}."
STATUSES = [
    # The provider's status, ours, our code.
    (400, 400, "provider_refused_request"),
    (401, 502, "provider_credentials_refused"),
    (402, 502, "provider_quota_exhausted"),
    (403, 502, "provider_credentials_refused"),
    (404, 502, "provider_model_missing"),
    (408, 504, "provider_timeout"),
    (409, 409, "provider_conflict"),
    (413, 413, "provider_request_too_large"),
    (418, 400, "provider_refused_request"),
    (422, 400, "provider_refused_request"),
    (429, 429, "provider_rate_limited"),
    (500, 502, "provider_fault"),
    (502, 502, "provider_fault"),
    (503, 503, "provider_overloaded"),
    (504, 504, "provider_timeout"),
    (529, 503, "provider_overloaded"),
    (204, 502, "provider_response_unreadable"),
    (302, 502, "provider_response_unreadable"),
    (599, 502, "provider_fault"),
]
TYPES = {
    CHAT: {
        400: "invalid_request_error",
        409: "conflict_error",
        413: "invalid_request_error",
        429: "rate_limit_error",
        502: "server_error",
        503: "server_error",
        504: "server_error",
    },
    MESSAGES: {
        400: "invalid_request_error",
        409: "invalid_request_error",
        413: "request_too_large",
        429: "rate_limit_error",
        502: "api_error",
        504: "timeout_error",
        529: "overloaded_error",
    },
}


async def no_secret_anywhere(house: House, got: httpx2.Response, port: int) -> None:
    """Neither the key nor the address of the provider shows in what anybody but the provider can read."""
    record = await house.admin().get(f"/api/v1/calls/{got.headers['x-request-id']}")
    events = await house.admin().get("/api/v1/events?type=CallSettled")
    assert events.status_code == 200
    for text in (got.text, str(got.headers), record.text, events.text, house.log_lines()):
        assert UP_KEY not in text
        assert f":{port}" not in text
        assert HOST not in text
        assert "::1" not in text


@pytest.mark.parametrize("path", PATHS)
async def test_every_status_of_a_provider_has_a_fitting_one_of_ours(database: Address, path: str) -> None:
    clock = ManualClock()
    options = HouseOptions(clock=clock)
    async with open_upstream(silence) as upstream, house_at(database, upstream, path, options=options) as house:
        for status, usual, code in STATUSES:
            ours = 529 if path == MESSAGES and code == "provider_overloaded" else usual
            said = {"error": {"message": NASTY, "type": "some_error", "code": UP_KEY}, "message": NASTY}
            headers = {"location": f"http://{HOST}/", "set-cookie": "a=b", "x-secret": UP_KEY}
            upstream.will(reply(said, status, headers) if status != 204 else raw(b"HTTP/1.1 204 No\r\n\r\n"))
            got = await driven(clock, house.client().post(path, json=question(path)))
            assert got.status_code == ours, (status, got.text)
            error = error_of(path, got)
            assert error["code"] == code
            assert error["type"] == TYPES[MESSAGES if path == MESSAGES else CHAT][ours]
            assert {"set-cookie", "x-secret", "location"}.isdisjoint(got.headers)
            record = await record_of(house, got.headers["x-request-id"])
            assert (record["status"], record["http_status"], record["error"]) == ("failed", ours, code)
            assert record["attempts"] >= 1
            await no_secret_anywhere(house, got, upstream.port)
            await assert_nothing_held(house)
            clock.advance(200)  # The breaker is closed for the next one.
        await answers_well(house, path)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_an_answer_that_says_nothing_was_done_costs_nothing(database: Address, status: int) -> None:
    clock = ManualClock()
    options = HouseOptions(clock=clock)
    async with open_upstream(reply({}, status)) as upstream, house_at(database, upstream, options=options) as house:
        got = await driven(clock, house.client().post(CHAT, json=question(CHAT)))
        record = await record_of(house, got.headers["x-request-id"])
        assert (record["cost_usd"], record["usage"]["total_tokens"]) == ("0.000000000", 0)


async def test_what_the_provider_says_of_the_request_is_passed_on_without_key_and_address(database: Address) -> None:
    said = {"error": {"message": f"max_tokens is too large; {NASTY}"}}
    async with open_upstream(reply(said, 400)) as upstream, house_at(database, upstream) as house:
        got = await house.client().post(CHAT, json=question(CHAT))
        assert "max_tokens is too large" in got.text
        await no_secret_anywhere(house, got, upstream.port)


ERROR_BODIES = {
    "empty": b"",
    "HTML": b"<html>no</html>",
    "text": b'"text"',
    "a number": b'{"error": 5}',
    "deep": b"[" * 50_000,
    "long": b"\xff" * 300_000,
}


@pytest.mark.parametrize("path", PATHS)
async def test_an_error_of_any_form_is_an_error(database: Address, path: str) -> None:
    async with open_upstream(silence) as upstream, house_at(database, upstream, path) as house:
        for what, body in ERROR_BODIES.items():
            upstream.will(reply(body, 400))
            got = await house.client().post(path, json=question(path))
            assert (got.status_code, error_of(path, got)["code"]) == (400, "provider_refused_request"), what
            await assert_nothing_held(house)


GARBAGE: dict[str, Step] = {
    "nothing": hang_up,
    "half a status line": raw(b"HTTP/1.1 2"),
    "no HTTP": raw(b"\x15\x03\x01\x00\x02\x02\x0a"),
    "half a body": raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"),
    "a bad length": raw(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}"),
    "two lengths": raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
    "bad chunks": raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
    "endless headers": raw(b"HTTP/1.1 200 OK\r\n" + b"x-more: yes\r\n" * 20_000 + b"\r\n"),
    "no JSON": reply(b"\x00\xff<html>"),
    "an empty body": reply(b""),
    "another JSON": reply([1, 2, 3]),
    "an error in a 200": reply({"error": {"message": NASTY}, "type": "error"}),
    "compressed": reply(b"\x1f\x8b\x08", 200, {"content-encoding": "gzip"}),
    "no answer but 100": raw(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "nested deeply": reply(b'{"choices":' + b"[" * 100_000),
    "far too large": raw(b"HTTP/1.1 200 OK\r\ncontent-length: 70000000\r\n\r\n" + b" " * 66_000_000),
}


@pytest.mark.parametrize("path", PATHS)
async def test_a_reply_that_is_none_is_the_providers_fault(database: Address, path: str) -> None:
    clock = ManualClock()
    options = HouseOptions(clock=clock)
    async with open_upstream(silence) as upstream, house_at(database, upstream, path, options=options) as house:
        for what, step in GARBAGE.items():
            upstream.will(step)
            got = await driven(clock, house.client().post(path, json=question(path)))
            assert got.status_code == 502, (what, got.text)
            error = error_of(path, got)
            assert error["code"] in {"provider_connection_broken", "provider_response_unreadable", "unreadable_reply"}
            record = await record_of(house, got.headers["x-request-id"])
            # Bytes went out and nobody knows what was done: the worst case is charged.
            assert (record["status"], record["estimated"]) == ("failed", True), what
            assert record["cost_usd"] > "0"
            await no_secret_anywhere(house, got, upstream.port)
            await assert_nothing_held(house)
            clock.advance(200)
        await answers_well(house, path)


IMPOSSIBLE: tuple[Any, ...] = (
    None,
    {},
    {"prompt_tokens": None, "completion_tokens": None, "input_tokens": None, "output_tokens": None},
    {"prompt_tokens": -5, "completion_tokens": 3, "input_tokens": -5, "output_tokens": 3},
    {"prompt_tokens": 10**18, "completion_tokens": 3, "input_tokens": 10**18, "output_tokens": 3},
    {"prompt_tokens": 1e300, "completion_tokens": 3, "input_tokens": 1e300, "output_tokens": 3},
)


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_reply_without_possible_usage_is_estimated(database: Address, path: str) -> None:
    async with open_upstream(silence) as upstream, house_at(database, upstream, path) as house:
        for usage in IMPOSSIBLE:
            upstream.will(reply(whole_reply(path) | {"usage": usage}))
            got = await house.client().post(path, json=question(path))
            assert got.status_code == 200, (usage, got.text)
            record = await record_of(house, got.headers["x-request-id"])
            assert record["estimated"], usage
            assert 0 < record["usage"]["input_tokens"] < 1000
            assert 0 < record["usage"]["output_tokens"] <= 100
            await assert_nothing_held(house)


@pytest.mark.parametrize("path", PATHS)
async def test_a_provider_that_does_not_answer_in_time_is_given_up(database: Address, path: str) -> None:
    clock = ManualClock()
    limits = {"first_byte": "7s"}
    async with (
        open_upstream(silence) as upstream,
        house_at(database, upstream, path, options=HouseOptions(clock=clock), timeout=limits) as house,
    ):
        asked = asyncio.ensure_future(house.client().post(path, json=question(path)))
        await upstream.was_asked()
        got = await driven(clock, asked)
        assert got.status_code == 504
        assert error_of(path, got)["code"] == "provider_timeout"
        record = await record_of(house, got.headers["x-request-id"])
        assert (record["status"], record["estimated"], record["attempts"]) == ("failed", True, 1)
        assert record["latency_ms"] >= 7000
        await asyncio.wait_for(upstream.wires[0].left.wait(), 10)
        await no_secret_anywhere(house, got, upstream.port)
        await assert_nothing_held(house)


async def test_a_refused_connection_is_retried_and_costs_nothing(database: Address) -> None:
    clock = ManualClock()
    async with open_upstream(silence) as upstream:
        pass  # Nobody listens there any more.
    async with house_at(database, upstream, options=HouseOptions(clock=clock)) as house:
        got = await driven(clock, house.client().post(CHAT, json=question(CHAT)))
        assert (got.status_code, error_of(CHAT, got)["code"]) == (502, "provider_unreachable")
        record = await record_of(house, got.headers["x-request-id"])
        assert (record["attempts"], record["cost_usd"], record["estimated"]) == (3, "0.000000000", False)
        await no_secret_anywhere(house, got, upstream.port)
        await assert_nothing_held(house)


async def test_tls_that_is_none_is_refused(database: Address) -> None:
    clock = ManualClock()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with open_upstream(silence) as upstream:
        listener = await asyncio.start_server(plain, HOST, 0)
        port = listener.sockets[0].getsockname()[1]
        upstream.url = f"https://{HOST}:{port}/v1"
        async with listener, house_at(database, upstream, options=HouseOptions(clock=clock)) as house:
            got = await driven(clock, house.client().post(CHAT, json=question(CHAT)))
            assert (got.status_code, error_of(CHAT, got)["code"]) == (502, "provider_unreachable")
            await no_secret_anywhere(house, got, port)
            await assert_nothing_held(house)


async def test_a_private_address_that_is_not_allowed_is_never_called(database: Address) -> None:
    async with open_upstream(reply(whole_reply(CHAT))) as upstream:
        secure = upstream.url.replace("http:", "https:")
        async with house_at(database, upstream, allow_private_network=False, base_url=secure) as house:
            got = await house.client().post(CHAT, json=question(CHAT))
            assert (got.status_code, error_of(CHAT, got)["code"]) == (502, "provider_address_forbidden")
            assert upstream.connections == 0
            await assert_nothing_held(house)


async def test_a_provider_without_its_key_is_never_called(database: Address) -> None:
    async with (
        open_upstream(reply(whole_reply(CHAT))) as upstream,
        house_at(database, upstream, api_key={"env": "OTHER_API_KEY"}) as house,
    ):
        got = await house.client().post(CHAT, json=question(CHAT))
        assert (got.status_code, error_of(CHAT, got)["code"]) == (502, "provider_credential_missing")
        assert not upstream.seen
        await assert_nothing_held(house)


async def test_a_provider_whose_connections_are_all_in_use_is_busy(database: Address) -> None:
    clock = ManualClock()
    async with (
        open_upstream(silence) as upstream,
        house_at(database, upstream, options=HouseOptions(clock=clock), max_concurrency=1) as house,
    ):
        first = asyncio.ensure_future(house.client().post(CHAT, json=question(CHAT)))
        await upstream.was_asked()
        got = await driven(clock, house.client().post(CHAT, json=question(CHAT)))
        assert (got.status_code, error_of(CHAT, got)["code"]) == (503, "provider_busy")
        assert got.headers["retry-after"] == "1"
        first.cancel()
        await assert_nothing_held(house)


async def test_a_kept_connection_that_died_is_replaced_without_the_caller_noticing(database: Address) -> None:
    async with open_upstream(reply(whole_reply(CHAT))) as upstream, house_at(database, upstream) as house:
        assert (await house.client().post(CHAT, json=question(CHAT))).status_code == 200
        upstream.will(hang_up, reply(whole_reply(CHAT)))
        got = await house.client().post(CHAT, json=question(CHAT))
        assert got.status_code == 200
        assert (await record_of(house, got.headers["x-request-id"]))["attempts"] == 1
        assert upstream.connections == 2


async def test_garbage_instead_of_embeddings_is_the_providers_fault(database: Address) -> None:
    async with open_upstream(reply({"object": "list"})) as upstream, house_at(database, upstream) as house:
        got = await house.client().post(EMBEDDINGS, json=question(EMBEDDINGS))
        assert (got.status_code, error_of(EMBEDDINGS, got)["code"]) == (502, "unreadable_reply")
