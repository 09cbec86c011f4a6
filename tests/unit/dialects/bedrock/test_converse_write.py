"""Questions as Bedrock Converse takes them; what is written is held to botocore's model of the service."""

import base64
import json
from typing import Any

import pytest

from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Reasoning,
    ResponseFormat,
    Role,
    Sealed,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import NotTranslatable
from enfilade.dialects.members.bedrock_converse.dialect import ConverseCodec
from enfilade.dialects.members.bedrock_converse.rules import fit
from tests.support.bedrock_rules import check_converse

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-pro-v1:0"
LLAMA = "meta.llama3-1-70b-instruct-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n data").decode()
LOOK = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})


def user(*parts: Any) -> Message:
    return Message(Role.USER, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def assistant(*parts: Any) -> Message:
    return Message(Role.ASSISTANT, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def written(question: Conversation, model: str = CLAUDE) -> Any:
    body = json.loads(ConverseCodec().write(question, Upstream(model)))
    check_converse(body)
    return body


def said(*messages: Message, model: str = CLAUDE, **settings: Any) -> Any:
    return written(Conversation(messages or (user("Hi"),), **settings), model)


def test_the_least() -> None:
    assert said() == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


def test_settings_stand_where_converse_has_them() -> None:
    body = said(
        system=(Text("Be kind."), Text("Be short.", cache="5m")),
        max_output_tokens=7,
        temperature=0.0,
        top_p=0.0,
        top_k=0,
        stop=("END",),
        metadata={"team": "a-1"},
        service_tier="flex",
        model=NOVA,
    )
    assert body["system"] == [{"text": "Be kind."}, {"text": "Be short."}, {"cachePoint": {"type": "default"}}]
    assert body["inferenceConfig"] == {"maxTokens": 7, "temperature": 0.0, "topP": 0.0, "stopSequences": ["END"]}
    assert body["requestMetadata"] == {"team": "a-1"}
    assert body["serviceTier"] == {"type": "flex"}
    assert body["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 0}}


@pytest.mark.parametrize(
    ("model", "field"),
    [(CLAUDE, "top_k"), ("mistral.mistral-large-2402-v1:0", "top_k"), ("cohere.command-r-v1:0", "k")],
)
def test_top_k_has_each_makers_name(model: str, field: str) -> None:
    assert said(top_k=5, model=model)["additionalModelRequestFields"] == {field: 5}


def test_the_stop_sequence_is_asked_of_claude() -> None:
    assert said(stop=("END",))["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert "additionalModelResponseFieldPaths" not in said(stop=("END",), model=LLAMA)


@pytest.mark.parametrize(
    ("settings", "model", "dropped"),
    [
        ({"top_k": 5}, LLAMA, ("top_k",)),
        ({"thinking": Thinking(enabled=True, effort="high")}, LLAMA, ("thinking",)),
        ({"thinking": Thinking(enabled=False)}, LLAMA, ()),
        ({"service_tier": "scale"}, LLAMA, ("service_tier",)),
        ({"service_tier": "auto"}, LLAMA, ()),
        ({"service_tier": "flex"}, CLAUDE, ()),
        ({"metadata": {"n": 5}}, CLAUDE, ("metadata",)),
        ({"metadata": {"emoji": "\u263a"}}, CLAUDE, ("metadata",)),
        ({"metadata": {str(n): "x" for n in range(17)}}, CLAUDE, ("metadata",)),
        ({"metadata": {}}, CLAUDE, ()),
        ({"system": (Text("a", cache="1h"),)}, LLAMA, ("cache",)),
        ({"system": (Text("a", cache="1h"),)}, PROFILE, ("cache",)),
        ({"thinking": Thinking(enabled=True, budget_tokens=2000), "temperature": 0.5}, CLAUDE, ("temperature",)),
    ],
)
def test_what_a_model_does_not_take_is_left_out_and_named(
    settings: dict[str, Any], model: str, dropped: tuple[str, ...]
) -> None:
    """Fitting twice changes nothing more."""
    question = Conversation((user("Hi"),), **settings)
    fitted, names = fit(question, Upstream(model))
    assert names == dropped
    assert fit(fitted, Upstream(model)) == (fitted, ())
    written(question, model)


def test_thoughts_are_asked_for_in_each_makers_words() -> None:
    budget = Thinking(enabled=True, budget_tokens=2000)
    body = said(thinking=budget, max_output_tokens=4000)
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    body = said(thinking=Thinking(effort="low"), model="anthropic.claude-opus-4-7-v1:0")
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "adaptive"}}
    assert body["outputConfig"] == {"effort": "low"}
    body = said(thinking=Thinking(effort="low"), model="amazon.nova-2-lite-v1:0")
    assert body["additionalModelRequestFields"] == {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}
    body = said(thinking=Thinking(enabled=True, budget_tokens=9000), model="openai.gpt-oss-120b-1:0")
    assert body["additionalModelRequestFields"] == {"reasoning_effort": "high"}
    assert said(thinking=Thinking(enabled=False))["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}}


def test_a_maximum_leaves_room_for_thoughts() -> None:
    """Where nobody said one and a budget is given, it has to be said; else it is the model's own."""
    assert said(thinking=Thinking(enabled=True, budget_tokens=8000))["inferenceConfig"]["maxTokens"] > 8000
    assert "inferenceConfig" not in said()


def test_turns_alternate_and_results_come_first() -> None:
    body = said(
        user("One"),
        user("Two"),
        assistant(ToolCall("t1", "look", '{"at": 1.50}')),
        assistant(ToolCall("t2", "look", "")),
        user("And then?", ToolResult("t1", (Text("seen"),))),
        user(ToolResult("t2", (Text(""), Media("image", "image/png", PNG)), is_error=True)),
        tools=(LOOK,),
    )
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    first, second, words = body["messages"][2]["content"]
    assert first == {"toolResult": {"toolUseId": "t1", "content": [{"text": "seen"}]}}
    assert second["toolResult"]["status"] == "error"
    assert second["toolResult"]["content"] == [{"image": {"format": "png", "source": {"bytes": PNG}}}]
    assert words == {"text": "And then?"}
    assert body["messages"][1]["content"][0]["toolUse"]["input"] == {"at": 1.5}


@pytest.mark.parametrize("arguments", ["not json", "[1]", '"x"', "{"])
def test_arguments_that_are_no_object_still_go_out(arguments: str) -> None:
    call, result = ToolCall("t1", "look", arguments), ToolResult("t1", ())
    body = said(user("a"), assistant(call), user(result), tools=(LOOK,))
    assert body["messages"][1]["content"][0]["toolUse"]["input"] == {"arguments": arguments}


def test_an_empty_result_says_so() -> None:
    body = said(user("a"), assistant(ToolCall("t1", "look", "{}")), user(ToolResult("t1", (Text(" "),))), tools=(LOOK,))
    assert body["messages"][2]["content"][0]["toolResult"]["content"] == [{"text": "(no output)"}]


def test_tools_of_the_history_stand_in_when_there_are_none() -> None:
    body = said(user("a"), assistant(ToolCall("t1", "look", "{}")), user(ToolResult("t1", (Text("b"),))))
    (tool,) = body["toolConfig"]["tools"]
    assert tool["toolSpec"]["name"] == "look"
    assert "toolChoice" not in body["toolConfig"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        (ToolChoice("auto"), {"auto": {}}),
        (ToolChoice("required"), {"any": {}}),
        (ToolChoice("named", ("look",)), {"tool": {"name": "look"}}),
    ],
)
def test_choices_of_tools(choice: ToolChoice | None, expected: Any) -> None:
    assert said(tools=(LOOK,), tool_choice=choice)["toolConfig"].get("toolChoice") == expected


def test_tools_keep_what_converse_has_a_place_for() -> None:
    bare = Tool("bare", "", None, strict=True, cache="1h")
    config = said(tools=(LOOK, bare))["toolConfig"]
    assert config["tools"] == [
        {"toolSpec": {"name": "look", "description": "Looks.", "inputSchema": {"json": LOOK.parameters}}},
        {"toolSpec": {"name": "bare", "inputSchema": {"json": {"type": "object", "properties": {}}}, "strict": True}},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
    ]


def test_a_schema_says_that_it_is_an_objects() -> None:
    (tool,) = said(tools=(Tool("a", None, {"properties": {"b": {"$ref": "#/$defs/c"}}}),))["toolConfig"]["tools"]
    assert tool["toolSpec"]["inputSchema"]["json"] == {
        "type": "object",
        "properties": {"b": {"$ref": "#/$defs/c"}},
    }


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        (Media("image", "image/jpg", PNG), {"image": {"format": "jpeg", "source": {"bytes": PNG}}}),
        (Media("image", None, PNG), {"image": {"format": "png", "source": {"bytes": PNG}}}),
        (Media("video", "video/mp4", PNG), {"video": {"format": "mp4", "source": {"bytes": PNG}}}),
        (Media("audio", "audio/x-wav", PNG), {"audio": {"format": "wav", "source": {"bytes": PNG}}}),
        (
            Media("document", "application/pdf", PNG, name="Q3: report_final.pdf"),
            {"document": {"format": "pdf", "source": {"bytes": PNG}, "name": "Q3 report final"}},
        ),
        (
            Media("document", "text/plain", text="Hällo", name="  "),
            {"document": {"format": "txt", "source": {"bytes": "SMOkbGxv"}, "name": "document"}},
        ),
    ],
)
def test_media_are_bytes_with_a_format(media: Media, expected: Any) -> None:
    assert said(user("Look:", media))["messages"][0]["content"][1] == expected


