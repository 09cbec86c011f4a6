"""The settings, instructions and tools that Gemini's callers give, in the neutral form."""

from typing import Any

import pytest

from enfilade.core.messages import (
    Media,
    Opaque,
    ResponseFormat,
    Text,
    Thinking,
    Tool,
    ToolChoice,
)
from tests.unit.dialects.gemini.wires import question


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("Be brief.", (Text("Be brief."),)),
        ({"parts": [{"text": "a"}, {"text": "b"}]}, (Text("a"), Text("b"))),
        ({"role": "system", "parts": {"text": "a"}}, (Text("a"),)),
        ({"text": "a"}, (Text("a"),)),
        (["a", {"text": "b"}], (Text("a"), Text("b"))),
        ({"role": "user"}, ()),
    ],
)
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_instructions_are_read_in_any_form(name: str, system: Any, expected: tuple[Text, ...]) -> None:
    assert question(**{name: system}).system == expected


@pytest.mark.parametrize(
    ("config", "field", "expected"),
    [
        ({"temperature": 0}, "temperature", 0.0),
        ({"top_p": 0.5}, "top_p", 0.5),
        ({"topK": 40.0}, "top_k", 40),
        ({"maxOutputTokens": 7}, "max_output_tokens", 7),
        ({"candidate_count": 2}, "choices", 2),
        ({"stopSequences": ["a", ""]}, "stop", ("a", "")),
        ({"seed": 0}, "seed", 0),
        ({"presencePenalty": -1.5}, "presence_penalty", -1.5),
        ({"frequency_penalty": 0}, "frequency_penalty", 0.0),
        ({"responseLogprobs": True}, "logprobs", 0),
        ({"responseLogprobs": True, "logprobs": 5}, "logprobs", 5),
        ({"responseLogprobs": False, "logprobs": 5}, "logprobs", None),
        ({"responseMimeType": "text/plain"}, "response_format", ResponseFormat("text")),
        ({"responseMimeType": "application/json"}, "response_format", ResponseFormat("json")),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "STRING", "enum": ["a"]}},
            "response_format",
            ResponseFormat("schema", {"type": "string", "enum": ["a"]}),
        ),
        (
            {"response_mime_type": "application/json", "_responseJsonSchema": {"$ref": "#/a"}},
            "response_format",
            ResponseFormat("schema", {"$ref": "#/a"}),
        ),
        ({"thinkingConfig": {"thinkingBudget": 0}}, "thinking", Thinking(enabled=False)),
        ({"thinkingConfig": {"thinking_budget": -1}}, "thinking", Thinking(enabled=True)),
        (
            {"thinking_config": {"thinkingBudget": 99, "includeThoughts": True}},
            "thinking",
            Thinking(enabled=True, budget_tokens=99, shown=True),
        ),
        ({"thinkingConfig": {"thinkingLevel": "HIGH"}}, "thinking", Thinking(effort="high")),
        ({"thinkingConfig": {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}}, "thinking", None),
        ({"responseModalities": ["TEXT", "IMAGE"]}, "modalities", ("image",)),
    ],
)
def test_settings_are_read(config: dict[str, Any], field: str, expected: Any) -> None:
    found = question(generationConfig=config)
    assert getattr(found, field) == expected
    assert found.foreign == found.harmless == ()


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"safetySettings": [{"category": "X"}]}, ("safetySettings",)),
        ({"safetySettings": []}, ()),
        ({"cached_content": "cachedContents/1"}, ("cachedContent",)),
        ({"something_new": {"a": 1}}, ("something_new",)),
        ({"x_own": 1}, ()),
        ({"something_new": None}, ()),
        ({"generationConfig": {"speechConfig": {"voice": 1}}}, ("generationConfig.speechConfig",)),
        ({"generationConfig": {"enableAffectiveDialog": False}}, ()),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, ("generationConfig.responseMimeType",)),
        ({"toolConfig": {"retrievalConfig": {"latLng": {}}}}, ("toolConfig.retrievalConfig",)),
        (
            {"contents": [{"parts": [{"fileData": {"fileUri": "gs://a"}, "videoMetadata": {"fps": 1}}]}]},
            ("contents[0].parts[0].videoMetadata",),
        ),
        ({"contents": [{"parts": [{"unheardOf": 1}]}]}, ("contents[0].parts[0].unheardOf",)),
        (
            {"tools": [{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}]},
            ("tools[0].functionDeclarations[0].behavior",),
        ),
    ],
)
def test_what_only_google_can_do_is_named(fields: dict[str, Any], names: tuple[str, ...]) -> None:
    assert question(**fields).foreign == names


