"""Completions as a caller gets them, whole and streamed; the official SDK adds the streams up."""

import json
from typing import Any

import pytest
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
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
from enfilade.dialects.types import Request
from tests.unit.dialects.openai_chat.chat import DONE, codec, events, question, request

ASKED = request(stream=True)
WITH_USAGE = request(stream=True, stream_options={"include_usage": True})
OLDER = request(stream=True, functions=[{"name": "f"}])
SEAL = Sealed("openai", "c2ln")
SIGNED = {"google": {"thought_signature": "c2ln"}}
TOKEN = {"token": "a", "logprob": -0.5, "bytes": None, "top_logprobs": []}
FORMAT = "openai-responses-v1"


def halves(words: str) -> list[str]:
    middle = len(words) // 2
    return [piece for piece in (words[:middle], words[middle:]) if piece]


def happens(index: int, part: Part) -> list[Happening]:
    """A part as a stream tells it: its words in two pieces, what is known of it at its end."""
    if isinstance(part, Text):
        grew = [PartGrew(index, piece, part.logprobs if not at else ()) for at, piece in enumerate(halves(part.text))]
        last = Text("", citations=part.citations, seal=part.seal)
        return [PartBegan(index, Text("", part.cache)), *grew, PartEnded(index, last)]
    if isinstance(part, Reasoning):
        grown = [PartGrew(index, piece) for piece in halves(part.text)]
        last_thought = Reasoning("", part.seal, part.redacted, part.id)
        return [PartBegan(index, Reasoning(redacted=part.redacted)), *grown, PartEnded(index, last_thought)]
    if isinstance(part, ToolCall):
        grown = [PartGrew(index, piece) for piece in halves(part.arguments)]
        began = PartBegan(index, ToolCall(part.id, part.name, "", part.custom))
        return [began, *grown, PartEnded(index, ToolCall(part.id, part.name, "", part.custom, seal=part.seal))]
    if isinstance(part, Refusal):
        return [
            PartBegan(index, Refusal("")),
            *(PartGrew(index, piece) for piece in halves(part.text)),
            PartEnded(index),
        ]
    return [PartBegan(index, part), PartEnded(index)]


def streamed(completion: Completion, asked: Request, cost_usd: str | None = None) -> bytes:
    """A completion as a stream."""
    writer = codec().writer(asked, "01ABC", 99)
    written = [writer.write(Began(completion.id, completion.model, completion.created_s))]
    for index, part in enumerate(completion.parts):
        written += [writer.write(happening) for happening in happens(index, part)]
    ended = Ended(completion.finish, completion.stop_sequence, completion.service_tier)
    return b"".join([*written, writer.end(ended, completion.usage, cost_usd)])


