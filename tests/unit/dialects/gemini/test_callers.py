"""What Gemini's callers get, read by the official SDK itself: a client in memory whose far side is our dialect."""

import json
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from enfilade.core.errors import EnfiladeError, LimitReached, NotFound, UpstreamFailed
from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import (
    Completion,
    Embeddings,
    Finish,
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Role,
    Sealed,
    Text,
    ToolCall,
    ToolResult,
)
from enfilade.core.usage import Usage
from enfilade.dialects.members.gemini_count import DIALECT as COUNT
from enfilade.dialects.members.gemini_embed import DIALECT as EMBED
from enfilade.dialects.members.gemini_generate import DIALECT
from enfilade.dialects.members.gemini_generate.codec import CODEC
from enfilade.dialects.types import Request
from tests.unit.dialects.gemini.wires import asked

USAGE = Usage(12, 4, 0, 0, 9, 3)
SIGNED = Sealed("gemini", "c2ln")
BEGAN = Began("r1", "gpt-x")
TOLD: list[Happening] = [
    BEGAN,
    PartBegan(0, Reasoning()),
    PartGrew(0, "Hm."),
    PartEnded(0, Reasoning(seal=SIGNED)),
    PartBegan(1, Text("")),
    PartGrew(1, "Grü"),
    PartGrew(1, "ße"),
    PartEnded(1),
    PartBegan(2, ToolCall("c1", "weather", "")),
    PartGrew(2, '{"city":\n'),
    PartGrew(2, '"Bonn"}'),
    PartEnded(2),
    PartBegan(3, ToolCall("c2", "clock", "")),
    PartEnded(3),
]


class Far:
    """Answers the SDK as the gateway would, with what it was told."""

    def __init__(self, answer: Any, told: Iterable[Happening] = ()) -> None:
        self.requests: list[Request] = []
        self._answer = answer
        self._told = list(told)
        transport = httpx.MockTransport(self._serve)
        options = types.HttpOptions(base_url="http://gateway.example", httpx_client=httpx.Client(transport=transport))
        self.client = genai.Client(api_key="key", http_options=options)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode()
        dialect: Any = EMBED if "mbed" in target else COUNT if "count" in target else DIALECT
        self.requests.append(dialect.parse(request.content, target))
        if isinstance(self._answer, EnfiladeError):
            body = dialect.render_error(self._answer, "call-1")
            return httpx.Response(dialect.error_status(self._answer), content=body)
        if self.requests[-1].stream:
            return httpx.Response(200, content=streamed(self._told, self._answer, self.requests[-1]))
        return httpx.Response(200, content=dialect.codec.render(self._answer, self.requests[-1]))


def streamed(told: Iterable[Happening], ended: Ended, request: Request, usage: Usage | None = USAGE) -> bytes:
    writer = CODEC.writer(request, "call-1", 0)
    return b"".join([*(writer.write(happening) for happening in told), writer.end(ended, usage)])


def parts_of(chunks: Iterable[types.GenerateContentResponse]) -> list[types.Part]:
    return [part for chunk in chunks for candidate in chunk.candidates or () for part in _parts(candidate)]


def _parts(candidate: types.Candidate) -> list[types.Part]:
    return (candidate.content.parts if candidate.content else None) or []


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
    assert [sorted(part.model_dump(exclude_none=True)) for part in _parts(candidate)] == [
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


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (LimitReached("Too many.", retry_after=1.5), errors.ClientError, "RESOURCE_EXHAUSTED"),
        (NotFound("No such model.", param="model"), errors.ClientError, "NOT_FOUND"),
        (UpstreamFailed("It broke."), errors.ServerError, "UNAVAILABLE"),
    ],
)
def test_errors_are_of_the_sdks_classes(error: EnfiladeError, kind: type[errors.APIError], status: str) -> None:
    options = types.HttpRetryOptions(attempts=1)
    with pytest.raises(kind) as raised:
        Far(error).client.models.generate_content(
            model="chat",
            contents="Hi",
            config=types.GenerateContentConfig(http_options=types.HttpOptions(retry_options=options)),
        )
    assert raised.value.code == error.status
    assert raised.value.status == status
    assert error.message in (raised.value.message or "")
    details = raised.value.details["error"]["details"]
    retry = [entry["retryDelay"] for entry in details if entry["@type"].endswith("RetryInfo")]
    assert retry == ([] if error.retry_after is None else ["1.5s"])


def test_what_the_sdk_configures_is_understood() -> None:
    far = Far(Completion("r1", "gpt-x", 0, (Text("{}"),), Finish.STOP, USAGE))
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        temperature=0,
        top_k=3,
        max_output_tokens=40,
        stop_sequences=["END"],
        response_mime_type="application/json",
        response_json_schema={"type": "object"},
        thinking_config=types.ThinkingConfig(thinking_budget=0, include_thoughts=False),
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="f")])],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.NONE)
        ),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    picture = types.Part.from_bytes(data=b"\x89PNG", mime_type="image/png")
    far.client.models.generate_content(model="chat", contents=["Hi", picture], config=config)
    request = far.requests[0]
    found = CODEC.question(request)
    assert (request.max_output, request.media, request.stream) == (40, 1, False)
    assert found.foreign == found.harmless == ()
    assert found.messages[0].parts == (Text("Hi"), Media("image", "image/png", data="iVBORw=="))
    assert (found.temperature, found.top_k, found.stop) == (0.0, 3, ("END",))
    assert [tool.name for tool in found.tools] == ["f"]


def test_embeddings_and_counts_are_read_by_the_sdk() -> None:
    far = Far(Embeddings(((0.5, -1.0), "AAAAPwAAgL8="), "emb", None))
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=2)
    found = far.client.models.embed_content(model="emb", contents=["a", "b"], config=config)
    assert [vector.values for vector in found.embeddings or ()] == [[0.5, -1.0], [0.5, -1.0]]
    question = EMBED.codec.question(far.requests[0]) if EMBED.codec else None
    assert question is not None
    assert (question.inputs, question.task, question.dimensions) == (("a", "b"), "query", 2)
    assert question.foreign == ()
    assert Far(31).client.models.count_tokens(model="chat", contents="Hi").total_tokens == 31


def test_an_error_inside_a_stream_is_raised_by_the_sdk() -> None:
    begun = CODEC.writer(asked(), "call-1", 0)
    content = b"".join(begun.write(happening) for happening in TOLD[:7])
    content += DIALECT.render_error_event(UpstreamFailed("It broke."), "call-1")
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    options = types.HttpOptions(base_url="http://gateway.example", httpx_client=httpx.Client(transport=transport))
    stream = genai.Client(api_key="key", http_options=options).models.generate_content_stream(model="m", contents="Hi")
    with pytest.raises(errors.ServerError) as raised:
        list(stream)
    assert raised.value.code == 502
    assert raised.value.status == "UNAVAILABLE"
