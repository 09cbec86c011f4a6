"""Replies and streams of Converse in the neutral form: the same, whole or in pieces, cut anywhere."""

import base64
import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.happenings import Began, Ended, Failed, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import Finish, Reasoning, Sealed, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Upstream
from enfilade.dialects.collecting import Collector
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.members.bedrock_converse.decode import ConverseDecoder
from enfilade.dialects.members.bedrock_converse.dialect import ConverseCodec
from tests.support import event_frames
from tests.support.event_frames import STRING
from tests.support.properties import examples
from tests.support.strict_bedrock import Reply, converse_body, converse_events

CLAUDE = Upstream("anthropic.claude-sonnet-4-5-20250929-v1:0", call_id="call-1")
SEALED = base64.b64encode(b"sealed").decode()
BLOCKS: list[dict[str, Any]] = [
    {"reasoningContent": {"reasoningText": {"text": "Let me think.", "signature": "c2ln"}}},
    {"reasoningContent": {"redactedContent": SEALED}},
    {"text": "A calm wörld 世界"},
    {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"a": [1, "ü"]}}},
    {"toolUse": {"toolUseId": "s1", "name": "search", "input": {"q": 1}, "type": "server_tool_use"}},
    {"toolUse": {"toolUseId": "t2", "name": "look", "input": {}}},
    {
        "citationsContent": {
            "content": [{"text": "It rains."}],
            "citations": [
                {
                    "title": "Weather",
                    "sourceContent": [{"text": "rain"}, {"text": "s"}],
                    "location": {"web": {"url": "https://w.example", "domain": "w.example"}},
                }
            ],
        }
    },
]
PARTS = (
    Reasoning("Let me think.", Sealed("anthropic", "c2ln")),
    Reasoning(seal=Sealed("bedrock", SEALED), redacted=True),
    Text("A calm wörld 世界"),
    ToolCall("t1", "look", '{"a": [1, "\\u00fc"]}'),
    ToolCall("t2", "look", ""),
    Text("It rains.", citations=({"url": "https://w.example", "title": "Weather", "cited_text": "rains"},)),
)


def wire(reply: Reply) -> bytes:
    events = converse_events(reply)
    return b"".join(event_frames.event(name, json.dumps(payload | {"p": "abc"}).encode()) for name, payload in events)


def collected(pieces: list[bytes]) -> Any:
    decoder, collector = ConverseDecoder(CLAUDE), Collector()
    for piece in pieces:
        collector.take(decoder.feed(piece))
    collector.take(decoder.close())
    assert decoder.done
    return collector.completion()


def normal(parts: tuple[Any, ...]) -> list[Any]:
    """Arguments by their meaning: a stream has `""` where a whole reply has `{}`."""
    return [
        msgspec.structs.replace(part, arguments=json.dumps(json.loads(part.arguments or "{}")))
        if isinstance(part, ToolCall)
        else part
        for part in parts
    ]


def test_a_whole_reply_is_read() -> None:
    answer = ConverseCodec().read(json.dumps(converse_body(Reply(blocks=BLOCKS, stop="tool_use"))).encode(), CLAUDE)
    assert normal(answer.parts) == normal(PARTS)
    assert (answer.id, answer.model, answer.finish) == ("call-1", CLAUDE.model, Finish.TOOL_CALLS)
    assert answer.usage == Usage(input_tokens=30, output_tokens=12)


@given(st.lists(st.integers(0, 5000), max_size=20))
@examples(100)
def test_a_stream_cut_anywhere_comes_to_the_whole_reply(cuts: list[int]) -> None:
    data = wire(Reply(blocks=BLOCKS, stop="tool_use", fields={"stop_sequence": "END"}))
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    found = collected([data[start:end] for start, end in itertools.pairwise(edges)])
    assert normal(found.parts) == normal(PARTS)
    assert found.finish is Finish.TOOL_CALLS
    assert found.usage == Usage(input_tokens=30, output_tokens=12)
    assert found.stop_sequence == "END"


