"""What a caller reads: whole answers and streams, by the official SDK's own types and accumulator."""

import json
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from enfilade.core.errors import UpstreamFailed
from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import (
    Completion,
    Finish,
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Sealed,
    Text,
    ToolCall,
)
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Upstream
from enfilade.dialects.members.openai_responses import DIALECT
from enfilade.dialects.members.openai_responses.codec import CODEC
from enfilade.dialects.translation.reader import TranslatedReader
from enfilade.dialects.translation.types import Memo
from enfilade.dialects.types import Request
from tests.support.properties import examples
from tests.unit.dialects.openai_responses.sdk import check_event, check_response, client
from tests.unit.dialects.openai_responses.streams import LOGPROB, REPLY, SEARCH, events_of, streamed

USAGE = Usage(30, 20, 2, 1, 9, 4)
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}
ASKED = {
    "model": "ours",
    "input": "Hi",
    "stream": True,
    "instructions": "Be brief.",
    "tools": [TOOL],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "temperature": 0,
    "max_output_tokens": 40,
    "metadata": {"a": "b"},
    "text": {"verbosity": "low"},
    "reasoning": {"effort": "low"},
    "truncation": "auto",
    "user": "u",
}
PARTS: tuple[Part, ...] = (
    Reasoning("Hm", Sealed("openai", "sealed")),
    Text("Grüße", citations=({"url": "https://a", "title": "A", "start": 0, "end": 2}, {"cited_text": "b"})),
    Text(" 世界", logprobs=(LOGPROB,)),
    Opaque("openai_responses", "web_search_call", SEARCH),
    Opaque("anthropic_messages", "server_tool_use", {"type": "server_tool_use"}),
    Refusal("No."),
    ToolCall("call_1", "weather", '{"city":"Köln"}'),
    ToolCall("call_2", "weather", "", item_id="fc_9", seal=Sealed("openai", "ZW52")),
    ToolCall("call_3", "sql", "SELECT 1", custom=True),
    Media("image", "image/png", "iVBO"),
)


def request(**more: Any) -> Request:
    """A parsed request, written in several lines."""
    return DIALECT.parse(json.dumps(ASKED | more, indent=1).encode())


def happenings(parts: tuple[Part, ...]) -> list[Happening]:
    """How the parts come, each in pieces of two letters."""
    found: list[Happening] = [Began("up-1", "up-1", 7)]
    for index, part in enumerate(parts):
        if isinstance(part, Media | Opaque):
            found += [PartBegan(index, part), PartEnded(index)]
            continue
        words, begun, last = apart(part)
        found.append(PartBegan(index, begun))
        pieces = [words[start : start + 2] for start in range(0, len(words), 2)]
        logprobs = part.logprobs if isinstance(part, Text) else ()
        found += [PartGrew(index, piece, () if at else logprobs) for at, piece in enumerate(pieces)]
        found.append(PartEnded(index, last))
    return found


def apart(part: Part) -> tuple[str, Part, Part | None]:
    """A part's words, what is known when it begins, and what is known when it ends."""
    if isinstance(part, Text):
        return part.text, Text(""), Text("", citations=part.citations, seal=part.seal)
    if isinstance(part, Refusal):
        return part.text, Refusal(""), None
    if isinstance(part, Reasoning):
        return part.text, Reasoning(id=part.id), Reasoning(seal=part.seal)
    assert isinstance(part, ToolCall)
    begun = ToolCall(part.id, part.name, "", custom=part.custom, item_id=part.item_id)
    return part.arguments, begun, ToolCall(part.id, part.name, "", seal=part.seal)


def written(given: list[Happening], ended: Ended, asked: Request | None = None, usage: Usage | None = USAGE) -> bytes:
    """The stream for them."""
    writer = CODEC.writer(asked or request(), "0199-aa", 7)
    return b"".join(writer.write(happening) for happening in given) + writer.end(ended, usage)


def test_a_stream_is_what_the_sdk_accumulates() -> None:
    wire = written(happenings(PARTS), Ended(Finish.TOOL_CALLS, service_tier="flex"))
    events = events_of(wire)
    for event in events:
        check_event(event)
    with client(wire).responses.stream(model="m", input="Hi") as stream:
        seen = list(stream)
        final = stream.get_final_response()
    assert [event.type for event in seen] == [event["type"] for event in events]
    assert final.id == "resp_0199aa"
    assert final.output_text == "Grüße 世界"
    assert [item.type for item in final.output] == [
        "reasoning",
        "message",
        "web_search_call",
        "message",
        "function_call",
        "function_call",
        "reasoning",
        "custom_tool_call",
        "image_generation_call",
    ]
    assert final.usage is not None
    assert final.usage.input_tokens_details.cache_write_tokens == 3


