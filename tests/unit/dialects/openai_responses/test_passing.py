"""Requests and streams that pass through: what is kept here, and streams that are cut."""

import json
from typing import Any

import pytest

from enfilade.core.messages import Finish
from enfilade.core.usage import Usage
from enfilade.dialects.members.openai_responses import DIALECT
from enfilade.dialects.members.openai_responses.codec import CODEC
from enfilade.dialects.seals import MARK
from enfilade.dialects.types import Keeping, Request
from tests.unit.dialects.openai_responses.sdk import client
from tests.unit.dialects.openai_responses.streams import CALL, CUSTOM, MESSAGE, REASONING, REPLY, events_of, streamed

ENCRYPTED = "reasoning.encrypted_content"
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,iVBO"}


def parsed(**fields: Any) -> Request:
    """A request."""
    return DIALECT.parse(json.dumps({"model": "m", "input": "Hi"} | fields).encode())


def sent(request: Request, model: str = "up", **more: Any) -> dict[str, Any]:
    """What goes to the provider."""
    body: dict[str, Any] = json.loads(DIALECT.render_request(request, model, max_output=None, **more))
    return body


def test_the_dialect_can_keep() -> None:
    assert isinstance(DIALECT, Keeping)


@pytest.mark.parametrize(
    ("fields", "previous", "keeps"),
    [
        ({}, None, None),
        ({"store": False}, None, False),
        ({"store": True, "previous_response_id": "resp_1"}, "resp_1", True),
        ({"conversation": "conv_1"}, "conv_1", None),
        ({"conversation": {"id": "conv_1"}, "previous_response_id": None}, "conv_1", None),
    ],
)
def test_what_is_kept_stays_here(fields: dict[str, Any], previous: str | None, keeps: bool | None) -> None:
    request = parsed(**fields)
    assert (request.previous, request.keeps) == (previous, keeps)
    assert sent(request) == {"model": "up", "input": "Hi", "store": False}


@pytest.mark.parametrize(
    ("fields", "model", "include"),
    [
        ({}, "o4-mini", [ENCRYPTED]),
        ({"store": True, "include": ["a"]}, "gpt-5.1", ["a", ENCRYPTED]),
        ({"include": [ENCRYPTED]}, "gpt-5.1", [ENCRYPTED]),
        ({"reasoning": {"effort": "low"}}, "deployment-7", [ENCRYPTED]),
        ({"reasoning": {"effort": "none"}}, "gpt-5.1", None),
        ({"store": False}, "gpt-5.1", None),
        ({"store": None}, "gpt-5.1", [ENCRYPTED]),
        ({}, "gpt-4o", None),
    ],
)
def test_sealed_reasoning_is_asked_for_when_it_has_to_go_back(
    fields: dict[str, Any], model: str, include: list[str] | None
) -> None:
    assert sent(parsed(**fields), model).get("include") == include


def test_input_may_be_left_out_when_something_is_continued() -> None:
    body = b'{"model":"m","previous_response_id":"resp_1"}'
    request = DIALECT.parse(body)
    assert DIALECT.text_bound(request) < 100
    assert CODEC.question(request).messages == ()
    continued = DIALECT.with_input(request, [b'{"role":"user","content":"Hi"}'])
    assert sent(continued)["input"] == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("own", ["Hi", [{"role": "user", "content": "Hi"}]])
def test_earlier_items_go_before_the_requests_own(own: Any) -> None:
    request = parsed(input=own)
    earlier = [{"role": "user", "content": [IMAGE, {"type": "input_text", "text": "€" * 50}]}, CALL]
    continued = DIALECT.with_input(request, [json.dumps(earlier[0]).encode(), earlier[1]])
    assert sent(continued)["input"] == [*earlier, {"role": "user", "content": "Hi"}]
    assert continued.media == request.media + 1
    assert continued.size >= request.size + len(json.dumps(earlier).encode()) - 4
    assert DIALECT.text_bound(continued) > DIALECT.text_bound(request) + 150
    assert sent(request)["input"] == own
    assert sent(DIALECT.with_input(request, []))["input"] == [{"role": "user", "content": "Hi"}]


def test_media_are_counted_wherever_they_stand() -> None:
    items = [
        {"role": "user", "content": [IMAGE, {"type": "input_file", "file_id": "f"}]},
        {"type": "function_call_output", "call_id": "c", "output": [IMAGE]},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
        {"type": "image_generation_call", "id": "ig", "result": "iVBO"},
        {"role": "user", "content": "input_image"},
    ]
    assert parsed(input=items).media == 5


def test_thoughts_of_other_providers_do_not_go_to_this_one() -> None:
    sealed = REASONING | {"encrypted_content": MARK + "abc"}
    request = parsed(input=[sealed, CALL, REASONING, {"role": "user", "content": f"What is {MARK}?"}])
    assert request.envelopes
    assert sent(request)["input"] == [CALL, REASONING, {"role": "user", "content": f"What is {MARK}?"}]
    assert not parsed().envelopes


def test_reasoning_that_is_only_referred_to_does_not_go_to_a_provider_that_keeps_nothing() -> None:
    bare = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]}
    shown = bare | {"content": [{"type": "reasoning_text", "text": "Hm"}]}
    request = parsed(input=[bare, bare | {"encrypted_content": None}, shown, REASONING, CALL])
    assert sent(request)["input"] == [shown, REASONING, CALL]


