"""Requests and streams that pass through: the address says what the body does not."""

import json
from typing import Any

import pytest

from enfilade.core.errors import UpstreamFailed
from enfilade.core.messages import Finish, Sealed
from enfilade.core.usage import Usage
from enfilade.dialects.errors import MissingField, WrongType
from enfilade.dialects.members.gemini_generate import DIALECT
from enfilade.dialects.seals import MARK, envelope
from tests.unit.dialects.gemini.wires import asked, events, reply

ARRAY = "/v1beta/models/chat:streamGenerateContent"


@pytest.mark.parametrize(
    ("target", "model", "stream", "as_array"),
    [
        ("/v1beta/models/chat:generateContent", "chat", False, False),
        ("/v1/models/chat:generateContent?alt=json&key=x", "chat", False, False),
        ("/v1beta/models/chat:streamGenerateContent", "chat", True, True),
        ("/v1beta/models/chat:streamGenerateContent?key=k&alt=sse", "chat", True, False),
        ("/v1beta/models/openai/gpt-4o:generateContent", "openai/gpt-4o", False, False),
        ("/v1beta/models/openai%2Fgpt-4o:generateContent", "openai/gpt-4o", False, False),
        ("/v1beta/models/llama3:8b:streamGenerateContent?alt=sse", "llama3:8b", True, False),
        ("/v1beta/models/llama3%3A8b:generateContent", "llama3:8b", False, False),
    ],
)
def test_the_address_names_the_model_and_the_method(target: str, model: str, stream: bool, as_array: bool) -> None:
    request = asked(target)
    assert (request.model, request.stream, request.as_array) == (model, stream, as_array)


def test_a_model_must_be_named_in_printable_characters() -> None:
    with pytest.raises(MissingField):
        asked("/v1beta/models/:generateContent")
    for name in ("a%20b", "%C3%A9", "x" * 201):
        with pytest.raises(WrongType):
            asked(f"/v1beta/models/{name}:generateContent")


@pytest.mark.parametrize(
    ("config", "bound", "sent"),
    [
        (None, None, {"generationConfig": {"maxOutputTokens": 7}}),
        ({"generationConfig": {}}, None, {"generationConfig": {"maxOutputTokens": 7}}),
        ({"generationConfig": {"maxOutputTokens": 90}}, 90, {"generationConfig": {"maxOutputTokens": 7}}),
        (
            {"generation_config": {"max_output_tokens": 90, "topK": 1.50}},
            90,
            {"generation_config": {"max_output_tokens": 7, "topK": 1.5}},
        ),
    ],
)
def test_an_output_bound_is_read_and_replaced_where_it_stands(
    config: dict[str, Any] | None, bound: int | None, sent: dict[str, Any]
) -> None:
    request = asked(**(config or {}))
    assert request.max_output == bound
    body = json.loads(DIALECT.render_request(request, "up", max_output=7))
    assert body == {"contents": body["contents"]} | sent
    untouched = json.loads(DIALECT.render_request(request, "up", max_output=None))
    assert untouched == {"contents": untouched["contents"]} | (config or {})


def test_what_else_is_acted_on_is_read() -> None:
    request = asked(
        generationConfig={"candidateCount": 3},
        service_tier="flex",
        cachedContent="cachedContents/1",
        system_instruction={"parts": [{"file_data": {"file_uri": "gs://a"}}]},
        contents=[
            {"parts": [{"inlineData": {"data": "A"}}, {"functionCall": {"name": "f", "args": {"inlineData": 1}}}]},
            {
                "parts": [
                    {"functionResponse": {"name": "f", "response": {"fileData": 1}, "parts": [{"inlineData": {}}]}}
                ]
            },
        ],
    )
    assert (request.choices, request.service_tier, request.media) == (3, "flex", 4)


def test_envelopes_of_ours_are_noticed() -> None:
    sealed = envelope(Sealed("anthropic", "x"))
    part = {"text": "a", "thought": True, "thoughtSignature": sealed}
    assert asked(contents=[{"role": "model", "parts": [part]}]).envelopes
    assert not asked().envelopes


def test_envelopes_do_not_go_to_google() -> None:
    foreign, damaged = envelope(Sealed("anthropic", "x")), MARK + "!"
    own = envelope(Sealed("gemini", "c2ln"))
    call = {"functionCall": {"name": "f", "args": {"a": 1.5}}}
    parts = [
        {"text": "Hm.", "thought": True, "thoughtSignature": foreign},
        {"text": "", "thought_signature": damaged},
        {"text": "a", "thoughtSignature": foreign},
        {"text": "b", "thoughtSignature": own},
        call,
        call,
    ]
    contents = [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": parts[:1]},
        {"role": "model", "parts": parts},
        {"role": "model", "parts": [call | {"thought_signature": "c2ln"}]},
    ]
    request = asked(contents=contents)
    sent = json.loads(DIALECT.render_request(request, "gemini-3-pro", max_output=None))
    skip = {"thoughtSignature": "skip_thought_signature_validator"}
    assert sent["contents"] == [
        contents[0],
        {"role": "model", "parts": [{"text": "a"}, {"text": "b", "thoughtSignature": "c2ln"}, call | skip, call]},
        contents[3],
    ]
    older = json.loads(DIALECT.render_request(request, "gemini-2.5-pro", max_output=None))
    assert older["contents"][1]["parts"][2:] == [call, call]


def test_a_stream_is_an_array_for_callers_who_want_one() -> None:
    chunks = [reply({"text": "a"}, finish=None), reply({"text": "b"}, usageMetadata={"promptTokenCount": 2})]
    reader = DIALECT.stream_reader(asked(ARRAY))
    passed = b"".join(reader.feed(events(*chunks)[place : place + 7]) for place in range(0, 2000, 7))
    assert reader.finish()
    assert json.loads(passed + reader.tail(None)) == chunks
    assert reader.facts.usage == Usage(2)


def test_an_array_that_we_cut_is_whole() -> None:
    reader = DIALECT.stream_reader(asked(ARRAY))
    passed = reader.feed(events(reply({"text": "a"}, finish=None)))
    found = json.loads(passed + reader.length_end())
    assert found[-1]["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert found[-1]["usageMetadata"]["candidatesTokenCount"] == 1
    fresh = DIALECT.stream_reader(asked(ARRAY))
    assert len(json.loads(fresh.length_end())) == 1


def test_of_several_candidates_none_is_held_back_before_all_have_ended() -> None:
    first = reply({"text": "a"})
    second = reply({"text": "b"})
    second["candidates"][0]["index"] = 1
    reader = DIALECT.stream_reader(asked(generationConfig={"candidateCount": 2}))
    assert reader.feed(events(first)) == events(first)
    assert reader.feed(events(second)) == b""
    assert reader.finish()
    assert reader.tail(None) == events(second)
    assert reader.facts.finish is Finish.STOP


def test_an_error_in_a_stream_is_googles_object_in_a_chunks_place() -> None:
    event = DIALECT.render_error_event(UpstreamFailed("It broke."), "call-1")
    error = json.loads(event.removeprefix(b"data: "))["error"]
    assert (error["code"], error["status"]) == (502, "UNAVAILABLE")