def test_the_deltas_add_up_to_what_is_done() -> None:
    events = events_of(written(happenings(PARTS), Ended(Finish.TOOL_CALLS)))
    grown: dict[tuple[str, str, int], str] = {}
    for event in events:
        kind, at = event["type"], event.get("content_index", event.get("summary_index", 0))
        if kind.endswith(".delta"):
            key = (kind.removesuffix(".delta"), event["item_id"], at)
            grown[key] = grown.get(key, "") + event["delta"]
        elif kind in {
            "response.output_text.done",
            "response.refusal.done",
            "response.reasoning_summary_text.done",
            "response.function_call_arguments.done",
            "response.custom_tool_call_input.done",
        }:
            whole = event.get("text", event.get("refusal", event.get("arguments", event.get("input"))))
            assert grown.pop((kind.removesuffix(".done"), event["item_id"], at), "") == whole
    assert not grown


def test_a_stream_ends_as_the_whole_reply_reads() -> None:
    for finish in Finish:
        usage = None if finish is Finish.ERROR else USAGE
        last = events_of(written(happenings(PARTS), Ended(finish), usage=usage))[-1]["response"]
        whole = json.loads(CODEC.render(Completion("0199-aa", "up-1", 7, PARTS, finish, usage), request()))
        assert last == whole
        check_response(whole)


@pytest.mark.parametrize(
    ("finish", "parts", "status", "reason"),
    [
        (Finish.STOP, (Text(""),), "completed", None),
        (Finish.STOP, (), "completed", None),
        (Finish.TOOL_CALLS, (ToolCall("c", "f", ""),), "completed", None),
        (Finish.PAUSE, (Text("a"),), "completed", None),
        (Finish.LENGTH, (Text("a"),), "incomplete", "max_output_tokens"),
        (Finish.CONTENT_FILTER, (), "incomplete", "content_filter"),
        (Finish.REFUSAL, (Refusal("No."),), "completed", None),
        (Finish.REFUSAL, (Text("No."),), "incomplete", "content_filter"),
        (Finish.ERROR, (), "failed", None),
    ],
)
def test_why_it_ended(finish: Finish, parts: tuple[Part, ...], status: str, reason: str | None) -> None:
    *_, last = events_of(written(happenings(parts), Ended(finish)))
    assert last["type"] == f"response.{status}"
    assert last["response"]["status"] == status
    assert last["response"]["incomplete_details"] == (None if reason is None else {"reason": reason})
    assert (last["response"]["error"] is None) is (status != "failed")
    check_event(last)


def test_parts_may_grow_side_by_side_and_stay_open() -> None:
    given: list[Happening] = [
        Began("", ""),
        PartBegan(0, Text("A")),
        PartBegan(1, ToolCall("c1", "f", "")),
        PartGrew(1, '{"a"'),
        PartBegan(2, ToolCall("c2", "f", "{}")),
        PartGrew(1, ":1}"),
        PartGrew(0, "B"),
        PartBegan(3, Text("C")),
        PartEnded(1),
        PartGrew(0, ""),
        PartGrew(9, "of no part"),
    ]
    wire = written(given, Ended(Finish.LENGTH))
    for event in events_of(wire):
        check_event(event)
    last = events_of(wire)[-1]["response"]
    texts = [item["content"][0]["text"] for item in last["output"] if item["type"] == "message"]
    assert texts == ["AB", "C"]
    assert [item.get("arguments") for item in last["output"][1:3]] == ['{"a":1}', "{}"]
    assert [item["status"] for item in last["output"]] == ["completed", "completed", "incomplete", "incomplete"]
    with client(wire).responses.create(model="m", input="Hi", stream=True) as stream:
        assert [event.sequence_number for event in stream] == list(range(len(events_of(wire))))


def test_the_end_can_be_asked_for_twice() -> None:
    writer = CODEC.writer(request(), "0199-aa", 7)
    begun = b"".join(writer.write(happening) for happening in happenings((Text("Hi"),)))
    end = writer.end(Ended(Finish.STOP), USAGE, "0.1")
    assert writer.end(Ended(Finish.STOP), USAGE, "0") == end
    assert events_of(begun + end)[-1]["response"]["output"]


def test_a_translated_stream_is_known_whole_at_its_end() -> None:
    decoder, writer = CODEC.decoder(Upstream("m")), CODEC.writer(request(), "0199-aa", 7)
    reader = TranslatedReader(decoder, Memo("openai"), writer)
    wire = b"".join(reader.feed(event) for event in streamed(REPLY))
    assert reader.finish()
    wire += reader.tail(None)
    assert json.loads(reader.facts.whole or b"") == events_of(wire)[-1]["response"]


def test_an_answer_without_anything_is_whole() -> None:
    wire = written([], Ended(Finish.STOP), usage=None)
    assert [event["type"] for event in events_of(wire)] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    with client(wire).responses.stream(model="m", input="Hi") as stream:
        assert stream.get_final_response().output == []


