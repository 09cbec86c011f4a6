"""What is wrong with the HTTP of a request: framing, headers, deadlines, methods, addresses. Bytes on a socket."""

import asyncio
import json

import pytest

from enfilade.api.protocol import BODY_DEADLINE_S, BODY_TOTAL_S, HEADER_DEADLINE_S, KEEP_ALIVE_S, LINGER_S, MAX_HEADERS
from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    PATHS,
    answers_well,
    assert_nothing_held,
    checked_error,
    house_at,
    question,
    whole_reply,
)
from tests.support.house import House, HouseOptions, open_house
from tests.support.raw_http import RawReply, chunked, connected, request
from tests.support.upstream import Seen, Step, Wire, open_upstream, reply
from tests.support.waiting import eventually
from tests.support.world import ACME_KEY, ACME_USER_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = question(CHAT, "simulated/echo")
GOOD_BODY = json.dumps(GOOD).encode()
CHUNKED = {"content-length": None, "transfer-encoding": "chunked"}


def refused(got: RawReply, status: int, code: str | None = None, path: str = CHAT) -> None:
    """The reply is an error that ends the connection."""
    assert got.status == status, got
    assert got.headers["connection"] == "close"
    error = checked_error(path, got.body)
    assert code is None or error["code"] == code


BROKEN_REQUESTS = {
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no version": b"POST /v1/chat/completions\r\n\r\n",
    "an unknown method": request(CHAT, GOOD, method="STEAL"),
    "no host": request(CHAT, GOOD, headers={"host": None}),
    "two hosts": request(CHAT, GOOD, extra=b"host: other.example\r\n"),
    "two lengths that differ": request(CHAT, GOOD, extra=b"content-length: 5\r\n"),
    "a length and chunks": request(CHAT, GOOD, extra=b"transfer-encoding: chunked\r\n"),
    "chunks and a length": request(CHAT, chunked(GOOD_BODY), headers=CHUNKED, extra=b"content-length: 5\r\n"),
    "chunked, but not last": request(
        CHAT, GOOD, headers={"content-length": None, "transfer-encoding": "chunked, gzip"}
    ),
    "chunked twice": request(CHAT, chunked(GOOD_BODY), headers=CHUNKED, extra=b"transfer-encoding: identity\r\n"),
    "a negative length": request(CHAT, GOOD, headers={"content-length": "-1"}),
    "a length with a sign": request(CHAT, GOOD, headers={"content-length": "+5"}),
    "a length that is no number": request(CHAT, GOOD, headers={"content-length": "ten"}),
    "a length beyond 64 bits": request(CHAT, GOOD, headers={"content-length": "9" * 30}),
    "a blank before the colon": request(CHAT, GOOD, extra=b"x-odd : 1\r\n"),
    "a folded header": request(CHAT, GOOD, extra=b"x-odd: 1\r\n more\r\n"),
    "a null byte in a header": request(CHAT, GOOD, extra=b"x-odd: a\x00b\r\n"),
    "a bare line feed in a header": request(CHAT, GOOD, extra=b"x-odd: a\nx-other: b\r\n"),
    "a chunk size that is none": request(CHAT, b"zz\r\nnothing\r\n0\r\n\r\n", headers=CHUNKED),
    "a chunk longer than its size": request(CHAT, b"2\r\nabcdef\r\n0\r\n\r\n", headers=CHUNKED),
    "a chunk size beyond 64 bits": request(CHAT, b"f" * 20 + b"\r\nabc", headers=CHUNKED),
    "a negative chunk size": request(CHAT, b"-5\r\nabc", headers=CHUNKED),
}


@pytest.mark.parametrize("what", BROKEN_REQUESTS)
async def test_broken_http_gets_a_clear_error_and_the_connection_ends(house: House, what: str) -> None:
    async with connected(house) as connection:
        # A second request, smuggled behind the first, must never be answered.
        await connection.send(BROKEN_REQUESTS[what] + request("/healthz", method="GET"))
        refused(await connection.reply(), 400, "malformed_body")
        assert await connection.is_closed()
    await answers_well(house)
    await assert_nothing_held(house)


