"""Providers' streams of chat chunks: in what order things happen, where they are cut, and what is junk."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.happenings import Began, Ended, Failed, Happening, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import (
    Completion,
    Finish,
    Reasoning,
    Text,
    ToolCall,
)
from enfilade.core.usage import Usage
from enfilade.dialects.collecting import Collector
from enfilade.dialects.errors import UnreadableReply
from tests.support.properties import examples
from tests.unit.dialects.openai_chat.chat import (
    CITED,
    DONE,
    FRAGMENTS,
    OTHER,
    ROLE,
    SIGNED,
    USAGE,
    call,
    chunk,
    codec,
    collected,
    happenings,
    read,
    reply,
    upstream,
)

USED = Usage(30, 20, 5, 0, 9, 4)
PLAIN = [ROLE, chunk({"content": "a"}), chunk({}, "stop")]
AZURE = (
    b'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}\n\n'
)


def test_what_happens_happens_in_order_and_at_once() -> None:
    decoder = codec().decoder(upstream(stream=True))
    first = {"index": 0} | call("c1", "f", "{}")
    second = {"index": 1} | call("c2", "f", "")
    steps: list[tuple[bytes, list[Happening]]] = [
        (AZURE, []),
        (b": keep-alive\n\n", []),
        (ROLE, [Began("c1", "m-1", 7)]),
        (chunk({"reasoning_content": "Hm"}), [PartBegan(0, Reasoning()), PartGrew(0, "Hm")]),
        (chunk({"content": "a"}), [PartEnded(0), PartBegan(1, Text("")), PartGrew(1, "a")]),
        (chunk({"tool_calls": [first]}), [PartEnded(1), PartBegan(2, ToolCall("c1", "f", "")), PartGrew(2, "{}")]),
        (chunk({"tool_calls": [second]}), [PartEnded(2), PartBegan(3, ToolCall("c2", "f", ""))]),
        (chunk({}, "tool_calls"), [PartEnded(3)]),
        (chunk(None, usage=USAGE), [Reported(USED)]),
        (DONE, [Ended(Finish.TOOL_CALLS)]),
        (PLAIN[1], []),
    ]
    for piece, expected in steps:
        assert decoder.feed(piece) == expected
    assert decoder.done
    assert decoder.close() == []


def test_a_call_is_open_while_more_of_it_may_come() -> None:
    first, second = {"index": 0} | call("c1", "f", '{"a"'), {"index": 1} | call("c2", "f", "{}")
    found = happenings(ROLE, chunk({"tool_calls": [first]}), chunk({"tool_calls": [second]}), DONE)
    assert [type(entry) for entry in found[1:]] == [
        PartBegan,
        PartGrew,
        PartBegan,
        PartGrew,
        PartEnded,
        PartEnded,
        Ended,
    ]


def test_a_call_may_come_in_one_chunk_with_its_end_and_usage() -> None:
    only = chunk({"role": "assistant", "tool_calls": [call("9xYz01234", "f", "{}")]}, "tool_calls", usage=USAGE)
    assert collected(only, DONE) == Completion(
        "c1", "m-1", 7, (ToolCall("9xYz01234", "f", "{}"),), Finish.TOOL_CALLS, USED
    )


@pytest.mark.parametrize("rewrite", [lambda wire: wire, lambda wire: wire.replace(b"\n", b"\r\n")])
def test_a_stream_may_be_cut_anywhere(rewrite: Callable[[bytes], bytes]) -> None:
    pieces = [AZURE, ROLE, chunk({"content": "Größe €"}, obfuscation="x"), *map(chunk, FRAGMENTS)]
    wire = rewrite(b"".join([*pieces, chunk({}, "tool_calls"), chunk(None, usage=USAGE), DONE]))
    expected = happenings(wire)
    assert isinstance(expected[-1], Ended)
    for cut in range(len(wire)):
        assert happenings(wire[:cut], wire[cut:]) == expected
    assert happenings(*(wire[place : place + 1] for place in range(len(wire)))) == expected


@pytest.mark.parametrize(
    ("wire", "ended"),
    [
        (b"".join([*PLAIN, DONE]), True),
        (b"".join(PLAIN), True),
        (b"".join([*PLAIN, DONE.rstrip()]), True),
        (b"".join([*PLAIN[:2], DONE]), True),
        (b"".join([*PLAIN[:2], chunk({}, "")]), False),
        (b"".join(PLAIN[:2]), False),
        (b"".join(PLAIN)[:-9], False),
        (b"", False),
        (DONE.rstrip(), False),
    ],
)
def test_a_stream_that_was_cut_has_not_ended(wire: bytes, ended: bool) -> None:
    found = happenings(wire)
    assert any(isinstance(entry, Ended) for entry in found) is ended


@pytest.mark.parametrize(
    "wire",
    [
        b'data: {"error":{"message":"Overloaded","code":503}}\n\n',
        b"".join([*PLAIN[:2], b'data: {"error":{"message":"Overloaded"}}\n\n', DONE]),
        b"".join([ROLE, chunk({"content": ""}, "error", error={"message": "Overloaded"}), DONE]),
        b'{"error":{"message":"Overloaded"}}',
        b'{"error":{"message":"Overloaded"}}\n\n',
    ],
)
def test_an_error_in_a_stream_is_a_failure(wire: bytes) -> None:
    *_, last = happenings(wire)
    assert isinstance(last, Failed)
    assert "Overloaded" in last.error


@pytest.mark.parametrize(
    "wire", [b"data: {\n\n", b"data: []\n\n", b"data: hello\n\n", DONE, b'data: {"choices":1}\n\n']
)
def test_what_is_no_chunk_is_unreadable(wire: bytes) -> None:
    with pytest.raises(UnreadableReply):
        codec().decoder(upstream(stream=True)).feed(wire)


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"error":{"message":"no"},"choices":[{}]}',
        b'{"choices":[' * 3000,
        b"\xff",
        b'{"choices":[{"message":[]}]}',
    ],
)
def test_what_is_no_reply_is_unreadable(wire: bytes) -> None:
    with pytest.raises(UnreadableReply):
        read(wire)


def test_only_the_first_of_several_answers_is_read() -> None:
    pieces = [chunk({"content": "b"}, choice={"index": 1}), chunk({"content": "a"}), chunk({}, "stop", {"index": 1})]
    assert collected(*pieces, chunk({}, "stop"), DONE).parts == (Text("a"),)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
SPECIMEN = {
    "content": "a",
    "reasoning": "b",
    "reasoning_details": [OTHER | {"text": "b", "signature": "s"}],
    "refusal": "c",
    "tool_calls": [{"index": 0} | call("c1", "f", "{}", extra_content=SIGNED)],
    "function_call": {"name": "f", "arguments": ""},
    "annotations": CITED,
    "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
    "audio": {"id": "a", "data": "AA"},
    "extra_content": SIGNED,
}


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every spot inside a value: its holder and key."""
    pairs = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [spot for key, held in pairs for spot in [(value, key), *places(held)]]


@examples(400)
@given(junk=JUNK, data=st.data())
def test_no_value_in_a_reply_or_chunk_breaks_the_reading(junk: Any, data: st.DataObject) -> None:
    whole = json.loads(reply(dict(SPECIMEN), usage=USAGE, service_tier="x"))
    event = json.loads(chunk(dict(SPECIMEN), usage=USAGE).removeprefix(b"data: "))
    for body in (whole, event):
        holder, key = data.draw(st.sampled_from(places(body)))
        holder[key] = junk
    with suppress(UnreadableReply):
        read(json.dumps(whole).encode())
    with suppress(UnreadableReply):
        collector = Collector()
        collector.take(happenings(ROLE, b"data: " + json.dumps(event).encode() + b"\n\n", chunk({}, "stop"), DONE))
        collector.completion()
