"""What Gemini's callers ask, in the neutral form."""

from typing import Any

import pytest

from enfilade.core.errors import InvalidRequest
from enfilade.core.messages import (
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    Role,
    Sealed,
    Text,
    ToolCall,
    ToolResult,
)
from enfilade.dialects.errors import MissingField, WrongType
from tests.unit.dialects.gemini.wires import asked, question, written

SIGNED = Sealed("gemini", "c2ln")


def turn(*parts: Part, role: Role = Role.USER) -> Message:
    return Message(role, parts)


@pytest.mark.parametrize(
    "contents",
    [
        "Hi",
        ["Hi"],
        {"parts": "Hi"},
        {"parts": {"text": "Hi"}},
        [{"parts": ["Hi"]}],
        [{"role": "user", "parts": [{"text": "Hi", "thought": False}]}],
        [{"role": "", "parts": [{"text": "Hi", "partMetadata": {"a": 1}}]}],
    ],
)
def test_one_text_may_be_written_in_many_ways(contents: Any) -> None:
    assert question(contents=contents).messages == (turn(Text("Hi")),)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"text": ""}, Text("")),
        ({"text": "a", "thoughtSignature": "c2ln"}, Text("a", seal=SIGNED)),
        ({"thought_signature": "c2ln"}, Text("", seal=SIGNED)),
        ({"text": "a", "thought": True}, Reasoning("a")),
        ({"text": "", "thought": True, "thoughtSignature": "c2ln"}, Reasoning("", SIGNED)),
        ({"inline_data": {"mime_type": "audio/wav", "data": "UklGRg=="}}, Media("audio", "audio/wav", data="UklGRg==")),
        (
            {"inlineData": {"mimeType": "image/png", "data": "-_8="}},  # As Google's SDK writes bytes.
            Media("image", "image/png", data="+/8="),
        ),
        (
            {"inlineData": {"mimeType": "image/png", "data": "not base64!", "displayName": "a"}},
            Media("image", "image/png", data="not base64!", name="a"),
        ),
        (
            {
                "inlineData": {"mimeType": "image/png", "data": "AA=="},
                "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
            },
            Media("image", "image/png", data="AA==", detail="low"),
        ),
        ({"fileData": {"fileUri": "https://a.example/b.pdf"}}, Media("document", url="https://a.example/b.pdf")),
        ({"fileData": {"fileUri": "https://a.example/b.JPG?x=1"}}, Media("image", url="https://a.example/b.JPG?x=1")),
        ({"fileData": {"fileUri": "https://youtu.be/x"}}, Media("video", url="https://youtu.be/x")),
        (
            {"file_data": {"file_uri": "gs://b/c", "mime_type": "video/mp4"}},
            Media("video", "video/mp4", file_id="gs://b/c"),
        ),
        (
            {
                "fileData": {
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x",
                    "mimeType": "image/png",
                }
            },
            Media("image", "image/png", file_id="https://generativelanguage.googleapis.com/v1beta/files/x"),
        ),
        (
            {"functionCall": {"name": "f", "args": {"a": [1.5, None, "é"]}}, "thoughtSignature": "c2ln"},
            ToolCall("gemini-call-0", "f", '{"a":[1.5,null,"é"]}', seal=SIGNED),
        ),
        ({"functionCall": {"id": "x", "name": "f"}}, ToolCall("x", "f", "{}")),
        ({"functionCall": {"name": "f", "args": {"_unparsed": "{nope"}}}, ToolCall("gemini-call-0", "f", "{nope")),
        (
            {"executableCode": {"code": "1", "language": "PYTHON"}},
            Opaque("gemini_generate", "executableCode", {"executableCode": {"code": "1", "language": "PYTHON"}}),
        ),
        (
            {"tool_call": {"id": "s", "toolType": "URL_CONTEXT"}},
            Opaque("gemini_generate", "toolCall", {"tool_call": {"id": "s", "toolType": "URL_CONTEXT"}}),
        ),
    ],
)
def test_every_kind_of_part_is_read(part: dict[str, Any], expected: Part) -> None:
    asked_for = question(contents=[{"role": "model", "parts": [part]}])
    assert asked_for.messages == (turn(expected, role=Role.ASSISTANT),)
    assert asked_for.foreign == ()


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"response": {"result": "rain"}}, ToolResult("c", (Text('{"result":"rain"}'),), name="f")),
        ({"response": {"error": "no"}}, ToolResult("c", (Text("no"),), is_error=True, name="f")),
        ({"response": {"error": {"code": 1}}}, ToolResult("c", (Text('{"code":1}'),), is_error=True, name="f")),
        ({"response": {"error": "x", "b": 1}}, ToolResult("c", (Text('{"error":"x","b":1}'),), name="f")),
        ({}, ToolResult("c", (Text("{}"),), name="f")),
        (
            {"response": {}, "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]},
            ToolResult("c", (Text("{}"), Media("image", "image/png", data="AA==")), name="f"),
        ),
    ],
)
def test_results_are_read(response: dict[str, Any], expected: ToolResult) -> None:
    contents = [
        {"role": "model", "parts": [{"functionCall": {"id": "c", "name": "f"}}]},
        {"role": "function", "parts": [{"functionResponse": {"id": "c", "name": "f"} | response}]},
    ]
    assert question(contents=contents).messages[1] == turn(expected)