def test_what_changes_nothing_is_named_apart() -> None:
    found = question(
        store=True,
        contents=[{"parts": [{"functionResponse": {"name": "f", "scheduling": "SILENT"}, "partMetadata": {"a": 1}}]}],
        tools=[{"functionDeclarations": [{"name": "f", "response": {"type": "STRING"}}]}],
    )
    assert found.foreign == ()
    assert found.harmless == (
        "store",
        "contents[0].parts[0].partMetadata",
        "contents[0].parts[0].functionResponse.scheduling",
        "tools[0].functionDeclarations[0].response",
    )


def test_labels_tiers_and_the_resolution_of_all_images() -> None:
    found = question(
        labels={"team": "a"},
        service_tier="FLEX",
        generationConfig={"mediaResolution": "MEDIA_RESOLUTION_HIGH"},
        contents=[{"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]}],
    )
    assert found.metadata == {"team": "a"}
    assert found.service_tier == "flex"
    assert found.messages[0].parts == (Media("image", "image/png", data="AA==", detail="high"),)
    assert question(serviceTier="standard").service_tier == "default"
    assert question(serviceTier="unspecified").service_tier is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "NONE"}, ToolChoice("none")),
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "any", "allowed_function_names": ["f"]}, ToolChoice("named", ("f",))),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ToolChoice("allowed", ("f", "g"), must=True)),
        ({"mode": "VALIDATED"}, ToolChoice("auto")),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice("allowed", ("f",))),
        ({"mode": "MODE_UNSPECIFIED"}, None),
        ({}, None),
    ],
)
def test_the_choice_of_tools_is_read(config: dict[str, Any], expected: ToolChoice | None) -> None:
    assert question(tool_config={"function_calling_config": config}).tool_choice == expected


def test_tools_are_read_with_their_schemas_in_json_schemas_words() -> None:
    parameters = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "format": "enum", "enum": ["a"], "nullable": True},
            "min_items": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "1", "max_items": 3},
            "either": {"any_of": [{"type": "NUMBER"}, {"ref": "#/$defs/x"}], "nullable": True, "example": 1},
        },
        "propertyOrdering": ["type"],
        "required": ["type"],
        "additionalProperties": False,
        "defs": {"x": {"type": "BOOLEAN", "default": False}},
    }
    plain = {"type": "object", "$defs": {"x": {}}, "additionalProperties": False}
    tools = [
        {"functionDeclarations": [{"name": "f", "description": "", "parameters": parameters}, {"name": "g"}]},
        {"function_declarations": [{"name": "h", "parameters_json_schema": plain}], "google_search": {}},
    ]
    found = question(tools=tools).tools
    assert found == (
        Tool(
            "f",
            "",
            {
                "type": "object",
                "properties": {
                    "type": {"type": ["string", "null"], "format": "enum", "enum": ["a", None]},
                    "min_items": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
                    "either": {
                        "anyOf": [{"type": "number"}, {"$ref": "#/$defs/x"}, {"type": "null"}],
                        "examples": [1],
                    },
                },
                "required": ["type"],
                "additionalProperties": False,
                "$defs": {"x": {"type": "boolean", "default": False}},
            },
        ),
        Tool("g"),
        Tool("h", parameters=plain),
        Tool("googleSearch", hosted=Opaque("gemini_generate", "googleSearch", {"googleSearch": {}})),
    )
