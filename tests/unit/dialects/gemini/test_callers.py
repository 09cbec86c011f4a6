"""What Gemini's callers get, read by the official SDK itself: a client in memory whose far side is our dialect."""

import json

import pytest
from google.genai import types

from enfilade.core.happenings import Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import (
    Completion,
    Finish,
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from enfilade.dialects.members.gemini_generate.codec import CODEC
from tests.unit.dialects.gemini.far import BEGAN, SIGNED, TOLD, USAGE, Far, parts_in, parts_of, streamed
from tests.unit.dialects.gemini.wires import asked


def test_a_stream_is_accumulated_by_the_sdk() -> None:
    far = Far(Ended(Finish.TOOL_CALLS), TOLD)
    chunks = list(far.client.models.generate_content_stream(model="openai/gpt-x", contents="Hi"))
    assert far.requests[0].model == "openai/gpt-x"
    parts = parts_of(chunks)
    assert "".join(part.text for part in parts if part.text and not part.thought) == "Grüße"
    assert "".join(part.text for part in parts if part.text and part.thought) == "Hm."
    assert [part.thought_signature for part in parts if part.thought_signature] == [b"sig"]
    calls = [part.function_call for part in parts if part.function_call]
    assert [(call.id, call.name, call.args) for call in calls] == [
        ("c1", "weather", {"city": "Bonn"}),
        ("c2", "clock", {}),
    ]
    usage = chunks[-1].usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count) == (12, 6, 3)
    assert (usage.cached_content_token_count, usage.total_token_count) == (4, 21)
    assert {chunk.model_version for chunk in chunks} == {"gpt-x"}
    assert {chunk.response_id for chunk in chunks} == {"r1"}
    reasons = [candidate.finish_reason for chunk in chunks for candidate in chunk.candidates or ()]
    assert reasons == [None] * (len(chunks) - 1) + [types.FinishReason.STOP]


def test_every_chunk_is_of_the_sdks_types_and_nothing_else() -> None:
    wire = streamed(TOLD, Ended(Finish.LENGTH), asked())
    for event in wire.split(b"\r\n\r\n")[:-1]:
        types.GenerateContentResponse.model_validate_json(event.removeprefix(b"data: "))


def test_a_chat_of_the_sdk_comes_back_as_the_turns_that_it_was_told() -> None:
    far = Far(Ended(Finish.TOOL_CALLS), TOLD)
    chat = far.client.chats.create(model="chat")
    list(chat.send_message_stream("Hi"))
    answer = types.Part.from_function_response(name="weather", response={"error": "no sky"})
    list(chat.send_message_stream([answer]))
    assert CODEC.question(far.requests[1]).messages == (
        Message(Role.USER, (Text("Hi"),)),
        Message(
            Role.ASSISTANT,
            (
                Reasoning("Hm.", SIGNED),
                Text("Grüße"),
                ToolCall("c1", "weather", '{"city":"Bonn"}'),
                ToolCall("c2", "clock", "{}"),
            ),
        ),
        Message(Role.USER, (ToolResult("c1", (Text("no sky"),), is_error=True, name="weather"),)),
    )


