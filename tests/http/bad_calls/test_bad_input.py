"""Requests that are good HTTP and a bad call: each gets a clear error in its dialect, and nothing breaks."""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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
    answers_well,
    assert_nothing_held,
    chat_stream,
    error_of,
    house_at,
    question,
    record_of,
)
from tests.support.house import House, HouseOptions, open_house
from tests.support.upstream import open_upstream, stream
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, GLOBEX_KEY, OWNER_KEY, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

ECHO = "simulated/echo"
GOOD = {path: json.dumps(question(path, ECHO)).encode() for path in PATHS}
INPUT = {CHAT: "messages", EMBEDDINGS: "input", MESSAGES: "messages"}


async def send(house: House, path: str, body: bytes, **options: Any) -> httpx2.Response:
    return await house.client(**options).post(path, content=body)


def without(path: str, *names: str) -> bytes:
    return json.dumps({name: value for name, value in question(path, ECHO).items() if name not in names}).encode()


def with_fields(path: str, **fields: Any) -> bytes:
    return json.dumps(question(path, ECHO) | fields).encode()


MALFORMED = {
    "nothing": b"",
    "blanks": b"  \n",
    "no JSON": b"Good morning",
    "half": b'{"model": "simulated/echo", "mess',
    "a second value": b'{"model": "simulated/echo"} {}',
    "an array": b"[]",
    "a text": b'"model"',
    "null": b"null",
    "a number": b"1e5",
    "NaN": b'{"model": NaN}',
    "single quotes": b"{'model': 'simulated/echo'}",
    "a comma too many": b'{"model": "simulated/echo",}',
    "a comment": b'{/* hi */"model": "simulated/echo"}',
    "a null byte": b'{"model": "simulated/echo\x00"}',
    "a lone line break in a text": b'{"model": "simulated\n/echo"}',
    "invalid UTF-8": b'{"model": "simulated/echo", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "overlong UTF-8": b'{"model": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"model": "\xed\xa0\x80"}',
    "UTF-16": '{"model": "simulated/echo"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("path", PATHS)
async def test_a_malformed_body_is_refused(house: House, path: str) -> None:
    reply = await send(house, path, b"{")
    for what, body in MALFORMED.items():
        reply = await send(house, path, body)
        assert reply.status_code == 400, what
        error = error_of(path, reply)
        assert error["code"] == "malformed_body", what
        assert error["type"] == "invalid_request_error"
    record = await record_of(house, reply.headers["x-request-id"])
    assert (record["status"], record["error"], record["http_status"]) == ("refused", "malformed_body", 400)
    await answers_well(house, path)
    await assert_nothing_held(house)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["model", "messages", "stream", "x"])
async def test_a_field_that_comes_twice_is_refused(house: House, path: str, name: str) -> None:
    body = GOOD[path][:-1] + f', "{name}": 1, "{name}": 2}}'.encode()
    reply = await send(house, path, body)
    assert reply.status_code == 400
    assert (error_of(path, reply)["code"], name in reply.text) == ("malformed_body", True)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("where", ["input", "other", "root"])
async def test_deep_nesting_breaks_nothing(house: House, path: str, opening: bytes, where: str) -> None:
    closing = b"]" if opening == b"[" else b"}"
    for depth in (1_000, 100_000):
        deep = opening * depth + b"1" + closing * depth
        if where == "root":
            body = deep
        else:
            name = INPUT[path] if where == "input" else "metadata"
            body = without(path, name)[:-1] + f', "{name}": '.encode() + deep + b"}"
        reply = await send(house, path, body)
        assert reply.status_code == 400
        assert error_of(path, reply)["code"] in {"malformed_body", "wrong_type"}
    await answers_well(house, path)
    await assert_nothing_held(house)


