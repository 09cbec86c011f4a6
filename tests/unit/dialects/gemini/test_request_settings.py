"""Settings and tools, as Google gets them."""

from typing import Any

import pytest

from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Opaque,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolChoice,
)
from tests.unit.dialects.gemini.wires import written

HI = Message(Role.USER, (Text("Hi"),))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"temperature": 0.0, "top_p": 0.0, "top_k": 0, "seed": 0, "max_output_tokens": 1},
            {"temperature": 0.0, "topP": 0.0, "topK": 0, "seed": 0, "maxOutputTokens": 1},
        ),
        ({"frequency_penalty": 0.0, "presence_penalty": 0.0}, {"frequencyPenalty": 0.0, "presencePenalty": 0.0}),
        ({"stop": ("a",)}, {"stopSequences": ["a"]}),
        ({"logprobs": 0}, {"responseLogprobs": True}),
        ({"logprobs": 3}, {"responseLogprobs": True, "logprobs": 3}),
        ({"response_format": ResponseFormat("json")}, {"responseMimeType": "application/json"}),
        (
            {"response_format": ResponseFormat("schema", {"$ref": "#/x"}, name="n", strict=True)},
            {"responseMimeType": "application/json", "responseJsonSchema": {"$ref": "#/x"}},
        ),
        ({"response_format": ResponseFormat("text")}, None),
        ({"modalities": ("text", "image")}, {"responseModalities": ["TEXT", "IMAGE"]}),
        ({}, None),
    ],
)
def test_settings_are_written(settings: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert written(Conversation((HI,), **settings)).get("generationConfig") == expected


@pytest.mark.parametrize(
    ("thinking", "older", "newer"),
    [
        (Thinking(enabled=False), {"thinkingBudget": 0}, {"thinkingLevel": "MINIMAL"}),
        (Thinking(effort="none"), {"thinkingBudget": 0}, {"thinkingLevel": "MINIMAL"}),
        (Thinking(effort="minimal"), {"thinkingBudget": 1024}, {"thinkingLevel": "MINIMAL"}),
        (Thinking(effort="low"), {"thinkingBudget": 1024}, {"thinkingLevel": "LOW"}),
        (Thinking(effort="medium"), {"thinkingBudget": 8192}, {"thinkingLevel": "MEDIUM"}),
        (Thinking(effort="max"), {"thinkingBudget": 24576}, {"thinkingLevel": "HIGH"}),
        (Thinking(budget_tokens=2000), {"thinkingBudget": 2000}, {"thinkingLevel": "LOW"}),
        (
            Thinking(enabled=True, budget_tokens=9000),
            {"thinkingBudget": 9000, "includeThoughts": True},
            {"thinkingLevel": "MEDIUM", "includeThoughts": True},
        ),
        (Thinking(budget_tokens=30000), {"thinkingBudget": 30000}, {"thinkingLevel": "HIGH"}),
        (Thinking(enabled=True), {"thinkingBudget": -1, "includeThoughts": True}, {"includeThoughts": True}),
        (
            Thinking(enabled=True, shown=False),
            {"thinkingBudget": -1, "includeThoughts": False},
            {"includeThoughts": False},
        ),
        (Thinking(shown=True), {"includeThoughts": True}, {"includeThoughts": True}),
        (Thinking(shown=False), {"includeThoughts": False}, {"includeThoughts": False}),
        (Thinking(summary="auto"), {"includeThoughts": True}, {"includeThoughts": True}),
    ],
)
def test_thinking_is_a_budget_for_older_models_and_a_level_for_newer_ones(
    thinking: Thinking, older: dict[str, Any], newer: dict[str, Any] | None
) -> None:
    asked_for = Conversation((HI,), thinking=thinking)
    assert written(asked_for, "gemini-2.5-flash")["generationConfig"]["thinkingConfig"] == older
    assert written(asked_for, "gemini-3-flash").get("generationConfig", {}).get("thinkingConfig") == newer


def test_a_pro_model_cannot_think_less_than_a_little() -> None:
    config = written(Conversation((HI,), thinking=Thinking(enabled=False)))["generationConfig"]
    assert config == {"thinkingConfig": {"thinkingLevel": "LOW"}}


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (("low", "low"), "MEDIA_RESOLUTION_LOW"),
        (("high",), "MEDIA_RESOLUTION_HIGH"),
        (("high", "low"), None),
        (("auto",), None),
        ((None,), None),
    ],
)
def test_the_resolution_is_that_which_all_images_ask_for(details: tuple[Any, ...], expected: str | None) -> None:
    images = tuple(Media("image", "image/png", data="A", detail=detail) for detail in details)
    assert (
        written(Conversation((Message(Role.USER, images),))).get("generationConfig", {}).get("mediaResolution")
        == expected
    )


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("named", ("f",)), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("allowed", ("f", "g"), must=True), {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}),
        (ToolChoice("allowed", ("f",)), {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
    ],
)
def test_tools_and_their_choice_are_written(choice: ToolChoice, expected: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "additionalProperties": False}
    tools = (
        Tool("f", "Does it", schema, strict=True),
        Tool("g", ""),
        Tool("googleSearch", hosted=Opaque("gemini_generate", "googleSearch", {"googleSearch": {}})),
    )
    body = written(Conversation((HI,), tools=tools, tool_choice=choice))
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "Does it", "parametersJsonSchema": schema},
                {"name": "g"},
            ]
        },
        {"googleSearch": {}},
    ]
    assert body["toolConfig"] == {"functionCallingConfig": expected}


def test_a_choice_without_tools_is_not_written() -> None:
    assert "toolConfig" not in written(Conversation((HI,), tool_choice=ToolChoice("auto")))


@pytest.mark.parametrize(
    ("tier", "expected"), [("flex", "flex"), ("priority", "priority"), ("default", "standard"), ("auto", None)]
)
def test_instructions_and_the_tier_stand_apart(tier: str, expected: str | None) -> None:
    body = written(Conversation((HI,), system=(Text("a"), Text("b")), service_tier=tier))
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert body.get("serviceTier") == expected
    assert "stream" not in body
    assert "model" not in body