def test_results_without_ids_answer_the_earliest_open_call_of_their_name() -> None:
    calls = [{"functionCall": {"name": name}} for name in ("f", "g", "f")]
    results: list[Any] = [{"functionResponse": {"name": name, "response": {}}} for name in ("g", "f", "f", "h")]
    one_more = {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}
    found = question(contents=[{"role": "model", "parts": calls}, {"parts": results}, one_more]).messages
    assert [part.id for part in found[0].parts if isinstance(part, ToolCall)] == [f"gemini-call-{n}" for n in range(3)]
    assert [part.call_id for part in found[1].parts if isinstance(part, ToolResult)] == [
        "gemini-call-1",
        "gemini-call-0",
        "gemini-call-2",
        "gemini-call-h",
    ]
    assert found[2].parts == (ToolCall("gemini-call-3", "f", "{}"),)


def test_a_result_of_another_name_answers_the_call_that_is_open() -> None:
    contents = [
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"parts": [{"functionResponse": {"name": "renamed", "response": {}}}]},
    ]
    result = question(contents=contents).messages[1].parts[0]
    assert isinstance(result, ToolResult)
    assert (result.call_id, result.name) == ("gemini-call-0", "renamed")


def test_a_recorded_stream_is_one_turn_again() -> None:
    pieces = [
        {"text": "H", "thought": True},
        {"text": "m", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "Hel"},
        {"text": "lo"},
        {"functionCall": {"id": "c", "name": "f"}},
        {"text": ""},
    ]
    contents = [{"role": "model", "parts": [piece]} for piece in pieces]
    assert question(contents=contents).messages == (
        turn(Reasoning("Hm", SIGNED), Text("Hello"), ToolCall("c", "f", "{}"), role=Role.ASSISTANT),
    )


def test_turns_of_the_user_and_parts_of_a_content_stay_apart() -> None:
    contents = [{"parts": [{"text": "a"}, {"text": "b"}]}, {"parts": [{"text": "c"}]}]
    assert question(contents=contents).messages == (turn(Text("a"), Text("b")), turn(Text("c")))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"contents": [7]}, "contents[0]"),
        ({"contents": [{"role": "assistant"}]}, "contents[0].role"),
        ({"contents": [{"role": 3}]}, "contents[0].role"),
        ({"contents": [{"parts": [3]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"text": 3}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"text": "a", "thought": 1}]}]}, "contents[0].parts[0].thought"),
        ({"contents": [{"parts": [{"inlineData": "AA=="}]}]}, "contents[0].parts[0].inlineData"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "a"}}]}]}, "contents[0].parts[0].inlineData.data"),
        ({"contents": [{"parts": [{"fileData": {}}]}]}, "contents[0].parts[0].fileData.fileUri"),
        ({"contents": [{"parts": [{"functionCall": {"args": []}}]}]}, "contents[0].parts[0].functionCall.args"),
        (
            {"contents": [{"parts": [{"functionResponse": {"response": "rain"}}]}]},
            "contents[0].parts[0].functionResponse.response",
        ),
        (
            {"contents": [{"parts": [{"functionResponse": {"parts": [{"text": "a"}]}}]}]},
            "contents[0].parts[0].functionResponse.parts[0]",
        ),
        ({"contents": [{"parts": [{"thoughtSignature": "a", "thought_signature": "b"}]}]}, None),
        ({"systemInstruction": {"parts": [{"inlineData": {"data": "AA=="}}]}}, "systemInstruction"),
        ({"generationConfig": {"temperature": "0"}}, "generationConfig.temperature"),
        ({"generationConfig": {"temperature": True}}, "generationConfig.temperature"),
        ({"generationConfig": {"topK": 1.5}}, "generationConfig.topK"),
        ({"generationConfig": {"stopSequences": "a"}}, "generationConfig.stopSequences"),
        ({"generationConfig": {"responseLogprobs": 1}}, "generationConfig.responseLogprobs"),
        ({"generationConfig": {"responseJsonSchema": True}}, "generationConfig.responseJsonSchema"),
        ({"generationConfig": {"responseSchema": {"properties": []}}}, "generationConfig.responseSchema.properties"),
        ({"generationConfig": {"thinkingConfig": 1}}, "generationConfig.thinkingConfig"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, "toolConfig.functionCallingConfig.mode"),
        ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
        ({"labels": "a"}, "labels"),
    ],
)
def test_a_wrong_type_is_named_by_its_path(fields: dict[str, Any], param: str | None) -> None:
    with pytest.raises(WrongType) as refusal:
        question(**fields)
    if param is not None:
        assert refusal.value.param == param
        assert f"`{param}`" in refusal.value.message


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "STRING"}
    for _ in range(depth):
        schema = {"type": "ARRAY", "items": schema}
    return schema


def test_a_body_nested_deeply_is_refused_and_breaks_nothing() -> None:
    found = question(generationConfig={"responseSchema": nested(50)}).response_format
    assert found is not None
    assert found.schema is not None
    assert found.schema["items"]["type"] == "array"
    with pytest.raises(InvalidRequest, match="deep"):
        question(generationConfig={"responseSchema": nested(900)})


def test_contents_are_required() -> None:
    with pytest.raises(MissingField):
        asked(contents=None)


def test_thousands_of_calls_are_answered_in_any_order() -> None:
    count = 5_000
    calls = [{"functionCall": {"name": f"f{place}"}} for place in range(count)]
    results = [{"functionResponse": {"name": f"f{place}"}} for place in reversed(range(count))]
    found = question(contents=[{"role": "model", "parts": calls}, {"parts": results}])
    answered = [part.call_id for part in found.messages[1].parts if isinstance(part, ToolResult)]
    assert answered == [f"gemini-call-{place}" for place in reversed(range(count))]
    body = written(found)
    assert [part["functionResponse"]["name"] for part in body["contents"][2]["parts"]] == [
        f"f{place}" for place in range(count)
    ]