def test_the_request_is_told_again() -> None:
    response = json.loads(CODEC.render(Completion("x", "up-1", 7, (), Finish.STOP, None), request()))
    assert response["model"] == "up-1"
    for name in ("instructions", "tools", "tool_choice", "parallel_tool_calls", "temperature", "max_output_tokens"):
        assert response[name] == ASKED[name]
    for name in ("metadata", "truncation", "user", "reasoning"):
        assert response[name] == ASKED[name]
    assert response["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert response["top_p"] == 1.0
    assert response["previous_response_id"] is None
    assert response["store"] is False


def test_a_kept_answer_has_our_id_and_says_what_it_continues() -> None:
    asked = request(previous_response_id="resp_before", store=True)
    asked.answer_id = "resp_ours"
    writer = CODEC.writer(asked, "0199-aa", 7)
    wire = writer.write(Began("x", "up-1")) + writer.end(Ended(Finish.STOP), USAGE)
    for event in events_of(wire):
        told = event["response"]
        assert (told["id"], told["previous_response_id"], told["store"]) == ("resp_ours", "resp_before", True)
    assert json.loads(writer.whole or b"") == events_of(wire)[-1]["response"]
    asked = request(conversation={"id": "conv_1"})
    asked.answer_id = "resp_ours"
    whole = json.loads(CODEC.render(Completion("x", "up-1", 7, (), Finish.STOP, None), asked))
    assert (whole["id"], whole["conversation"]) == ("resp_ours", {"id": "conv_1"})


def test_a_caller_who_sends_the_items_back_loses_nothing() -> None:
    parts = tuple(part for part in PARTS if not isinstance(part, Media | Opaque))
    whole = json.loads(CODEC.render(Completion("x", "up-1", 7, parts, Finish.STOP, None), request()))
    (turn,) = CODEC.question(request(input=whole["output"])).messages
    said = [part for part in turn.parts if isinstance(part, Text | Refusal)]
    assert [part.text for part in said] == ["Grüße", " 世界", "No."]
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    assert [(call.id, call.arguments, call.custom) for call in calls] == [
        ("call_1", '{"city":"Köln"}', False),
        ("call_2", "", False),
        ("call_3", "SELECT 1", True),
    ]
    assert calls[1].seal == Sealed("openai", "ZW52")
    assert turn.parts[0] == Reasoning("Hm", Sealed("openai", "sealed"), id="rs_x00")


def test_a_sealed_text_is_read_back_sealed() -> None:
    sealed = Sealed("openai", "ZW52")
    parts = (Text("A", seal=sealed), Text("B"))
    for response in (
        json.loads(CODEC.render(Completion("x", "up-1", 7, parts, Finish.STOP, None), request())),
        events_of(written(happenings(parts), Ended(Finish.STOP)))[-1]["response"],
    ):
        question = CODEC.question(request(input=response["output"]))
        assert question.messages == (Message(Role.ASSISTANT, parts),)


def test_structured_output_is_parsed_by_the_sdk() -> None:
    class City(BaseModel):
        name: str

    body = CODEC.render(Completion("x", "up-1", 7, (Text('{"name":"Bonn"}'),), Finish.STOP, USAGE), request())
    parsed = client(body, streamed=False).responses.parse(model="m", input="Hi", text_format=City)
    assert parsed.output_parsed == City(name="Bonn")


def test_an_error_in_the_stream_is_raised_by_the_sdk() -> None:
    writer = CODEC.writer(request(), "0199-aa", 7)
    begun = b"".join(
        writer.write(happening) for happening in (Began("x", "up-1"), PartBegan(0, Text("")), PartGrew(0, "a"))
    )
    error = DIALECT.render_error_event(UpstreamFailed("It broke.", param="input"), "0199-aa")
    fields = json.loads(error.split(b"data: ")[1])
    check_event(fields)
    stream = client(begun + error).responses.create(model="m", input="Hi", stream=True)
    with pytest.raises(openai.APIError, match="It broke"):
        list(stream)


WORDS = st.text(st.characters(exclude_characters="#", exclude_categories=["Cs"]), max_size=6)
NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
CALL_IDS = st.uuids().map(str)
ANSWER_PARTS = (
    st.builds(Text, WORDS)
    | st.builds(Refusal, WORDS)
    | st.builds(ToolCall, CALL_IDS, NAMES, WORDS)
    | st.builds(ToolCall, CALL_IDS, NAMES, WORDS, custom=st.just(True))
    | st.builds(Reasoning, WORDS.filter(bool))
)


@examples(150)
@given(st.lists(ANSWER_PARTS, max_size=6).map(tuple))
def test_what_is_written_is_read_back_whole_and_streamed(parts: tuple[Part, ...]) -> None:
    completion = Completion("resp_1", "up-1", 7, parts, Finish.STOP, USAGE)
    body = CODEC.render(completion, request())
    check_response(json.loads(body))
    found = CODEC.read(body, Upstream("m"))
    assert [bare(part) for part in found.parts] == list(parts)
    wire = written(happenings(parts), Ended(Finish.STOP))
    with client(wire).responses.stream(model="m", input="Hi") as stream:
        for event in stream:
            assert event.type
    decoder = CODEC.decoder(Upstream("m"))
    told = [*decoder.feed(wire), *decoder.close()]
    grown = "".join(happening.text for happening in told if isinstance(happening, PartGrew))
    assert grown == "".join(apart(part)[0] for part in parts)


def bare(part: Part) -> Part:
    """A part without the ids that it was given."""
    if isinstance(part, ToolCall):
        return ToolCall(part.id, part.name, part.arguments, custom=part.custom)
    return Reasoning(part.text) if isinstance(part, Reasoning) else part
