"""A provider's answer, whole and as it arrives."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.happenings import Ended, Failed, Happening, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import Completion, Finish, Opaque, Reasoning, Refusal, Sealed, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Upstream
from enfilade.dialects.collecting import Collector
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.members.openai_responses.codec import CODEC
from tests.contract.test_dialect_bodies import JSON, places
from tests.support.properties import examples
from tests.unit.dialects.openai_responses.streams import (
    CALL,
    HEAD,
    LOGPROB,
    MESSAGE,
    OUTPUT,
    REASONING,
    REPLY,
    SEARCH,
    streamed,
)

UP = Upstream("up")
CITATION = {"url": "https://a", "title": "A", "start": 0, "end": 2}
COMPLETION = Completion(
    "resp_1",
    "up-1",
    7,
    (
        Reasoning("First €\n\nthen", Sealed("openai", "rs_1#gAAA"), id="rs_1"),
        Opaque("openai_responses", "web_search_call", SEARCH),
        Text("Hi é", citations=(CITATION,), logprobs=(LOGPROB,)),
        Refusal("No."),
        ToolCall("call_1", "weather", '{"city":"Köln"}', item_id="fc_1"),
        ToolCall("call_2", "weather", "", item_id="fc_2"),
        ToolCall("call_3", "sql", "SELECT 1", custom=True, item_id="ctc_1"),
    ),
    Finish.TOOL_CALLS,
    Usage(30, 20, 2, 0, 9, 4, web_searches=1),
    service_tier="flex",
)


def read(reply: dict[str, Any]) -> Completion:
    """The completion in a whole reply."""
    return CODEC.read(json.dumps(reply).encode(), UP)


def happened(*pieces: bytes) -> list[Happening]:
    """What happens when a stream comes in these pieces."""
    decoder = CODEC.decoder(UP)
    happenings = [happening for piece in pieces for happening in decoder.feed(piece)]
    return happenings + decoder.close()


def collected(happenings: list[Happening]) -> Completion:
    """What they add up to."""
    collector = Collector()
    collector.take(happenings)
    return collector.completion()


def test_a_reply_is_read() -> None:
    assert read(REPLY) == COMPLETION


def test_a_stream_says_the_same_as_the_whole_reply() -> None:
    assert collected(happened(*streamed(REPLY))) == COMPLETION


@pytest.mark.parametrize("item", OUTPUT, ids=lambda item: item["id"])
@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_each_item_comes_the_same_both_ways(item: dict[str, Any], status: str) -> None:
    reply = REPLY | {"output": [item], "status": status, "usage": None}
    assert collected(happened(*streamed(reply))) == read(reply)


@pytest.mark.parametrize(
    ("ending", "finish"),
    [
        ({"output": []}, Finish.STOP),
        ({"output": [REASONING]}, Finish.STOP),
        ({"output": [MESSAGE]}, Finish.REFUSAL),
        ({"output": [CALL]}, Finish.TOOL_CALLS),
        ({"output": [{"type": "shell_call", "id": "s"}]}, Finish.TOOL_CALLS),
        (
            {"output": [CALL], "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            Finish.LENGTH,
        ),
        ({"output": [], "status": "incomplete", "incomplete_details": None}, Finish.LENGTH),
        (
            {"output": [], "status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            Finish.CONTENT_FILTER,
        ),
        ({"output": [], "status": "a_new_one"}, Finish.STOP),
    ],
)
def test_why_it_ended(ending: dict[str, Any], finish: Finish) -> None:
    reply = REPLY | ending
    assert read(reply).finish is finish
    if reply["status"] != "a_new_one":
        assert collected(happened(*streamed(reply))).finish is finish


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"type": 5},
        {"type": "message"},
        {"type": "message", "content": "Hi"},
        {"type": "message", "content": [5, {"type": "output_text"}]},
        {"type": "function_call"},
        {"type": "reasoning", "summary": [None], "encrypted_content": 5},
    ],
)
def test_odd_items_break_nothing(item: dict[str, Any]) -> None:
    assert read(REPLY | {"output": [item]}).finish in Finish
    events = [event for event in streamed(REPLY) if b"output_item.done" in event]
    odd = [event.replace(json.dumps(CALL, ensure_ascii=False).encode(), json.dumps(item).encode()) for event in events]
    assert isinstance(happened(*odd), list)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"output":5}', b'{"output":[5]}', b"\xff", b'{"output":' + b"[" * 9000]
)
def test_what_is_no_reply_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableReply):
        CODEC.read(body, UP)


def test_a_response_that_failed_is_no_answer() -> None:
    failed = REPLY | {"status": "failed", "error": {"code": "server_error", "message": "It broke"}, "output": []}
    with pytest.raises(UnreadableReply):
        read(failed)
    *_, reported, told = happened(*streamed(failed))
    assert isinstance(reported, Reported)
    assert isinstance(told, Failed)
    assert "It broke" in told.error


@pytest.mark.parametrize(
    "data",
    [
        {"type": "error", "code": "server_error", "message": "Overloaded", "param": None, "sequence_number": 3},
        {"type": "error", "error": {"message": "Overloaded"}},
    ],
)
def test_an_error_in_the_stream_ends_it(data: dict[str, Any]) -> None:
    event = f"event: error\ndata: {json.dumps(data)}\n\n".encode()
    decoder = CODEC.decoder(UP)
    *_, told = [*decoder.feed(b"".join(streamed(REPLY)[:8])), *decoder.feed(event)]
    assert isinstance(told, Failed)
    assert "Overloaded" in told.error
    assert decoder.done
    assert decoder.feed(b"".join(streamed(REPLY))) == []


@examples(150)
@given(st.lists(st.integers(0, 20_000), max_size=30))
def test_where_the_pieces_end_does_not_matter(cuts: list[int]) -> None:
    wire = b"".join(streamed(REPLY))
    places_of_cuts = sorted({cut % (len(wire) + 1) for cut in cuts})
    bounds = zip([0, *places_of_cuts], [*places_of_cuts, len(wire)], strict=True)
    assert happened(*(wire[start:end] for start, end in bounds)) == happened(wire)


def test_byte_by_byte_and_with_other_line_ends() -> None:
    wire = b"".join(streamed(REPLY))
    assert happened(*(wire[at : at + 1] for at in range(len(wire)))) == happened(wire)
    assert happened(wire.replace(b"\n", b"\r\n")) == happened(wire)
    assert happened(b": hello\n\n" + wire.rstrip(b"\n")) == happened(wire)


def test_a_cut_stream_has_no_end() -> None:
    events = streamed(REPLY)
    for count in range(len(events)):
        assert not any(isinstance(happening, Ended) for happening in happened(*events[:count]))


def test_a_part_ends_as_soon_as_it_is_whole() -> None:
    events = streamed(REPLY)
    decoder = CODEC.decoder(UP)
    for event in events:
        happenings = decoder.feed(event)
        if b"event: response.content_part.done" in event:
            assert isinstance(happenings[-1], PartEnded)
    assert decoder.done


@pytest.mark.parametrize(
    "kept",
    [
        ("response.created", "delta", "response.completed"),
        ("response.created", "output_item.done", "response.completed"),
        ("response.created", "output_item.added", "output_item.done", "response.completed"),
        ("response.created", "output_item.added", "delta", "output_item.done", "response.completed"),
        ("response.created", "delta", "content_part.done", "output_item.done", "response.completed"),
        ("response.completed",),
    ],
)
def test_events_that_a_server_leaves_out_lose_nothing(kept: tuple[str, ...]) -> None:
    events = [event for event in streamed(REPLY) if any(name in event.split(b"\n")[0].decode() for name in kept)]
    found = collected(happened(*events))
    assert found.finish is Finish.TOOL_CALLS
    assert found.usage == COMPLETION.usage

    def order(part: Any) -> str:
        return str(type(part).__name__) + str(getattr(part, "id", getattr(part, "text", "")))

    without_breaks = [
        part if not isinstance(part, Reasoning) else Reasoning(part.text.replace("\n\n", ""), part.seal, id=part.id)
        for part in sorted(found.parts, key=order)
    ]
    expected = [
        part if not isinstance(part, Reasoning) else Reasoning(part.text.replace("\n\n", ""), part.seal, id=part.id)
        for part in sorted(COMPLETION.parts, key=order)
    ]
    assert without_breaks == expected


def test_thoughts_themselves_are_told_where_there_is_no_summary() -> None:
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}
    delta = {"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": "Hm"}
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    events = [f"data: {json.dumps(data)}\n\n".encode() for data in (delta, done)]
    reply = HEAD | {"status": "completed", "output": [item]}
    whole = streamed(reply | {"output": []})
    assert collected(happened(whole[0], *events, whole[-1])).parts == read(reply).parts == (Reasoning("Hm", id="rs_1"),)


@examples(400)
@given(junk=JSON, data=st.data())
def test_fuzzed_events_are_read_or_refused(junk: Any, data: st.DataObject) -> None:
    events = streamed(REPLY)
    position = data.draw(st.integers(0, len(events) - 1))
    fields = json.loads(events[position].split(b"data: ", 1)[1])
    holder, key = data.draw(st.sampled_from(list(places(fields))))
    holder[key] = junk
    events[position] = b"data: " + json.dumps(fields).encode() + b"\n\n"
    try:
        happenings = happened(*events)
    except UnreadableReply:
        return
    began = {happening.index for happening in happenings if isinstance(happening, PartBegan)}
    assert {happening.index for happening in happenings if isinstance(happening, PartGrew | PartEnded)} <= began
    assert began == set(range(len(began)))


@examples(300)
@given(junk=JSON, data=st.data())
def test_fuzzed_replies_are_read_or_refused(junk: Any, data: st.DataObject) -> None:
    reply = json.loads(json.dumps(REPLY))
    holder, key = data.draw(st.sampled_from(list(places(reply))))
    holder[key] = junk
    try:
        completion = read(reply)
    except UnreadableReply:
        return
    assert completion.finish in Finish