def test_a_text_begins_with_its_first_piece() -> None:
    assert ConverseDecoder(CLAUDE).feed(wire(Reply(blocks=[{"text": "Hi"}]))) == [
        Began("call-1", CLAUDE.model),
        PartBegan(0, Text("")),
        PartGrew(0, "Hi"),
        PartEnded(0),
        Reported(Usage(input_tokens=30, output_tokens=12)),
        Ended(Finish.STOP),
    ]


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP),
        ("tool_use", Finish.TOOL_CALLS),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("guardrail_intervened", Finish.CONTENT_FILTER),
        ("content_filtered", Finish.CONTENT_FILTER),
        ("malformed_model_output", Finish.ERROR),
        ("malformed_tool_use", Finish.ERROR),
        ("something_new", Finish.STOP),
    ],
)
def test_every_end_is_understood(stop: str, finish: Finish) -> None:
    reply = Reply(stop=stop)
    assert ConverseCodec().read(json.dumps(converse_body(reply)).encode(), CLAUDE).finish is finish
    assert collected([wire(reply)]).finish is finish


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {
                "inputTokens": 10,
                "outputTokens": 5,
                "totalTokens": 135,
                "cacheReadInputTokens": 100,
                "cacheReadInputTokenCount": 100,
                "cacheWriteInputTokens": 20,
                "cacheWriteInputTokenCount": 20,
            },
            Usage(130, 100, 20, 0, 5),
        ),
        (
            {
                "inputTokens": 10,
                "outputTokens": 5,
                "cacheWriteInputTokens": 20,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 15}, {"ttl": "5m", "inputTokens": 5}],
            },
            Usage(30, 0, 5, 15, 5),
        ),
        ({"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokens": None}, Usage(input_tokens=1, output_tokens=2)),
    ],
)
def test_usage_is_counted_once(usage: dict[str, Any], expected: Usage) -> None:
    reply = Reply(usage=usage)
    assert ConverseCodec().read(json.dumps(converse_body(reply)).encode(), CLAUDE).usage == expected
    assert collected([wire(reply)]).usage == expected


def test_a_stream_without_its_usage_is_whole_all_the_same() -> None:
    found = collected([wire(Reply(usage=None))])
    assert (found.usage, found.finish) == (None, Finish.STOP)


@pytest.mark.parametrize("keep", [1, 3, 5])
def test_a_stream_that_is_cut_does_not_end(keep: int) -> None:
    events = converse_events(Reply())[:keep]
    decoder = ConverseDecoder(CLAUDE)
    decoder.feed(b"".join(event_frames.event(name, json.dumps(payload).encode()) for name, payload in events))
    assert not any(isinstance(happening, Ended) for happening in decoder.close())
    assert not decoder.done


@pytest.mark.parametrize(
    "frame",
    [
        event_frames.exception("throttlingException", b'{"message":"slow down"}'),
        event_frames.frame(
            [
                (":message-type", STRING, "error"),
                (":error-code", STRING, "throttlingException"),
                (":error-message", STRING, "slow down"),
            ]
        ),
    ],
)
def test_an_exception_ends_the_stream(frame: bytes) -> None:
    decoder = ConverseDecoder(CLAUDE)
    decoder.feed(event_frames.event("messageStart", b'{"role":"assistant"}'))
    assert decoder.feed(frame) == [Failed('{"type":"throttlingException","message":"slow down"}')]
    assert decoder.done
    assert decoder.feed(wire(Reply())) == []
    assert decoder.close() == []


def test_an_exception_without_words_is_one_too() -> None:
    decoder = ConverseDecoder(CLAUDE)
    assert decoder.feed(event_frames.exception("internalServerException", b"<html>")) == [
        Failed('{"type":"internalServerException","message":null}')
    ]


@pytest.mark.parametrize(
    "events",
    [
        [("contentBlockDelta", b"{")],
        [("contentBlockDelta", b"[]")],
        [("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}')],
        [("contentBlockDelta", b'{"contentBlockIndex":"0","delta":{"text":"a"}}')],
        [("messageStop", b"x")],
        [("metadata", b'{"usage":')],
    ],
)
def test_what_is_no_stream_of_converse_is_unreadable(events: list[tuple[str, bytes]]) -> None:
    with pytest.raises(UnreadableReply):
        ConverseDecoder(CLAUDE).feed(b"".join(event_frames.event(*event) for event in events))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>", b'{"output":{"message":{"content":"x"}}}', b"{" * 3000])
def test_what_is_no_reply_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableReply):
        ConverseCodec().read(body, CLAUDE)


def test_events_that_are_new_to_us_are_passed_over() -> None:
    data = event_frames.event("somethingNew", b"not even json") + wire(Reply(blocks=[{"text": "Hi"}]))
    assert collected([data]).parts == (Text("Hi"),)


@given(st.lists(st.sampled_from(converse_events(Reply(blocks=BLOCKS))), max_size=12), st.binary(max_size=20))
@examples(200)
def test_events_in_any_order_neither_crash_nor_hang(events: list[tuple[str, dict[str, Any]]], tail: bytes) -> None:
    data = b"".join(event_frames.event(name, json.dumps(payload).encode()) for name, payload in events)
    decoder, collector = ConverseDecoder(CLAUDE), Collector()
    try:
        collector.take(decoder.feed(data + tail))
        collector.take(decoder.close())
    except UnreadableReply:
        return
    collector.completion()