async def test_too_many_headers_and_too_long_ones_are_refused(house: House) -> None:
    for extra in (b"".join(b"x-%d: 1\r\n" % n for n in range(MAX_HEADERS)), b"x-long: " + b"y" * 70_000 + b"\r\n"):
        async with connected(house) as connection:
            await connection.send(request(CHAT, GOOD, extra=extra))
            refused(await connection.reply(), 431, "headers_too_large")
    async with connected(house) as connection:
        await connection.send(request("/" + "a" * 70_000, method="GET"))
        refused(await connection.reply(), 431, "headers_too_large")
    await answers_well(house)


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_over_the_limit_is_refused_before_it_is_read(house: House, path: str) -> None:
    async with connected(house) as connection:
        await connection.send(request(path, b"", headers={"content-length": "1000001"}))
        refused(await connection.reply(), 413, "body_too_large", path)
        assert await connection.is_closed()
    await answers_well(house, path)
    await assert_nothing_held(house)


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_caller_who_sends_all_of_a_body_that_is_too_large_still_gets_the_answer(
    house: House, framing: str
) -> None:
    """A connection that is closed with unread data in it is reset, and the reset can overtake the answer."""
    async with connected(house) as connection:
        if framing == "length":
            await connection.send(request(CHAT, b"", headers={"content-length": "8000000"}))
        else:
            await connection.send(request(CHAT, b"", headers=CHUNKED))
        for _ in range(80):
            await connection.send(b"x" * 100_000 if framing == "length" else b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
        refused(await connection.reply(), 413, "body_too_large")
    await answers_well(house)


async def test_a_caller_who_never_stops_sending_a_refused_body_is_cut_off(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house, connected(house) as connection:
        await connection.send(request(CHAT, b"x" * 10, headers={"content-length": "8000000"}))
        refused(await connection.reply(), 413)
        clock.advance(LINGER_S + 1)
        assert await connection.is_closed()
        await eventually(lambda: _connections(house) == 0)


async def test_chunked_bodies_are_read_whatever_their_cut(house: House) -> None:
    async with connected(house) as connection:
        parts = [GOOD_BODY[at : at + 7] for at in range(0, len(GOOD_BODY), 7)]
        await connection.send(request(CHAT, chunked(*parts), headers=CHUNKED))
        assert (await connection.reply()).status == 200
        with_extensions = b"%x;name=value\r\n%b\r\n0\r\nx-trailer: 1\r\n\r\n" % (len(GOOD_BODY), GOOD_BODY)
        for at in range(0, len(whole := request(CHAT, with_extensions, headers=CHUNKED)), 11):
            await connection.send(whole[at : at + 11])
        assert (await connection.reply()).status == 200


async def test_a_chunked_body_over_the_limit_is_refused(house: House) -> None:
    async with connected(house) as connection:
        await connection.send(request(CHAT, chunked(*[b" " * 50_000] * 21), headers=CHUNKED))
        got = await connection.reply()
        assert got.status == 413
        assert checked_error(CHAT, got.body)["code"] == "body_too_large"


@pytest.mark.parametrize(
    "begun", [b"", b"POST /v1/chat/comp", request(CHAT, GOOD)[:60]], ids=["nothing", "line", "headers"]
)
async def test_a_caller_too_slow_with_its_headers_is_cut_off(database: Address, begun: bytes) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house, connected(house) as connection:
        await connection.send(begun)
        await eventually(lambda: _connections(house) == 1)
        await answers_well(house)
        clock.advance(HEADER_DEADLINE_S + 1)
        if begun:
            refused(await connection.reply(), 408, "request_timeout")
        assert await connection.is_closed()
        await answers_well(house)


async def test_a_caller_too_slow_with_its_body_is_cut_off(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house, connected(house) as connection:
        whole = request(CHAT, GOOD)
        await connection.send(whole[:-20])
        await eventually(lambda: house.parts.data_plane.running == 1)
        clock.advance(BODY_DEADLINE_S - 1)  # Not yet …
        await answers_well(house)
        assert house.parts.data_plane.running == 1
        clock.advance(2)
        refused(await connection.reply(), 408, "request_timeout")
        assert await connection.is_closed()
        await eventually(lambda: house.parts.data_plane.running == 0)
        await assert_nothing_held(house)


async def test_a_body_in_small_pieces_is_no_slow_caller(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house, connected(house) as connection:
        whole = request(CHAT, GOOD)
        await connection.send(whole[:-30])
        await eventually(lambda: house.parts.data_plane.running == 1)
        for at in range(30, 0, -10):
            clock.advance(BODY_DEADLINE_S - 1)
            await connection.send(whole[-at : len(whole) - at + 10])
            await answers_well(house)
        assert (await connection.reply()).status == 200


async def test_a_body_that_never_ends_is_cut_off_however_steadily_it_comes(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house, connected(house) as connection:
        whole = request(CHAT, GOOD)
        await connection.send(whole[:-30])
        await eventually(lambda: house.parts.data_plane.running == 1)
        for at in range(30, 20, -1):
            clock.advance(BODY_DEADLINE_S - 1)
            await connection.send(whole[-at : len(whole) - at + 1])
            await answers_well(house)
        clock.advance(BODY_TOTAL_S - 10 * (BODY_DEADLINE_S - 1) + 1)
        refused(await connection.reply(), 408, "request_timeout")


async def test_waiting_for_our_own_answer_has_no_deadline(database: Address) -> None:
    clock = ManualClock()
    go = asyncio.Event()
    async with (
        open_upstream(_after(go, reply(whole_reply(CHAT)))) as upstream,
        house_at(database, upstream, options=HouseOptions(clock=clock), timeout={"first_byte": "10m"}) as house,
        connected(house) as connection,
    ):
        await connection.send(request(CHAT, question(CHAT)))
        await upstream.was_asked()
        clock.advance(300)
        await answers_well(house)
        go.set()
        assert (await connection.reply()).status == 200


async def test_an_idle_connection_is_closed_in_the_end(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house, connected(house) as connection:
        await connection.send(request(CHAT, GOOD))
        assert (await connection.reply()).status == 200
        clock.advance(KEEP_ALIVE_S - 1)
        await connection.send(request(CHAT, GOOD))
        assert (await connection.reply()).status == 200
        clock.advance(KEEP_ALIVE_S + 1)
        assert await connection.is_closed()


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/", "/v1/chat/completions/", "/V1/chat/completions", "/v1/completions"]
)
async def test_an_unknown_address_is_not_found(house: House, path: str) -> None:
    client = house.client()
    for method in ("GET", "POST", "DELETE"):
        got = await client.request(method, path)
        assert got.status_code == 404
        assert checked_error(CHAT, got.content)["code"] == "not_found"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_a_wrong_method_is_told_the_right_one(house: House, method: str, path: str) -> None:
    got = await house.client().request(method, path)
    assert got.status_code == 405
    assert got.headers["allow"] == "POST"
    if method != "HEAD":
        assert checked_error(CHAT, got.content)["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/chat", "/healthz", "/readyz", "/metrics"])
async def test_what_can_only_be_read_says_so(house: House, path: str) -> None:
    got = await house.client().post(path, json={})
    assert got.status_code == 405
    assert got.headers["allow"] == "GET, HEAD"
    assert checked_error(CHAT, got.content)["code"] == "method_not_allowed"


BAD_CREDENTIALS: dict[str, tuple[dict[str, str | None], bytes, int, str]] = {
    "none": ({"authorization": None}, b"", 401, "missing_key"),
    "an empty one": ({"authorization": ""}, b"", 401, "missing_key"),
    "an empty bearer": ({"authorization": "Bearer "}, b"", 401, "missing_key"),
    "basic": ({"authorization": "Basic YTpi"}, b"", 401, "missing_key"),
    "unknown": ({"authorization": "Bearer enf_unknown_unknown"}, b"", 401, "invalid_key"),
    "bytes": ({"authorization": "Bearer \xff\xfe"}, b"", 401, "invalid_key"),
    "SQL": ({"authorization": "Bearer ' OR 1=1 --"}, b"", 401, "invalid_key"),
    "two that differ": ({}, b"authorization: Bearer " + ACME_USER_KEY.encode() + b"\r\n", 400, "ambiguous_credentials"),
    "two fields that differ": ({"x-api-key": ACME_USER_KEY}, b"", 400, "ambiguous_credentials"),
    "long": ({"authorization": "Bearer " + "k" * 50_000}, b"", 401, "invalid_key"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("what", BAD_CREDENTIALS)
async def test_bad_credentials_are_refused(house: House, what: str, path: str) -> None:
    headers, extra, status, code = BAD_CREDENTIALS[what]
    async with connected(house) as connection:
        await connection.send(request(path, question(path, "simulated/echo"), headers=headers, extra=extra))
        got = await connection.reply()
        assert got.status == status
        error = checked_error(path, got.body)
        assert error["code"] == code
        assert ACME_KEY not in got.body.decode()
        # The request was whole, so the connection goes on.
        await connection.send(request(path, question(path, "simulated/echo")))
        assert (await connection.reply()).status == 200


@pytest.mark.parametrize("name", ["x-api-key", "api-key", "X-API-KEY"])
async def test_a_key_may_come_in_the_other_vendors_header(house: House, name: str) -> None:
    async with connected(house) as connection:
        for headers in ({"authorization": None, name: ACME_KEY}, {name: ACME_KEY}):
            await connection.send(request(CHAT, GOOD, headers=headers))
            assert (await connection.reply()).status == 200
        await connection.send(request(CHAT, GOOD, extra=b"authorization: Bearer " + ACME_KEY.encode() + b"\r\n"))
        assert (await connection.reply()).status == 200


async def test_a_request_that_offers_another_protocol_is_answered_in_this_one(house: House) -> None:
    """Java's HTTP client offers h2c with every first request; a server may ignore the offer (RFC 9110, 7.8)."""
    async with connected(house) as connection:
        offer = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n"
        await connection.send(request(CHAT, GOOD, extra=offer))
        assert (await connection.reply()).status == 200
        ahead = request("/healthz", method="GET", extra=offer) + request(CHAT, GOOD, extra=b"Upgrade: websocket\r\n")
        await connection.send(ahead)
        assert (await connection.reply()).json == {"status": "alive"}
        assert (await connection.reply()).status == 200
        await connection.send(b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n")
        refused(await connection.reply(), 400, "malformed_body")


async def test_garbage_behind_a_good_request_does_not_take_its_answer(database: Address) -> None:
    go = asyncio.Event()
    async with (
        open_upstream(_after(go, reply(whole_reply(CHAT)))) as upstream,
        house_at(database, upstream) as house,
        connected(house) as connection,
    ):
        await connection.send(request(CHAT, question(CHAT)))
        await upstream.was_asked()
        await connection.send(b"\x00garbage\r\n\r\n")
        await answers_well(house)
        go.set()
        assert (await connection.reply()).status == 200
        refused(await connection.reply(), 400, "malformed_body")
        assert await connection.is_closed()


def _after(go: asyncio.Event, then: Step) -> Step:
    async def step(seen: Seen, wire: Wire) -> None:
        await go.wait()
        await then(seen, wire)

    return step


def _connections(house: House) -> int:
    return sum(1 for item in house.parts.sweeper._watched if type(item).__name__ == "HttpProtocol")
