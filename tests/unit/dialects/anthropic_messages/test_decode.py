"""Anthropic's streams as happenings."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.happenings import Began, Ended, Failed, Happening, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import Finish, Opaque, Reasoning, Sealed, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Upstream
from enfilade.dialects.collecting import Collector
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.members.anthropic_messages.codec import MessagesCodec
from enfilade.dialects.members.anthropic_messages.decode import MessageDecoder
from tests.contract.test_dialect_bodies import JSON, places
from tests.support.properties import examples

REPORT = {
    "input_tokens": 10,
    "cache_read_input_tokens": 20,
    "cache_creation_input_tokens": 7,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
    "output_tokens": 1,
    "service_tier": "priority",
}
CITATION = {"type": "web_search_result_location", "url": "u", "title": None, "cited_text": "c", "encrypted_index": "e"}
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result"}]}


def event(kind: str, **fields: Any) -> bytes:
    """An event as Anthropic writes it."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()


def block(index: int, opened: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    """A block from its beginning to its end."""
    return b"".join(
        [
            event("content_block_start", index=index, content_block=opened),
            *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
            event("content_block_stop", index=index),
        ]
    )


def pieces(kind: str, field: str, *values: Any) -> list[dict[str, Any]]:
    """Deltas of one kind."""
    return [{"type": kind, field: value} for value in values]


START = event("message_start", message={"id": "msg_1", "model": "claude-x", "content": [], "usage": REPORT})
PING = event("ping")
THOUGHT = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    *pieces("thinking_delta", "thinking", "Hm", "."),
    *pieces("signature_delta", "signature", "c2ln"),
)
WORDS = block(
    1,
    {"type": "text", "text": "", "citations": []},
    *pieces("text_delta", "text", "Größe ", "3 €"),
    *pieces("citations_delta", "citation", CITATION),
)
CALLED = block(
    2,
    {"type": "tool_use", "id": "t", "name": "n", "input": {}},
    *pieces("input_json_delta", "partial_json", "", '{"a"', ": 0}"),
)
EMPTY_CALL = block(
    3, {"type": "tool_use", "id": "u", "name": "n", "input": {}}, *pieces("input_json_delta", "partial_json", "")
)
SEARCHED = block(4, SEARCH, *pieces("input_json_delta", "partial_json", '{"q":', '"a"}')) + block(5, FOUND)
HIDDEN = block(6, {"type": "redacted_thinking", "data": "ZGF0YQ"})
DELTA = event(
    "message_delta",
    delta={"stop_reason": "tool_use", "stop_sequence": None},
    usage={"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}, "input_tokens": None},
)
STOP = event("message_stop")
STREAM = START + PING + THOUGHT + WORDS + CALLED + EMPTY_CALL + SEARCHED + HIDDEN + DELTA + STOP
OURS = "anthropic_messages"
WHOLE = {
    "type": "message",
    "id": "msg_1",
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": "Größe 3 €", "citations": [CITATION]},
        {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 0}},
        {"type": "tool_use", "id": "u", "name": "n", "input": {}},
        SEARCH | {"input": {"q": "a"}},
        FOUND,
        {"type": "redacted_thinking", "data": "ZGF0YQ"},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": REPORT | {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}},
}
HAPPENINGS: list[Happening] = [
    Began("msg_1", "claude-x"),
    Reported(Usage(37, 20, 4, 3, 0, 0)),
    PartBegan(0, Reasoning()),
    PartGrew(0, "Hm"),
    PartGrew(0, "."),
    PartEnded(0, Reasoning(seal=Sealed("anthropic", "c2ln"))),
    PartBegan(1, Text("")),
    PartGrew(1, "Größe "),
    PartGrew(1, "3 €"),
    PartEnded(1, Text("", citations=({"url": "u", "cited_text": "c", "anthropic": CITATION},))),
    PartBegan(2, ToolCall("t", "n", "")),
    PartGrew(2, '{"a"'),
    PartGrew(2, ": 0}"),
    PartEnded(2),
    PartBegan(3, ToolCall("u", "n", "")),
    PartGrew(3, "{}"),
    PartEnded(3),
    PartBegan(4, Opaque(OURS, "server_tool_use", SEARCH | {"input": {"q": "a"}})),
    PartEnded(4),
    PartBegan(5, Opaque(OURS, "web_search_tool_result", FOUND)),
    PartEnded(5),
    PartBegan(6, Reasoning(seal=Sealed("anthropic", "ZGF0YQ"), redacted=True)),
    PartEnded(6),
    Reported(Usage(37, 20, 4, 3, 9, 4)),
    Ended(Finish.TOOL_CALLS, None, "priority"),
]


def happenings_of(*wire: bytes) -> list[Happening]:
    """All that happened in the stream."""
    decoder = MessageDecoder()
    found = [happening for piece in wire for happening in decoder.feed(piece)]
    assert decoder.done is any(isinstance(happening, Ended | Failed) for happening in found)
    return found + decoder.close()


def test_a_stream_is_told_step_by_step() -> None:
    assert happenings_of(STREAM) == HAPPENINGS
    assert happenings_of(STREAM.replace(b"\n", b"\r\n")) == HAPPENINGS


def test_a_stream_collected_is_the_whole_reply() -> None:
    collector = Collector()
    collector.take(HAPPENINGS)
    read = MessagesCodec().read(json.dumps(WHOLE).encode(), Upstream("claude"))
    assert collector.completion() == read


