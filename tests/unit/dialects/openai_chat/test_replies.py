"""Providers' replies, whole and streamed, in the neutral form."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.happenings import Began, Ended, Failed, Happening, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import (
    Completion,
    Finish,
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Sealed,
    Text,
    ToolCall,
)
from enfilade.core.usage import Usage
from enfilade.dialects.collecting import Collector
from enfilade.dialects.errors import UnreadableReply
from tests.support.properties import examples
from tests.unit.dialects.openai_chat.chat import DONE, ROLE, chunk, codec, collected, happenings, read, reply, upstream

USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 9,
    "total_tokens": 39,
    "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 5, "audio_tokens": None},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
USED = Usage(30, 20, 5, 0, 9, 4)
TOKEN = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1, "bytes": None}]}
CITED = [{"type": "url_citation", "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 1}}]
CITATION = {"url": "https://a", "title": "A", "start": 0, "end": 1}
SIGNED = {"google": {"thought_signature": "c2ln"}}
SEAL = Sealed("openai", "c2ln")
OTHER = {"type": "reasoning.text", "format": "other-v1", "index": 0}


def called(call_id: str | None, name: str, arguments: Any, **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}} | more


def other(**more: Any) -> Sealed:
    return Sealed("openai", msgspec.json.encode(OTHER | more).decode())


Deltas = list[dict[str, Any]]
CASES: dict[str, tuple[dict[str, Any], Deltas, tuple[Part, ...]]] = {
    "words": ({"content": "Grüße €"}, [{"content": "Grü"}, {"content": "ße €"}, {"content": ""}], (Text("Grüße €"),)),
    "nothing": ({"content": ""}, [{"content": ""}, {"content": None}], ()),
    "nothing but null": ({"content": None}, [{}], ()),
    "calls in fragments": (
        {"content": "Wait.", "tool_calls": [called("c1", "f", '{"a":1}'), called("c2", "g", "")]},
        [
            {"content": "Wait."},
            {"tool_calls": [{"index": 0} | called("c1", "f", "")]},
            {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
            {"tool_calls": [{"index": 1} | called("c2", "g", "")]},
        ],
        (Text("Wait."), ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "")),
    ),
    "calls interleaved": (
        {"tool_calls": [called("c1", "f", '{"a":1}'), called("c2", "g", "{}")]},
        [
            {"tool_calls": [{"index": 0} | called("c1", "f", "{"), {"index": 1} | called("c2", "g", "{")]},
            {"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": '"a":1}'}}]},
        ],
        (ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "{}")),
    ),
    "every call under one index": (
        {"tool_calls": [called("c1", "f", "{}"), called("c2", "f", "{}")]},
        [
            {"tool_calls": [{"index": 0} | called("c1", "f", "{}")]},
            {"tool_calls": [{"index": 0} | called("c2", "f", "{}")]},
        ],
        (ToolCall("c1", "f", "{}"), ToolCall("c2", "f", "{}")),
    ),
    "calls without index": (
        {"tool_calls": [called("c1", "f", "{}"), called("c2", "f", '{"a":1}')]},
        [
            {"tool_calls": [called("c1", "f", "{}")]},
            {"tool_calls": [called("c2", "f", '{"a"')]},
            {"tool_calls": [{"function": {"arguments": ":1}"}}]},
        ],
        (ToolCall("c1", "f", "{}"), ToolCall("c2", "f", '{"a":1}')),
    ),
    "calls without ids": (
        {"tool_calls": [called(None, "f", "{}"), called("", "g", "{}")]},
        [
            {"tool_calls": [{"index": 0} | called("", "f", "")]},
            {"tool_calls": [{"index": 0, "id": "", "function": {"arguments": "{}"}}]},
            {"tool_calls": [{"index": 1} | called(None, "g", "{}")]},
        ],
        (ToolCall("call_01ABC_0", "f", "{}"), ToolCall("call_01ABC_1", "g", "{}")),
    ),
    "id and name in every fragment, and the whole once more": (
        {"tool_calls": [called("c1", "f", "{}"), called("c2", "f", "{}")]},
        [
            {"tool_calls": [{"index": 0} | called("c1", "f", "{")]},
            {"tool_calls": [{"index": 0} | called("c1", "f", "}")]},
            {"tool_calls": [{"index": 1} | called("c2", "f", "{}")]},
            {"tool_calls": [{"index": 0} | called("c1", "f", "{}")]},
        ],
        (ToolCall("c1", "f", "{}"), ToolCall("c2", "f", "{}")),
    ),
    "the name after the first arguments": (
        {"tool_calls": [called("c1", "f", "{}")]},
        [
            {"tool_calls": [{"index": 0, "id": "c1", "function": {"arguments": "{"}}]},
            {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "}"}}]},
        ],
        (ToolCall("c1", "f", "{}"),),
    ),
    "arguments that are no JSON": (
        {"tool_calls": [called("c1", "f", '{"a":')]},
        [{"tool_calls": [{"index": 0} | called("c1", "f", '{"a":')]}],
        (ToolCall("c1", "f", '{"a":'),),
    ),
    "arguments as an object": (
        {"tool_calls": [called("c1", "f", {"a": [1]})]},
        [{"tool_calls": [{"index": 0} | called("c1", "f", {"a": [1]})]}],
        (ToolCall("c1", "f", '{"a":[1]}'),),
    ),
    "free text for a tool": (
        {"tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "t", "input": "x y"}}]},
        [
            {"tool_calls": [{"index": 0, "id": "c1", "type": "custom", "custom": {"name": "t", "input": ""}}]},
            {"tool_calls": [{"index": 0, "custom": {"input": "x y"}}]},
        ],
        (ToolCall("c1", "t", "x y", custom=True),),
    ),
    "the older form of a call": (
        {"function_call": {"name": "f", "arguments": "{}"}},
        [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}],
        (ToolCall("call_01ABC_0", "f", "{}"),),
    ),
    "a sealed call": (
        {"tool_calls": [called("c1", "f", "{}", extra_content=SIGNED)]},
        [
            {"tool_calls": [{"index": 0} | called("c1", "f", "{}")]},
            {"tool_calls": [{"index": 0, "extra_content": SIGNED}]},
        ],
        (ToolCall("c1", "f", "{}", seal=SEAL),),
    ),
    "a call that is sealed at once": (
        {"tool_calls": [called("c1", "f", "{}", extra_content=SIGNED)]},
        [{"tool_calls": [{"index": 0} | called("c1", "f", "{}", extra_content=SIGNED)]}],
        (ToolCall("c1", "f", "{}", seal=SEAL),),
    ),
    "a sealed text": (
        {"content": "ab", "extra_content": SIGNED},
        [{"content": "a"}, {"content": "b"}, {"content": "", "extra_content": SIGNED}],
        (Text("ab", seal=SEAL),),
    ),
    "a seal without a text": ({"extra_content": SIGNED}, [{"extra_content": SIGNED}], (Text("", seal=SEAL),)),
    "a refusal": (
        {"content": None, "refusal": "I cannot."},
        [{"refusal": "I "}, {"refusal": "cannot."}],
        (Refusal("I cannot."),),
    ),
    "reasoning": (
        {"content": "a", "reasoning_content": "Hm so"},
        [{"reasoning_content": "Hm"}, {"reasoning_content": " so"}, {"content": "a", "reasoning_content": None}],
        (Reasoning("Hm so"), Text("a")),
    ),
    "reasoning under its other name": (
        {"content": "a", "reasoning": "Hm"},
        [{"reasoning": "Hm"}, {"content": "a", "reasoning": None}],
        (Reasoning("Hm"), Text("a")),
    ),
    "reasoning in details": (
        {
            "content": "a",
            "reasoning": "Hm",
            "reasoning_details": [
                OTHER | {"text": "Hm", "signature": "s1"},
                {"type": "reasoning.encrypted", "data": "d"},
            ],
        },
        [
            {"reasoning": "H", "reasoning_details": [OTHER | {"text": "H"}]},
            {"reasoning": "m", "reasoning_details": [OTHER | {"text": "m"}]},
            {"reasoning_details": [OTHER | {"signature": "s1"}]},
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}]},
            {"content": "a"},
        ],
        (
            Reasoning("Hm", other(signature="s1")),
            Reasoning("", Sealed("openai", "d"), redacted=True),
            Text("a"),
        ),
    ),
    "reasoning whose details come once, at its end": (
        {
            "content": "a",
            "reasoning_content": "Hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "signature": "s", "id": "r1", "index": 0}],
        },
        [
            {"reasoning_content": "H"},
            {"reasoning_content": "m"},
            {"reasoning_details": [{"type": "reasoning.text", "text": "Hm", "signature": "s", "id": "r1", "index": 0}]},
            {"content": "a"},
        ],
        (Reasoning("Hm", Sealed("openai", "s"), id="r1"), Text("a")),
    ),
    "a summary and what it sums up": (
        {
            "reasoning_details": [
                {"type": "reasoning.summary", "summary": "Hm", "format": "openai-responses-v1", "index": 0},
                {"type": "reasoning.encrypted", "data": "d", "format": "openai-responses-v1", "index": 0, "id": "r1"},
            ]
        },
        [
            {
                "reasoning_details": [
                    {"type": "reasoning.summary", "summary": "Hm", "format": "openai-responses-v1", "index": 0}
                ]
            },
            {
                "reasoning_details": [
                    {
                        "type": "reasoning.encrypted",
                        "data": "d",
                        "format": "openai-responses-v1",
                        "index": 0,
                        "id": "r1",
                    }
                ]
            },
        ],
        (
            Reasoning("Hm", Sealed("openai", '{"type":"reasoning.summary","format":"openai-responses-v1","index":0}')),
            Reasoning("", Sealed("openai", "d"), redacted=True, id="r1"),
        ),
    ),
    "Mistral's content": (
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
                {"type": "text", "text": "a"},
            ]
        },
        [
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "H"}]}]},
            {"content": [{"type": "thinking", "thinking": "m"}, 7, {"type": "new"}]},
            {"content": "a"},
        ],
        (Reasoning("Hm"), Text("a")),
    ),
    "citations": (
        {"content": "a b", "annotations": [*CITED, {"type": "new"}]},
        [{"content": "a b"}, {"annotations": CITED}],
        (Text("a b", citations=(CITATION,)),),
    ),
    "images": (
        {"content": "See:", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}, 7]},
        [
            {"content": "See:"},
            {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, "index": 0}]},
        ],
        (Text("See:"), Media("image", "image/png", "AA==")),
    ),
    "sound": (
        {"audio": {"id": "a1", "data": "AABB", "transcript": "Hi", "expires_at": 5}},
        [
            {"audio": {"id": "a1", "transcript": "H"}},
            {"audio": {"data": "AA", "transcript": "i"}},
            {"audio": {"data": "BB", "expires_at": 5}},
        ],
        (Opaque("openai_chat", "audio", {"id": "a1", "data": "AABB", "transcript": "Hi", "expires_at": 5}),),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_reply_says_the_same_whole_and_streamed(case: str) -> None:
    message, deltas, parts = CASES[case]
    assert read(reply(message)).parts == parts
    assert collected(ROLE, *map(chunk, deltas), chunk({}, "stop"), DONE).parts == parts


def test_a_whole_reply_is_read() -> None:
    wire = reply({"content": "a"}, "length", usage=USAGE, service_tier="flex")
    assert read(wire) == Completion("c1", "m-1", 7, (Text("a"),), Finish.LENGTH, USED, service_tier="flex")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish.STOP),
        ("length", Finish.LENGTH),
        ("tool_calls", Finish.TOOL_CALLS),
        ("function_call", Finish.TOOL_CALLS),
        ("content_filter", Finish.CONTENT_FILTER),
        ("error", Finish.ERROR),
        ("eos", Finish.STOP),
        ("", Finish.STOP),
        (None, Finish.STOP),
        (7, Finish.STOP),
    ],
)
def test_a_finish_reason_is_read(reason: Any, finish: Finish) -> None:
    assert read(reply({"content": "a"}, reason)).finish is finish
    assert collected(chunk({"content": "a"}), chunk({}, reason), DONE).finish is finish


def test_a_refusal_in_words_is_no_plain_stop() -> None:
    assert read(reply({"refusal": "No."})).finish is Finish.REFUSAL
    assert collected(chunk({"refusal": "No."}), chunk({}, "stop"), DONE).finish is Finish.REFUSAL
    assert read(reply({"refusal": "No."}, "length")).finish is Finish.LENGTH


def test_tokens_are_told_with_the_words() -> None:
    logprobs = {"logprobs": {"content": [TOKEN, TOKEN], "refusal": None}}
    assert read(reply({"content": "aa"}, choice=logprobs)).parts == (Text("aa", logprobs=(TOKEN, TOKEN)),)
    one = {"logprobs": {"content": [TOKEN], "refusal": None}}
    pieces = [chunk({"content": "a"}, choice=one), chunk({"content": "a"}, choice=one), chunk({}, "stop")]
    assert collected(*pieces, DONE).parts == (Text("aa", logprobs=(TOKEN, TOKEN)),)
    assert read(reply({"content": "a"}, choice={"logprobs": {"tokens": ["a"]}})).parts == (Text("a"),)


def test_the_stop_sequence_is_read_where_a_service_tells_it() -> None:
    assert read(reply({"content": "a"}, choice={"stop_reason": "END"})).stop_sequence == "END"
    assert collected(chunk({"content": "a"}), chunk({}, "stop", {"stop_reason": "END"}), DONE).stop_sequence == "END"
    assert read(reply({"content": "a"}, choice={"stop_reason": 128009})).stop_sequence is None


@pytest.mark.parametrize(
    ("report", "used"),
    [
        ({"usage": USAGE}, USED),
        ({"usage": None}, None),
        ({"usage": {}}, None),
        ({"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}}, Usage(3, output_tokens=2)),
        ({"x_groq": {"id": "req"}}, None),
        (
            {"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}},
            Usage(9, 4, output_tokens=2),
        ),
        (
            {
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 2,
                    "total_tokens": 18,
                    "completion_tokens_details": {"reasoning_tokens": 7},
                }
            },
            Usage(9, output_tokens=9, reasoning_tokens=7),
        ),
        (
            {
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 8,
                    "total_tokens": 17,
                    "completion_tokens_details": {"reasoning_tokens": 7, "audio_tokens": None},
                    "prompt_tokens_details": None,
                }
            },
            Usage(9, output_tokens=8, reasoning_tokens=7),
        ),
    ],
)
def test_usage_is_read_in_every_place(report: dict[str, Any], used: Usage | None) -> None:
    assert read(reply({"content": "a"}, **report)).usage == used
    start = chunk({"content": "a"})
    assert collected(start, chunk({}, "stop"), chunk(None, **report), DONE).usage == used
    assert collected(start, chunk({}, "stop", **report), DONE).usage == used


PLAIN = [ROLE, chunk({"content": "a"}), chunk({}, "stop")]
AZURE = (
    b'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}\n\n'
)


def test_what_happens_happens_in_order_and_at_once() -> None:
    decoder = codec().decoder(upstream(stream=True))
    call = {"index": 0} | called("c1", "f", "{}")
    second = {"index": 1} | called("c2", "f", "")
    steps: list[tuple[bytes, list[Happening]]] = [
        (AZURE, []),
        (b": keep-alive\n\n", []),
        (ROLE, [Began("c1", "m-1", 7)]),
        (chunk({"reasoning_content": "Hm"}), [PartBegan(0, Reasoning()), PartGrew(0, "Hm")]),
        (chunk({"content": "a"}), [PartEnded(0), PartBegan(1, Text("")), PartGrew(1, "a")]),
        (chunk({"tool_calls": [call]}), [PartEnded(1), PartBegan(2, ToolCall("c1", "f", "")), PartGrew(2, "{}")]),
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
    first, second = {"index": 0} | called("c1", "f", '{"a"'), {"index": 1} | called("c2", "f", "{}")
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
    only = chunk({"role": "assistant", "tool_calls": [called("9xYz01234", "f", "{}")]}, "tool_calls", usage=USAGE)
    assert collected(only, DONE) == Completion(
        "c1", "m-1", 7, (ToolCall("9xYz01234", "f", "{}"),), Finish.TOOL_CALLS, USED
    )


@pytest.mark.parametrize("rewrite", [lambda wire: wire, lambda wire: wire.replace(b"\n", b"\r\n")])
def test_a_stream_may_be_cut_anywhere(rewrite: Callable[[bytes], bytes]) -> None:
    _, deltas, _ = CASES["calls in fragments"]
    pieces = [AZURE, ROLE, chunk({"content": "Größe €"}, obfuscation="x"), *map(chunk, deltas)]
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
    "tool_calls": [{"index": 0} | called("c1", "f", "{}", extra_content=SIGNED)],
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
