"""Completions as streams for callers, read by the official SDK."""

import json
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message as SdkMessage
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew, Reported
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
from enfilade.dialects.anthropic.carriers import FOREIGN_CITATION, UNSEALED, part_seal
from enfilade.dialects.members.anthropic_messages import DIALECT
from enfilade.dialects.members.anthropic_messages.codec import MessagesCodec
from enfilade.dialects.members.anthropic_messages.events import MessageWriter
from tests.support.properties import examples

CODEC = MessagesCodec()
ASKED = DIALECT.parse(b'{"model":"asked","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}')
SEALED = Sealed("anthropic", "c2ln")
USAGE = Usage(37, 20, 4, 3, 9, 4)
REPORT = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 7,
    "cache_read_input_tokens": 20,
    "output_tokens": 9,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
    "output_tokens_details": {"thinking_tokens": 4},
}
BEGAN = Began("msg_1", "claude-x")
SAID = {"url": "https://a.b", "title": "T", "start": 0, "end": 2}


def written(
    *happenings: Happening, ended: Ended | None = None, usage: Usage | None = USAGE, writer: MessageWriter | None = None
) -> bytes:
    """The stream of those happenings."""
    writer = writer or CODEC.writer(ASKED, "call-1", 7)
    wire = b"".join(writer.write(happening) for happening in happenings)
    return wire + writer.end(ended or Ended(Finish.STOP), usage, "0.1")


def events_of(wire: bytes) -> list[dict[str, Any]]:
    """The events, each named before as inside."""
    found = []
    for event in wire.split(b"\n\n")[:-1]:
        name, _, data = event.partition(b"\ndata: ")
        found.append(json.loads(data))
        assert name == b"event: " + found[-1]["type"].encode()
    return found


def content_of(wire: bytes) -> list[Any]:
    """The blocks that the official SDK collects."""
    return [block.model_dump(exclude_none=True) for block in collected(wire).content]


def collected(wire: bytes) -> SdkMessage:
    """The message that the official SDK makes of a stream; the order of its events is checked besides."""
    check_order(events_of(wire))

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=wire)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        anthropic.Anthropic(api_key="k", base_url="http://test.invalid", http_client=http) as client,
        client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as stream,
    ):
        return stream.get_final_message()


def check_order(events: list[dict[str, Any]]) -> None:
    """One block after another, numbered from 0, between one start and one end."""
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["message_start", "ping"]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    open_block, count = None, 0
    for event in events[2:-2]:
        if event["type"] == "content_block_start":
            assert open_block is None
            assert event["index"] == count
            open_block, count = count, count + 1
        else:
            assert event["index"] == open_block
            if event["type"] == "content_block_stop":
                open_block = None
            else:
                assert event["type"] == "content_block_delta"
    assert open_block is None