def added_up(wire: bytes) -> dict[str, Any]:
    """The message that the SDK's accumulator makes of a stream."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for event in events(wire):
        chunk: Any = construct_type(type_=ChatCompletionChunk, value=event)  # As the SDK reads its events.
        list(state.handle_chunk(chunk))
    # The final completion is the same, but for ends of which the SDK makes exceptions.
    choices: Any = state.current_completion_snapshot.to_dict()["choices"]
    message = choices[0]["message"]
    for call in message.get("tool_calls") or ():
        call.pop("index", None)
        if call.get("function") is None:
            call.pop("function", None)
        else:
            call["function"].pop("parsed_arguments", None)
    message.pop("parsed", None)
    assert isinstance(message, dict)
    return message | {"finish_reason": choices[0]["finish_reason"]}


def whole(completion: Completion, asked: Request = ASKED) -> dict[str, Any]:
    """The message of a whole reply."""
    reply = json.loads(codec().render(completion, asked))
    (choice,) = reply["choices"]
    message = choice["message"] | {"finish_reason": choice["finish_reason"]}
    assert isinstance(message, dict)
    return message


def detail(index: int, **more: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "format": FORMAT, "index": index} | more


PARTS: dict[str, tuple[tuple[Part, ...], Finish, dict[str, Any]]] = {
    "words": ((Text("Grüße €"),), Finish.STOP, {"content": "Grüße €", "finish_reason": "stop"}),
    "nothing": ((), Finish.LENGTH, {"content": "", "finish_reason": "length"}),
    "an empty text": ((Text(""),), Finish.STOP, {"content": "", "finish_reason": "stop"}),
    "two texts": ((Text("ab"), Text("cd")), Finish.PAUSE, {"content": "abcd", "finish_reason": "stop"}),
    "words and calls": (
        (Text("Wait."), ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "", seal=SEAL)),
        Finish.TOOL_CALLS,
        {
            "content": "Wait.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}, "extra_content": SIGNED},
            ],
            "finish_reason": "tool_calls",
        },
    ),
    "a call alone": (
        (ToolCall("c1", "f", "{}"),),
        Finish.TOOL_CALLS,
        {
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            "finish_reason": "tool_calls",
        },
    ),
    "free text for a tool": (
        (ToolCall("c1", "t", "x y", custom=True),),
        Finish.TOOL_CALLS,
        {
            "content": None,
            "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "t", "input": "x y"}}],
            "finish_reason": "tool_calls",
        },
    ),
    "a refusal in words": (
        (Refusal("I cannot."),),
        Finish.REFUSAL,
        {"content": None, "refusal": "I cannot.", "finish_reason": "stop"},
    ),
    "a refusal without words": ((), Finish.REFUSAL, {"content": "", "finish_reason": "content_filter"}),
    "a filter": ((Text("a"),), Finish.CONTENT_FILTER, {"content": "a", "finish_reason": "content_filter"}),
    "plain reasoning": (
        (Reasoning("Hm so"), Text("a")),
        Finish.STOP,
        {"content": "a", "reasoning_content": "Hm so", "finish_reason": "stop"},
    ),
    "sealed reasoning, some without words": (
        (
            Reasoning("Hm", Sealed("openai", "s1")),
            Reasoning("", Sealed("openai", "d1"), redacted=True, id="rs_1"),
            Text("a", seal=SEAL),
        ),
        Finish.STOP,
        {
            "content": "a",
            "reasoning_content": "Hm",
            "reasoning_details": [
                detail(0, text="Hm", signature="s1"),
                {"type": "reasoning.encrypted", "data": "d1", "format": FORMAT, "index": 1, "id": "rs_1"},
            ],
            "extra_content": SIGNED,
            "finish_reason": "stop",
        },
    ),
    "reasoning between the words": (
        (
            Reasoning("Hm"),
            Text("ab"),
            Reasoning("So", Sealed("openai", "s2")),
            ToolCall("c1", "f", "{}"),
            Reasoning("Well"),
        ),
        Finish.TOOL_CALLS,
        {
            "content": "ab",
            "reasoning_content": "HmSoWell",
            "reasoning_details": [
                detail(0, text="Hm"),
                detail(1, text="So", signature="s2", at=[2, 0]),
                detail(2, text="Well", at=[2, 1]),
            ],
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            "finish_reason": "tool_calls",
        },
    ),
    "citations": (
        (
            Text("ab", citations=({"url": "https://a", "title": "A", "start": 0, "end": 1, "cited_text": "q"},)),
            Text("cde", citations=({"url": "https://b"}, {"cited_text": "no address"})),
        ),
        Finish.STOP,
        {
            "content": "abcde",
            "annotations": [
                {
                    "type": "url_citation",
                    "url_citation": {
                        "url": "https://a",
                        "title": "A",
                        "start_index": 0,
                        "end_index": 1,
                        "content": "q",
                    },
                },
                {
                    "type": "url_citation",
                    "url_citation": {"url": "https://b", "title": "", "start_index": 2, "end_index": 5},
                },
            ],
            "finish_reason": "stop",
        },
    ),
    "images": (
        (Text("See:"), Media("image", "image/png", "AA=="), Media("image", url="https://a")),
        Finish.STOP,
        {
            "content": "See:",
            "images": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, "index": 0},
                {"type": "image_url", "image_url": {"url": "https://a"}, "index": 1},
            ],
            "finish_reason": "stop",
        },
    ),
    "what only another dialect knows": (
        (Opaque("anthropic_messages", "server_tool_use", {"id": "s"}), Text("a")),
        Finish.STOP,
        {"content": "a", "finish_reason": "stop"},
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_an_answer_is_the_same_whole_and_added_up_by_the_sdk(case: str) -> None:
    parts, finish, expected = PARTS[case]
    completion = Completion("id-1", "m-1", 7, parts, finish, None)
    assert whole(completion) == {"role": "assistant"} | expected
    found = added_up(streamed(completion, ASKED))
    assert {name: value for name, value in found.items() if value is not None or name == "content"} == {
        "role": "assistant"
    } | expected


SAYABLE = [case for case in PARTS if case not in {"nothing", "two texts", "a refusal without words", "citations"}]


@pytest.mark.parametrize("case", SAYABLE)
def test_an_answer_that_comes_back_with_the_next_turn_is_read_as_it_was(case: str) -> None:
    parts, finish, _ = PARTS[case]
    completion = Completion("id-1", "m-1", 7, parts, finish, None)
    for message in (whole(completion), added_up(streamed(completion, ASKED))):
        message.pop("finish_reason")
        (turn,) = question(message).messages
        assert turn.parts == tuple(part for part in parts if not isinstance(part, Opaque))


def test_the_older_form_is_answered_in_the_older_form() -> None:
    calls = (ToolCall("c1", "f", "{}"), ToolCall("c2", "f", "{}"))
    completion = Completion("id-1", "m-1", 7, calls, Finish.TOOL_CALLS, None)
    expected = {"function_call": {"name": "f", "arguments": "{}"}, "finish_reason": "function_call"}
    assert whole(completion, OLDER) == {"role": "assistant", "content": None} | expected
    found = added_up(streamed(completion, OLDER))
    assert {name: found[name] for name in expected} == expected
    assert found.get("tool_calls") is None


def test_a_whole_reply_has_every_field_that_the_sdk_names() -> None:
    usage = Usage(30, 20, 5, 1, 9, 4)
    completion = Completion("id-1", "m-1", 7, (Text("a", logprobs=(TOKEN,)),), Finish.STOP, usage, service_tier="flex")
    assert json.loads(codec().render(completion, ASKED)) == {
        "id": "id-1",
        "object": "chat.completion",
        "created": 7,
        "model": "m-1",
        "service_tier": "flex",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "a"},
                "logprobs": {"content": [TOKEN], "refusal": None},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 30,
            "completion_tokens": 9,
            "total_tokens": 39,
            "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 0, "cache_write_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 0},
        },
    }


def test_events_come_in_the_order_of_the_wire() -> None:
    call = ToolCall("c1", "f", "{}")
    completion = Completion(
        "id-1",
        "m-1",
        7,
        (Text("ab", logprobs=(TOKEN,)), call),
        Finish.TOOL_CALLS,
        Usage(3, output_tokens=2),
        None,
        "flex",
    )
    found = events(streamed(completion, WITH_USAGE, "0.5"))
    assert {(event["id"], event["object"], event["created"], event["model"]) for event in found} == {
        ("id-1", "chat.completion.chunk", 7, "m-1")
    }
    *chunks, last = found
    assert all(event["usage"] is None and len(event["choices"]) == 1 for event in chunks)
    assert [event["choices"][0]["delta"] for event in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "a"},
        {"content": "b"},
        {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
        {},
    ]
    assert [event["choices"][0]["finish_reason"] for event in chunks] == [None] * 6 + ["tool_calls"]
    assert [bool(event["choices"][0]["logprobs"]) for event in chunks] == [False, True] + [False] * 5
    assert chunks[-1]["service_tier"] == "flex"
    assert (last["choices"], last["usage"]["total_tokens"], last["enfilade"]) == ([], 5, {"cost_usd": "0.5"})


def test_usage_is_told_only_to_those_who_asked() -> None:
    completion = Completion("id-1", "m-1", 7, (Text("a"),), Finish.STOP, Usage(3, output_tokens=2))
    assert b"usage" not in streamed(completion, ASKED, "0.5")
    assert b"enfilade" not in streamed(completion, ASKED, "0.5")


def test_a_stream_without_a_beginning_can_be_ended() -> None:
    writer = codec().writer(WITH_USAGE, "01ABC", 99)
    found = events(writer.end(Ended(Finish.LENGTH), None))
    assert [(event["id"], event["created"], event["model"]) for event in found] == [("chatcmpl-01ABC", 99, "chat")] * 2
    assert found[1]["choices"][0]["finish_reason"] == "length"


def test_texts_that_grow_at_once_are_written_one_after_the_other() -> None:
    writer = codec().writer(ASKED, "01ABC", 99)
    steps: list[tuple[Happening, list[str]]] = [
        (PartBegan(0, Text("")), [""]),
        (PartBegan(1, Text("")), []),
        (PartGrew(1, "c"), []),
        (PartGrew(0, "a"), ["a"]),
        (PartBegan(2, Text("")), []),
        (PartGrew(2, "e"), []),
        (PartEnded(1), []),
        (PartGrew(0, "b"), ["b"]),
        (PartEnded(0), ["c", "e"]),
        (PartGrew(2, "f"), ["f"]),
    ]
    for happening, expected in steps:
        wire = writer.write(happening)
        assert [event["choices"][0]["delta"]["content"] for event in events(wire + DONE)] == expected
    assert [event["choices"][0]["delta"] for event in events(writer.end(Ended(Finish.STOP), None))] == [{}]


def test_what_waits_is_written_at_the_end() -> None:
    writer = codec().writer(ASKED, "01ABC", 99)
    written = [
        writer.write(PartBegan(0, Reasoning())),
        writer.write(PartGrew(0, "a")),
        writer.write(PartBegan(1, Reasoning())),
        writer.write(PartGrew(1, "b")),
        writer.write(PartBegan(2, Text(""))),
        writer.write(PartGrew(2, "c")),
        writer.write(PartBegan(3, Text(""))),
        writer.write(PartGrew(3, "d")),
        writer.end(Ended(Finish.STOP), None),
    ]
    found = added_up(b"".join(written))
    assert (found["reasoning_content"], found["content"]) == ("ab", "cd")
    assert [entry["text"] for entry in found["reasoning_details"]] == ["a", "b"]