async def test_a_call_whose_nesting_is_just_bearable_is_settled_all_the_same(database: Address) -> None:
    """Where recursion ends depends on the stack at that moment: what can be parsed must not fail in the settlement."""
    begun = chat_stream("One", " two", usage=None)[:3]
    async with open_upstream(stream(begun, ends=False)) as upstream, house_at(database, upstream) as house:
        client = house.client()
        answered = 0
        for depth in range(880, 1_000, 2):
            deep = [b"[" * depth + b"]" * depth, b'"hello"']
            body = b'{"model": "up-model", "stream": true, "messages": [%b, %b]}' % tuple(deep)
            reply = await client.post(CHAT, content=body)
            assert reply.status_code in {200, 400}, reply.text
            answered += reply.status_code == 200
            if reply.status_code == 200:
                assert b"provider_connection_broken" in reply.content
        assert answered
        await eventually(lambda: not house.parts.meter_book.holds)
        await assert_nothing_held(house)
        calls = (await house.admin().get("/api/v1/calls?status=failed&limit=200")).json()["items"]
        assert len(calls) == answered


WRONG: dict[str, dict[str, list[Any]]] = {
    CHAT: {
        "model": [1, "", None, [], {}, "a b", "x" * 201, "naïve", "line\nbreak"],
        "messages": [1, "hello", None, [], {}, True],
        "stream": ["yes", 1, []],
        "stream_options": [1, "x", [], {"include_usage": "yes"}],
        "n": [0, -1, 1.5, "2", 129, 10**30],
        "max_tokens": [0, -1, 1.5, "10", 10**30, [], True],
        "max_completion_tokens": [0, -1, 1.5, "10", 10**30],
        "service_tier": [1, []],
    },
    EMBEDDINGS: {
        "model": [1, "", None, []],
        "input": [1, None, "", [], {}, True],
        "stream": [True, "yes"],
    },
    MESSAGES: {
        "model": [1, "", None, []],
        "messages": [1, "hello", None, [], {}],
        "max_tokens": [0, -1, 1.5, "10", None, 10**30, True],
        "stream": ["yes", 1],
        "service_tier": [1],
    },
}


@pytest.mark.parametrize("path", PATHS)
async def test_wrong_types_and_values_name_the_field(house: House, path: str) -> None:
    for name, values in WRONG[path].items():
        for value in values:
            reply = await send(house, path, with_fields(path, **{name: value}))
            assert reply.status_code == 400, (name, value, reply.text)
            error = error_of(path, reply)
            assert error["code"] in {"wrong_type", "missing_field"}, (name, value)
            assert (error["param"] or "").split(".")[0] == name, (name, value, error)
    await answers_well(house, path)
    await assert_nothing_held(house)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e-400", "1" + "0" * 5_000, "0.1", "-0", "01", "+1", "0x10"])
async def test_absurd_numbers_are_refused(house: House, path: str, number: str) -> None:
    body = without(path, "max_tokens")[:-1] + f', "max_tokens": {number}}}'.encode()
    reply = await send(house, path, body)
    if path == EMBEDDINGS and reply.status_code == 200:
        return  # Embeddings have no such field: what it holds is the provider's business.
    assert reply.status_code == 400
    assert error_of(path, reply)["code"] in {"wrong_type", "malformed_body"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (CHAT, "model"),
        (CHAT, "messages"),
        (EMBEDDINGS, "model"),
        (EMBEDDINGS, "input"),
        (MESSAGES, "model"),
        (MESSAGES, "messages"),
        (MESSAGES, "max_tokens"),
    ],
)
async def test_a_missing_field_is_named(house: House, path: str, name: str) -> None:
    reply = await send(house, path, without(path, name))
    assert reply.status_code == 400
    error = error_of(path, reply)
    assert (error["code"], error["param"]) == ("missing_field", name)