def test_a_stream_may_come_byte_by_byte() -> None:
    assert happenings_of(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == HAPPENINGS


@examples(100)
@given(st.lists(st.integers(0, len(STREAM)), max_size=20).map(sorted))
def test_where_the_pieces_end_does_not_matter(cuts: list[int]) -> None:
    assert happenings_of(*(STREAM[a:b] for a, b in zip([0, *cuts], [*cuts, len(STREAM)], strict=True))) == HAPPENINGS


def test_nothing_that_has_come_whole_is_held_back() -> None:
    decoder = MessageDecoder()
    assert decoder.feed(START) == HAPPENINGS[:2]
    assert decoder.feed(event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
    for text in ("a", "b"):
        delta = {"type": "text_delta", "text": text}
        assert decoder.feed(event("content_block_delta", index=0, delta=delta)) == [PartGrew(0, text)]


def test_the_names_of_events_are_not_needed() -> None:
    lines = [line for line in STREAM.split(b"\n") if not line.startswith(b"event:")]
    assert happenings_of(b"\n".join(lines)) == HAPPENINGS


def test_nothing_is_read_after_the_end() -> None:
    assert happenings_of(STREAM + WORDS + DELTA) == HAPPENINGS


def test_a_stream_that_was_cut_has_no_end() -> None:
    for end in (START, START + WORDS, STREAM[: -len(STOP)], STREAM[:-1]):
        assert not any(isinstance(happening, Ended) for happening in happenings_of(end))


def test_an_error_ends_it() -> None:
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    assert happenings_of(START + error + WORDS) == [
        *HAPPENINGS[:2],
        Failed('{"type":"overloaded_error","message":"Overloaded"}'),
    ]
    assert isinstance(happenings_of(event("error", error=None))[0], Failed)


def test_figures_are_never_added_and_the_latest_counts() -> None:
    again = event(
        "message_delta", delta={"stop_reason": "end_turn"}, usage=REPORT | {"input_tokens": 15, "output_tokens": 9}
    )
    assert [h for h in happenings_of(START + again + STOP) if isinstance(h, Reported)] == [
        Reported(Usage(37, 20, 4, 3, 0)),
        Reported(Usage(42, 20, 4, 3, 9)),
    ]


@pytest.mark.parametrize(
    ("reason", "sequence", "finish"),
    [
        ("pause_turn", None, Finish.PAUSE),
        ("refusal", None, Finish.REFUSAL),
        ("stop_sequence", "END", Finish.STOP),
        ("model_context_window_exceeded", None, Finish.LENGTH),
        ("new", None, Finish.STOP),
        (None, None, Finish.STOP),
    ],
)
def test_why_a_stream_ended(reason: str | None, sequence: str | None, finish: Finish) -> None:
    delta = event("message_delta", delta={"stop_reason": reason, "stop_sequence": sequence}, usage={"output_tokens": 1})
    assert happenings_of(delta + STOP)[-1] == Ended(finish, sequence)


def test_what_stood_in_a_block_from_its_beginning_counts() -> None:
    wire = (
        block(0, {"type": "text", "text": "a", "citations": [CITATION]})
        + block(1, {"type": "thinking", "thinking": "b", "signature": "c"})
        + block(2, {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}})
    )
    collector = Collector()
    collector.take(happenings_of(wire + STOP))
    assert collector.completion().parts == (
        Text("a", citations=({"url": "u", "cited_text": "c", "anthropic": CITATION},)),
        Reasoning("b", Sealed("anthropic", "c")),
        ToolCall("t", "n", '{"a":1}'),
    )


def test_kinds_that_are_new_to_us_break_nothing() -> None:
    wire = (
        block(0, {"type": "compaction", "content": ""}, *pieces("compaction_delta", "content", "a", "b"))
        + event("something_new", delta="x", index="y")
        + event("content_block_start", index=1, content_block={"type": "text", "text": ""})
        + event("content_block_delta", index=1, delta={"type": "new_delta", "new": 1})
        + block(2, SEARCH, *pieces("input_json_delta", "partial_json", '{"q'))
        + STOP
    )
    assert [h.part for h in happenings_of(wire) if isinstance(h, PartBegan)] == [
        Opaque(OURS, "compaction", {"type": "compaction", "content": "ab"}),
        Text(""),
        Opaque(OURS, "server_tool_use", SEARCH | {"input": '{"q'}),
    ]
    assert happenings_of(wire)[-2:] == [PartEnded(1), Ended(Finish.STOP)]


@pytest.mark.parametrize(
    "wire",
    [
        b"data: <html>\n\n",
        b"data: {\n\n",
        b"data: \xff\n\n",
        b"data: [1]\n\n",
        b"data: " + b'{"a":' * 3000 + b"\n\n",
        event("content_block_delta", index=3, delta={"type": "text_delta", "text": "a"}),
        event("content_block_start", index=0, content_block=[]),
        event("message_delta", delta={"stop_reason": 3}),
    ],
)
def test_what_is_no_stream_is_refused(wire: bytes) -> None:
    with pytest.raises(UnreadableReply):
        happenings_of(START + wire)


@examples(300)
@given(data=st.data(), junk=JSON)
def test_no_value_in_any_event_breaks_the_reading(data: st.DataObject, junk: Any) -> None:
    events = STREAM.split(b"\n\n")[:-1]
    at = data.draw(st.integers(0, len(events) - 1))
    name, _, payload = events[at].partition(b"\ndata: ")
    changed = json.loads(payload)
    holder, key = data.draw(st.sampled_from(list(places(changed))))
    holder[key] = junk
    events[at] = name + b"\ndata: " + json.dumps(changed).encode()
    decoder, collector = MessageDecoder(), Collector()
    try:
        collector.take(decoder.feed(b"\n\n".join(events) + b"\n\n"))
    except UnreadableReply:
        return
    assert collector.completion().parts