def test_the_events_of_a_text() -> None:
    wire = written(BEGAN, PartBegan(0, Text("")), PartGrew(0, ""), PartGrew(0, 'Grü"'), PartGrew(0, "ße"), PartEnded(0))
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }
    assert events_of(wire) == [
        {"type": "message_start", "message": message},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 'Grü"'}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ße"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": REPORT},
        {"type": "message_stop"},
    ]
    assert wire.startswith(b'event: message_start\ndata: {"type":"message_start",')
    assert b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{' in wire


def test_the_sdk_gets_all_figures_at_the_end() -> None:
    found = collected(written(BEGAN, PartBegan(0, Text("a")), ended=Ended(Finish.STOP, "END", "default")))
    assert (found.id, found.model, found.stop_reason, found.stop_sequence) == (
        "msg_1",
        "claude-x",
        "stop_sequence",
        "END",
    )
    usage = found.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (10, 9, 20)
    assert usage.cache_creation_input_tokens == 7
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.thinking_tokens == 4


@pytest.mark.parametrize("happenings", [(), (BEGAN,), (BEGAN, PartBegan(0, Text("")), PartEnded(0))])
def test_an_empty_completion_is_whole(happenings: tuple[Happening, ...]) -> None:
    found = collected(written(*happenings, usage=None))
    assert found.content == []
    assert found.id == ("msg_1" if happenings else "msg_call-1")
    assert found.model == ("claude-x" if happenings else "asked")
    assert found.usage.output_tokens == 0


PARTS: list[tuple[Part, str, Part | None, list[dict[str, Any]]]] = [
    (Refusal(""), "No.", None, [{"type": "text", "text": "No."}]),
    (Reasoning(), "Hm.", Reasoning(seal=SEALED), [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]),
    (Reasoning("H", SEALED), "m.", None, [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]),
    (Reasoning(), "Hm.", None, [{"type": "thinking", "thinking": "Hm.", "signature": UNSEALED}]),
    (Reasoning(), "", Reasoning(seal=SEALED), [{"type": "thinking", "thinking": "", "signature": "c2ln"}]),
    (Reasoning(), "", None, []),
    (Reasoning(seal=SEALED, redacted=True), "", None, [{"type": "redacted_thinking", "data": "c2ln"}]),
    (Reasoning(redacted=True), "", Reasoning(seal=SEALED), [{"type": "redacted_thinking", "data": "c2ln"}]),
    (Reasoning(redacted=True), "", None, []),
    (ToolCall("t", "n", ""), '{"a": 0}', None, [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": 0}}]),
    (ToolCall("t", "n", '{"a":'), "0}", None, [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": 0}}]),
    (ToolCall("t", "n", ""), "", None, [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]),
    (
        ToolCall("t", "n", "", seal=SEALED),
        "{}",
        None,
        [
            {"type": "redacted_thinking", "data": part_seal(SEALED, "next")},
            {"type": "tool_use", "id": "t", "name": "n", "input": {}},
        ],
    ),
    (
        ToolCall("t", "n", ""),
        "{}",
        ToolCall("t", "n", "", seal=SEALED),
        [
            {"type": "tool_use", "id": "t", "name": "n", "input": {}},
            {"type": "redacted_thinking", "data": part_seal(SEALED, "previous")},
        ],
    ),
    (
        Text("", seal=SEALED),
        "a",
        None,
        [{"type": "text", "text": "a"}, {"type": "redacted_thinking", "data": part_seal(SEALED, "previous")}],
    ),
    (
        Text(""),
        "",
        Text("", seal=SEALED),
        [{"type": "redacted_thinking", "data": part_seal(SEALED, "previous")}],
    ),
    (
        Text(""),
        "abc",
        Text("", citations=(SAID,)),
        [
            {
                "type": "text",
                "text": "abc",
                "citations": [
                    {
                        "type": "web_search_result_location",
                        "url": "https://a.b",
                        "title": "T",
                        "cited_text": "ab",
                        "encrypted_index": FOREIGN_CITATION,
                    }
                ],
            }
        ],
    ),
    (
        Opaque(
            "anthropic_messages",
            "server_tool_use",
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        ),
        "",
        None,
        [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}],
    ),
    (Opaque("openai_responses", "x", {"type": "x"}), "", None, []),
]


@pytest.mark.parametrize(("part", "grown", "last", "blocks"), PARTS)
@pytest.mark.parametrize("explicit", [True, False])
def test_a_part_as_the_sdk_collects_it(
    part: Part, grown: str, last: Part | None, blocks: list[dict[str, Any]], explicit: bool
) -> None:
    growth = [PartGrew(0, piece) for piece in grown]
    if explicit:
        alone = written(BEGAN, PartBegan(0, part), *growth, PartEnded(0, last))
        assert content_of(alone) == blocks
    elif last is None:
        assert content_of(written(BEGAN, PartBegan(0, part), *growth)) == blocks
    waiting = written(
        BEGAN,
        PartBegan(0, Text("first")),
        PartBegan(1, part),
        *(PartGrew(1, piece) for piece in grown),
        PartEnded(1, last),
        PartEnded(0),
        PartBegan(2, Text("")),
        PartGrew(2, "last"),
    )
    first, final = {"type": "text", "text": "first"}, {"type": "text", "text": "last"}
    assert content_of(waiting) == [first, *blocks, final]


def test_a_picture_stands_whole() -> None:
    wire = written(BEGAN, PartBegan(0, Media("image", "image/png", "iVBO")), PartEnded(0))
    assert events_of(wire)[2]["content_block"]["source"]["data"] == "iVBO"
    check_order(events_of(wire))


def test_parallel_calls_wait_for_one_another() -> None:
    writer = CODEC.writer(ASKED, "call-1", 7)
    first = b"".join(
        writer.write(happening)
        for happening in (
            BEGAN,
            PartBegan(0, ToolCall("a", "n", "")),
            PartBegan(1, ToolCall("b", "n", "")),
            PartGrew(1, '{"b":'),
            PartGrew(0, '{"a":'),
        )
    )
    assert b'"{\\"a\\":"' in first
    assert b'{\\"b\\":' not in first
    assert writer.write(PartGrew(0, "1}"))
    assert b'{\\"b\\":' in writer.write(PartEnded(0))
    assert b'"2}"' in writer.write(PartGrew(1, "2}"))
    assert writer.write(Reported(USAGE)) == b""
    blocks = content_of(
        written(
            BEGAN,
            PartBegan(0, ToolCall("a", "n", "")),
            PartBegan(1, ToolCall("b", "n", "")),
            PartBegan(2, Text("")),
            PartGrew(2, "c"),
            PartGrew(1, '{"b":2}'),
            PartGrew(0, '{"a":1}'),
            PartEnded(2),
            ended=Ended(Finish.TOOL_CALLS),
        )
    )
    assert [block.get("input", block.get("text")) for block in blocks] == [{"a": 1}, {"b": 2}, "c"]


def test_growth_of_what_never_began_is_not_written() -> None:
    assert content_of(written(BEGAN, PartGrew(5, "a"), PartEnded(5), PartBegan(0, Text("b")))) == [
        {"type": "text", "text": "b"}
    ]


def test_an_error_in_the_middle_is_raised_by_the_sdk() -> None:
    writer = CODEC.writer(ASKED, "call-1", 7)
    wire = writer.write(BEGAN) + writer.write(PartBegan(0, Text("a")))
    wire += b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=wire)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        anthropic.Anthropic(api_key="k", base_url="http://test.invalid", http_client=http, max_retries=0) as client,
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
        client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as stream,
    ):
        stream.get_final_message()


STEPS = st.lists(st.tuples(st.integers(0, 3), st.text(alphabet='a"é\n', max_size=3), st.booleans()), max_size=25)


@examples(200)
@given(steps=STEPS)
def test_whatever_grows_while_whatever_is_open_all_is_written_in_order(
    steps: list[tuple[int, str, bool]],
) -> None:
    happenings: list[Happening] = [BEGAN]
    grown: dict[int, str] = {}
    ended: set[int] = set()
    for wanted, text, ends in steps:
        index = min(wanted, len(grown))
        if index in ended:
            continue
        if index not in grown:
            grown[index] = ""
            happenings.append(PartBegan(index, Text("") if index % 2 else Reasoning()))
        grown[index] += text
        happenings.append(PartGrew(index, text))
        if ends:
            ended.add(index)
            happenings.append(PartEnded(index))
    events = events_of(written(*happenings))
    check_order(events)
    texts: dict[int, str] = {}
    for event in events:
        delta = event.get("delta", {})
        if "text" in delta or "thinking" in delta:
            texts[event["index"]] = texts.get(event["index"], "") + delta.get("text", "") + delta.get("thinking", "")
    assert list(texts.values()) == [text for text in grown.values() if text]


@pytest.mark.parametrize(("part", "grown", "last", "blocks"), [entry for entry in PARTS if entry[2] is None])
def test_a_stream_collected_is_the_whole_reply(
    part: Part, grown: str, last: None, blocks: list[dict[str, Any]]
) -> None:
    del last
    codec = MessagesCodec()
    wire = written(BEGAN, PartBegan(0, part), *([PartGrew(0, grown)] if grown else []), PartEnded(0))
    from_stream = content_of(wire)
    field = "arguments" if isinstance(part, ToolCall) else "text"
    if grown:
        part = type(part)(
            **{name: getattr(part, name) for name in part.__struct_fields__} | {field: getattr(part, field) + grown}
        )
    body = codec.render(Completion("msg_1", "claude-x", 7, (part,), Finish.STOP, USAGE), ASKED)
    assert from_stream == json.loads(body)["content"] == blocks