RICH: dict[str, dict[str, Any]] = {
    CHAT: {
        "model": "simulated/tools",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "u"}}],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "42"},
            {"role": "user", "content": "And?"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}},
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": True,
        "stop": ["x"],
        "temperature": 0.5,
        "top_p": 1,
        "stream_options": {"include_usage": True},
        "response_format": {"type": "text"},
    },
    EMBEDDINGS: {"model": ECHO, "input": ["a", "b"], "dimensions": 3, "encoding_format": "float", "user": "u"},
    MESSAGES: {
        "model": "simulated/tools",
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Hi"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                ],
            },
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "2"}]}],
            },
            {"role": "user", "content": "And?"},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}],
        "tool_choice": {"type": "tool", "name": "f"},
        "stop_sequences": ["x"],
        "temperature": 0.5,
    },
}
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    1.5,
    "",
    "odd",
    [],
    [[]],
    {},
    {"type": []},
    [None],
    [{"type": {}}],
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a value."""
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from places(entry, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return changed


@pytest.mark.parametrize("path", PATHS)
async def test_no_odd_value_anywhere_in_a_request_is_our_fault(house: House, path: str) -> None:
    client = house.client()
    assert (await client.post(path, json=RICH[path])).status_code == 200
    faults = []
    for place in places(RICH[path]):
        for odd in ODD_VALUES:
            reply = await client.post(path, json=replaced(RICH[path], place, odd))
            # A model that nobody has is 404 at the provider, which is our configuration's fault: 502.
            if reply.status_code not in {200, 400} and not (place == ("model",) and reply.status_code in {404, 502}):
                faults.append((place, odd, reply.status_code, reply.text[:200]))
    assert not faults
    await assert_nothing_held(house)


@pytest.mark.parametrize("path", PATHS)
async def test_an_unknown_model_is_not_found(house: House, path: str) -> None:
    for name in ("gpt-99", "chat/../chat", "%2e%2e", "' OR 1=1 --".replace(" ", "_"), "*", "simulated", "CHAT"):
        reply = await send(house, path, with_fields(path, model=name))
        assert reply.status_code == 404, name
        error = error_of(path, reply)
        assert error["code"] == "model_not_found"
        if path != MESSAGES:
            assert error["param"] == "model"
    await answers_well(house, path)


@pytest.mark.parametrize("path", PATHS)
async def test_a_model_that_the_tenant_may_not_use_is_forbidden(database: Address, path: str) -> None:
    document = world()
    document["tenants"][0]["allowed_models"] = ["simulated/*"]
    document["tenants"][1]["applications"][0]["allowed_models"] = ["simulated/echo"]
    async with open_house(database, HouseOptions(document=document)) as house:
        for key, name in ((ACME_KEY, "chat"), (ACME_KEY, "fast"), (GLOBEX_KEY, "simulated/text-5")):
            reply = await house.client(key).post(path, json=question(path, name))
            assert reply.status_code == 403
            error = error_of(path, reply)
            assert (error["code"], error["type"]) == ("model_not_allowed", "permission_error")
        await answers_well(house, path)
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_that_stands_for_nobody_cannot_call(house: House, path: str) -> None:
    for key in (ACME_ADMIN_KEY, OWNER_KEY):
        reply = await house.client(key).post(path, json=question(path, ECHO))
        assert reply.status_code == 403
        assert error_of(path, reply)["code"] == "key_cannot_call_models"


@pytest.mark.parametrize("path", PATHS)
async def test_expired_revoked_and_misplaced_keys_are_refused(database: Address, path: str) -> None:
    clock = ManualClock()
    now = datetime(2026, 11, 2, 12, tzinfo=UTC)
    secrets = {
        name: f"{name}-key-with-quite-enough-characters-in-it" for name in ("short", "elsewhere", "here", "gone")
    }
    document = world()
    extra: dict[str, dict[str, Any]] = {
        "short": {"expires": (now + timedelta(hours=1)).isoformat()},
        "elsewhere": {"allowed_ips": ["10.0.0.0/8", "2001:db8::/32"]},
        "here": {"allowed_ips": ["127.0.0.0/8"]},
        "gone": {},
    }
    keys = document["tenants"][0]["keys"]
    keys += [
        {"name": name, "application": "copilot", "secret": {"value": secrets[name]}} | extra[name] for name in extra
    ]
    async with open_house(database, HouseOptions(document=document, clock=clock)) as house:

        async def ask(name: str) -> httpx2.Response:
            # Only trusted proxies may speak for a caller's address.
            headers = {"x-forwarded-for": "10.1.2.3"}
            return await house.client(secrets[name]).post(path, json=question(path, ECHO), headers=headers)

        assert [(await ask(name)).status_code for name in ("short", "here", "gone")] == [200] * 3
        refused = await ask("elsewhere")
        assert (refused.status_code, error_of(path, refused)["code"]) == (403, "address_refused")

        clock.advance(3600)
        expired = await ask("short")
        assert (expired.status_code, error_of(path, expired)["code"]) == (401, "key_expired")

        removed = await house.admin().delete("/api/v1/keys/gone", params={"tenant": "acme"})
        assert removed.status_code in {200, 204}, removed.text
        await house.parts.directory.refresh()
        revoked = await ask("gone")
        assert (revoked.status_code, error_of(path, revoked)["code"]) == (401, "invalid_key")
        await answers_well(house, path)
        await assert_nothing_held(house)


BAD_HINTS = {
    "x-enfilade-user": ["gil@globex.example", "nobody", "", "ana@acme.example\xff"],
    "x-enfilade-max-latency-ms": ["soon", "-5", "1" * 30, "1.5"],
    "x-enfilade-metadata": [
        "{",
        "[]",
        '{"a": {}}',
        '{"a b": 1}',
        '{"a": "' + "x" * 600 + '"}',
        '{"a": 99999999999999999999}',
        "\xff",
    ],
    "x-enfilade-use-case": ["", "x" * 201, "\xff"],
    "x-enfilade-session": ["a\x01b"],
}


@pytest.mark.parametrize("path", PATHS)
async def test_own_headers_that_do_not_fit_are_named(house: House, path: str) -> None:
    for name, values in BAD_HINTS.items():
        for value in values:
            headers = [(name.encode(), value.encode("latin-1"))]
            reply = await house.client().post(path, json=question(path, ECHO), headers=headers)
            assert reply.status_code in {400, 403}, (name, value, reply.text)
            error = error_of(path, reply)
            assert error["code"] in {"invalid_header", "unknown_user", "malformed_body"}, (name, value)
    twice = [(b"x-enfilade-session", b"a"), (b"x-enfilade-session", b"b")]
    reply = await house.client().post(path, json=question(path, ECHO), headers=twice)
    assert (reply.status_code, error_of(path, reply)["code"]) == (400, "invalid_header")
    await answers_well(house, path)


async def test_the_named_end_user_is_charged(house: House) -> None:
    headers = {
        "x-enfilade-user": "Ben@ACME.example",
        "x-enfilade-metadata": '{"ticket": "T-1"}',
        "x-enfilade-use-case": "support",
    }
    reply = await house.client().post(CHAT, json=question(CHAT, ECHO), headers=headers)
    record = await record_of(house, reply.headers["x-request-id"])
    assert record["user"] == "ben@acme.example"
    assert record["metadata"] == {"ticket": "T-1"}
    assert record["use_case"] == "support"


async def test_a_model_is_refused_in_a_dialect_that_is_not_translated_into_its_own(database: Address) -> None:
    async with open_upstream(stream([])) as upstream, house_at(database, upstream, MESSAGES) as house:
        reply = await house.client().post(EMBEDDINGS, json=question(EMBEDDINGS))
        assert reply.status_code == 400
        assert error_of(EMBEDDINGS, reply)["code"] == "dialect_not_served"
        assert "anthropic_messages" in reply.text
        assert not upstream.seen