@pytest.mark.parametrize(
    "media", [Media("image", "image/bmp", PNG), Media("audio", None, PNG), Media("document", "application/zip", PNG)]
)
def test_formats_that_bedrock_does_not_take_are_refused(media: Media) -> None:
    with pytest.raises(NotTranslatable) as refusal:
        said(user("a", media))
    assert refusal.value.param == "messages"


def test_documents_have_names_of_their_own_and_words_beside_them() -> None:
    pdf = Media("document", "application/pdf", PNG, name="a.pdf")
    content = said(user(pdf, pdf), assistant("ok"), user("x", pdf))["messages"]
    assert [block["document"]["name"] for block in content[0]["content"][:2]] == ["a", "a 2"]
    assert content[0]["content"][2] == {"text": "a"}
    assert content[2]["content"][1]["document"]["name"] == "a 3"


def test_thoughts_go_back_to_the_maker_of_the_model() -> None:
    signed = Reasoning("Hm.", Sealed("anthropic", "c2ln"))
    sealed = Reasoning(seal=Sealed("bedrock", "c2VhbGVk"), redacted=True)
    foreign = Reasoning(seal=Sealed("anthropic", "c2VhbGVk"), redacted=True)
    history = (user("a"), assistant(signed, sealed, foreign, "b"), user("c"))
    content = said(*history)["messages"][1]["content"]
    assert content == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "c2VhbGVk"}},
        {"text": "b"},
    ]
    assert said(*history, model=LLAMA)["messages"][1]["content"] == [content[1], {"text": "b"}]
    assert fit(Conversation(history), Upstream(LLAMA))[1] == ("reasoning",)