def test_what_can_be_sent_goes_to_the_byte() -> None:
    items = b'[ {"type" : "reasoning","summary":[],"encrypted_content":"g"}, {"role":"user","content":"reasoning"} ]'
    request = DIALECT.parse(b'{"model":"m","input":%b}' % items)
    assert items in DIALECT.render_request(request, "up", max_output=None)


def test_what_is_not_kept_here_can_still_be_sent_back() -> None:
    """The application keeps nothing, but its caller does not know: the reasoning must come sealed."""
    request = parsed()
    request.keeps = False
    assert sent(request, "gpt-5.1")["include"] == [ENCRYPTED]


def test_a_kept_reply_says_what_is_true_here() -> None:
    body = json.dumps(REPLY | {"store": False}).encode()
    assert DIALECT.restate(body, parsed()) is body
    request = parsed(previous_response_id="resp_0")
    request.answer_id = "resp_ours"
    ours = {"id": "resp_ours", "store": True, "previous_response_id": "resp_0", "conversation": None}
    assert json.loads(DIALECT.restate(body, request)) == REPLY | ours


@pytest.mark.parametrize("asked", [{}, {"conversation": "conv_1"}])
def test_a_kept_stream_says_so_in_every_event(asked: dict[str, Any]) -> None:
    request = parsed(stream=True, **asked)
    request.answer_id = "resp_ours"
    reader = DIALECT.stream_reader(request)
    wire = b"".join(reader.feed(event) for event in streamed(REPLY))
    assert reader.finish()
    wire += reader.tail(None)
    conversation = {"id": "conv_1"} if asked else None
    for event in events_of(wire):
        if (told := event.get("response")) is not None:
            assert (told["id"], told["store"], told["conversation"]) == ("resp_ours", True, conversation)
    assert json.loads(reader.facts.whole or b"") == events_of(wire)[-1]["response"]
    assert reader.facts.usage == Usage(30, 20, 2, 0, 9, 4, web_searches=1)
    with client(wire).responses.stream(model="m", input="Hi") as stream:
        assert stream.get_final_response().id == "resp_ours"


def test_a_stream_written_in_several_lines_is_one_event_each() -> None:
    request = parsed(stream=True)
    request.answer_id = "resp_ours"
    reader = DIALECT.stream_reader(request)
    passed = []
    for event in streamed(REPLY | {"output": []}):
        name, data = event.decode().strip().split("\n")
        lines = json.dumps(json.loads(data[6:]), indent=1).split("\n")
        passed.append(reader.feed("\n".join([name, *("data: " + line for line in lines), "", ""]).encode()))
    assert reader.finish()
    events = events_of(b"".join(passed) + reader.tail(None))
    assert [event["response"]["id"] for event in events] == ["resp_ours"] * 3


def test_a_stream_that_is_cut_is_whole_for_the_sdk() -> None:
    """Wherever it is cut, what is open is closed, and the numbers go on."""
    events = streamed(REPLY | {"output": [REASONING, MESSAGE, CALL, CUSTOM]})
    for count in range(1, len(events)):
        reader = DIALECT.stream_reader(parsed(stream=True))
        passed = b"".join(reader.feed(event) for event in events[:count])
        wire = passed + reader.length_end()
        told = events_of(wire)
        final = told[-1]["response"]
        assert told[-1]["type"] == "response.incomplete"
        assert final["incomplete_details"] == {"reason": "max_output_tokens"}
        assert json.loads(reader.facts.whole or b"") == final
        added = [event["output_index"] for event in told if event["type"] == "response.output_item.added"]
        done = [event["item"] for event in told if event["type"] == "response.output_item.done"]
        assert len(added) == len(done) == len(final["output"])
        assert final["output"] == done
        starts = sum(event["type"] == "response.content_part.added" for event in told)
        assert starts == sum(event["type"] == "response.content_part.done" for event in told)
        for item in done:
            if item["type"] == "message" and item["content"]:
                grown = "".join(event["delta"] for event in told if event["type"] == "response.output_text.delta")
                assert item["content"][0]["text"] == grown
        with client(wire).responses.stream(model="m", input="Hi") as stream:
            assert [event.type for event in stream] == [event["type"] for event in told]


def test_items_that_are_open_side_by_side_are_closed_when_a_stream_is_cut() -> None:
    calls = [CALL | {"arguments": ""}, CALL | {"id": "fc_2", "call_id": "call_2", "arguments": ""}]
    events = [streamed(REPLY | {"output": []})[0]]
    fields: list[dict[str, Any]] = [
        {"type": "response.output_item.added", "output_index": 0, "item": calls[0]},
        {"type": "response.output_item.added", "output_index": 1, "item": calls[1]},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_1", "delta": "{"},
        {"type": "response.output_item.done", "output_index": 1, "item": calls[1]},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_1", "delta": '"a'},
    ]
    for number, event in enumerate(fields, 1):
        data = json.dumps(event | {"sequence_number": number})
        events.append(f"event: {event['type']}\ndata: {data}\n\n".encode())
    reader = DIALECT.stream_reader(parsed(stream=True))
    told = events_of(b"".join(reader.feed(event) for event in events) + reader.length_end())
    assert [(item["id"], item["arguments"]) for item in told[-1]["response"]["output"]] == [
        ("fc_1", '{"a'),
        ("fc_2", ""),
    ]


def test_the_facts_of_a_reply_hold_it_whole() -> None:
    body = json.dumps(REPLY).encode()
    facts = DIALECT.read_reply(body)
    assert facts.whole == body
    assert (facts.finish, facts.service_tier) == (Finish.TOOL_CALLS, "flex")