def test_a_whole_reply_is_read_by_the_sdk() -> None:
    parts = (
        Reasoning("Hm.", SIGNED),
        Text("Hello", citations=({"url": "https://a.example", "start": 1, "end": 3},), logprobs=({"token": "Hello"},)),
        Refusal(" no"),
        Media("image", "image/png", data="AA=="),
        Opaque("gemini_generate", "executableCode", {"executableCode": {"code": "1", "language": "PYTHON"}}),
        Opaque("anthropic_messages", "server_tool_use", {"type": "server_tool_use"}),
        ToolCall("c1", "f", "{nope", seal=SIGNED),
    )
    far = Far(Completion("r1", "gpt-x", 0, parts, Finish.TOOL_CALLS, USAGE))
    found = far.client.models.generate_content(model="chat", contents="Hi")
    candidate = (found.candidates or [])[0]
    assert [sorted(part.model_dump(exclude_none=True)) for part in parts_in(candidate)] == [
        ["text", "thought", "thought_signature"],
        ["text"],
        ["text"],
        ["inline_data"],
        ["executable_code"],
        ["function_call", "thought_signature"],
    ]
    assert found.text == "Hello no"
    assert found.function_calls is not None
    assert found.function_calls[0].args == {"_unparsed": "{nope"}
    assert candidate.citation_metadata is not None
    assert (candidate.citation_metadata.citations or [])[0].uri == "https://a.example"
    assert candidate.logprobs_result is not None


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finish.STOP, "STOP"),
        (Finish.LENGTH, "MAX_TOKENS"),
        (Finish.TOOL_CALLS, "STOP"),
        (Finish.CONTENT_FILTER, "SAFETY"),
        (Finish.REFUSAL, "SAFETY"),
        (Finish.PAUSE, "STOP"),
        (Finish.ERROR, "OTHER"),
    ],
)
def test_every_end_has_a_reason_that_the_sdk_knows(finish: Finish, reason: str) -> None:
    whole = json.loads(CODEC.render(Completion("r", "m", 0, (), finish, None), asked()))
    assert whole["candidates"][0]["finishReason"] == reason
    assert "usageMetadata" not in whole
    last = json.loads(streamed([BEGAN], Ended(finish), asked(), None).removeprefix(b"data: "))
    assert last["candidates"][0]["finishReason"] == reason
    assert types.FinishReason(reason) is types.FinishReason[reason]


def test_parts_that_grow_at_the_same_time_are_written_one_after_the_other() -> None:
    told: list[Happening] = [
        BEGAN,
        PartBegan(0, Text("")),
        PartGrew(0, "a"),
        PartBegan(1, ToolCall("c", "f", "")),
        PartGrew(1, '{"a":'),
        PartBegan(2, Text("")),
        PartGrew(2, "z"),
        PartGrew(0, "b"),
        PartGrew(1, "1}"),
        PartEnded(1),
        PartGrew(0, "c"),
        PartEnded(0),
        PartGrew(2, "y"),
    ]
    wire = streamed(told, Ended(Finish.STOP), asked())
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in wire.split(b"\r\n\r\n")[:-1]]
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    call = {"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}}
    assert parts == [*({"text": text} for text in "abc"), call, {"text": "z"}, {"text": "y"}, {"text": ""}]


def test_probabilities_and_sources_stand_in_their_chunks() -> None:
    token: dict[str, object] = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1.0}]}
    told: list[Happening] = [
        BEGAN,
        PartBegan(0, Text("")),
        PartGrew(0, "€", (token,)),
        PartEnded(0, Text("", citations=({"url": "https://a.example", "title": "A", "start": 0, "end": 1},))),
    ]
    wire = streamed(told, Ended(Finish.STOP), asked())
    first, last = (json.loads(event.removeprefix(b"data: ")) for event in wire.split(b"\r\n\r\n")[:-1])
    types.GenerateContentResponse.model_validate(first)
    assert first["candidates"][0]["logprobsResult"] == {
        "chosenCandidates": [{"token": "a", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "b", "logProbability": -1.0}]}],
    }
    citation = {"uri": "https://a.example", "title": "A", "startIndex": 0, "endIndex": 3}
    assert last["candidates"][0]["citationMetadata"] == {"citationSources": [citation]}


def test_without_alt_sse_a_stream_is_one_array() -> None:
    request = asked("/v1beta/models/chat:streamGenerateContent")
    assert request.as_array
    found = json.loads(streamed(TOLD, Ended(Finish.STOP), request))
    assert [types.GenerateContentResponse.model_validate(chunk).model_version for chunk in found] == ["gpt-x"] * len(
        found
    )
    assert found[-1]["candidates"][0]["finishReason"] == "STOP"
    assert json.loads(streamed([], Ended(Finish.STOP), request))