def test_a_schema_stands_in_the_output_config() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    wanted = ResponseFormat("schema", schema, "answer", "An answer.")
    found = said(response_format=wanted)["outputConfig"]["textFormat"]
    assert found["type"] == "json_schema"
    inner = found["structure"]["jsonSchema"]
    assert json.loads(inner.pop("schema")) == schema
    assert inner == {"name": "answer", "description": "An answer."}


def test_what_claude_continues_does_not_end_in_white_space() -> None:
    assert said(user("a"), assistant("It is \n"))["messages"][1]["content"] == [{"text": "It is"}]


def test_blank_texts_are_left_out_and_with_them_their_turns() -> None:
    body = said(user("a", " \n"), assistant(" "), user("b"), system=(Text(" "),), model=NOVA)
    assert body["messages"] == [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]
    assert "system" not in body


@pytest.mark.parametrize("messages", [(), (assistant("a"),), (user(" "),)])
def test_nothing_said_by_the_user_is_refused(messages: tuple[Message, ...]) -> None:
    with pytest.raises(NotTranslatable, match="begin with a turn of the user"):
        written(Conversation(messages))


def test_cache_points_follow_what_is_marked() -> None:
    body = said(user(Text("long", cache="1h"), Text("b")))
    assert body["messages"][0]["content"] == [
        {"text": "long"},
        {"cachePoint": {"type": "default", "ttl": "1h"}},
        {"text": "b"},
    ]
