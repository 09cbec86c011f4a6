"""Questions, as Google gets them."""

from typing import Any

import pytest

from enfilade.core.messages import (
    Conversation,
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
    ToolResult,
)
from enfilade.dialects.errors import NotTranslatable
from enfilade.dialects.gemini.rules import RULES
from enfilade.dialects.translation.fitting import fit
from enfilade.dialects.translation.losses import Losses
from enfilade.dialects.translation.types import Aim, Memo
from tests.unit.dialects.gemini.wires import written

HI = Message(Role.USER, (Text("Hi"),))
SIGNED = Sealed("gemini", "c2ln")
SKIP = "skip_thought_signature_validator"


def model(*parts: Part) -> Message:
    return Message(Role.ASSISTANT, parts)


def user(*parts: Part) -> Message:
    return Message(Role.USER, parts)


def contents(*messages: Message, of: str = "gemini-3-pro") -> Any:
    return written(Conversation(messages), of)["contents"]


def call(name: str = "f", args: Any = None, **more: Any) -> dict[str, Any]:
    signature = {"thoughtSignature": more.pop("signature")} if "signature" in more else {}
    return {"functionCall": more | {"name": name, "args": {} if args is None else args}} | signature


def result(response: Any, name: str = "f", **more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": response} | more}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Media("image", "image/jpg", data="AA=="), {"inlineData": {"mimeType": "image/jpeg", "data": "AA=="}}),
        (Media("image", data="*not decoded*"), {"inlineData": {"mimeType": "image/jpeg", "data": "*not decoded*"}}),
        (Media("audio", "wav", data="AA=="), {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}),
        (
            Media("document", text="plain é"),
            {"inlineData": {"mimeType": "text/plain", "data": "cGxhaW4gw6k="}},
        ),
        (
            Media("image", url="https://a.example/b.png?x=1"),
            {"fileData": {"fileUri": "https://a.example/b.png?x=1", "mimeType": "image/png"}},
        ),
        (Media("image", url="https://a.example/b"), {"fileData": {"fileUri": "https://a.example/b"}}),
        (
            Media("video", "video/mp4", file_id="gs://b/c"),
            {"fileData": {"fileUri": "gs://b/c", "mimeType": "video/mp4"}},
        ),
        (
            Media("document", file_id="files/x"),
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
        ),
    ],
)
def test_media_is_written(part: Media, expected: dict[str, Any]) -> None:
    assert contents(user(Text("a"), part, Text("b"))) == [
        {"role": "user", "parts": [{"text": "a"}, expected, {"text": "b"}]}
    ]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((Text("a"), Text("")), [{"text": "a"}]),
        ((Text("a", seal=SIGNED),), [{"text": "a", "thoughtSignature": "c2ln"}]),
        ((Text("", seal=SIGNED),), [{"text": "", "thoughtSignature": "c2ln"}]),
        ((Text("a", seal=Sealed("anthropic", "x")),), [{"text": "a"}]),
        ((Refusal("No."),), [{"text": "No."}]),
        ((Reasoning("Hm", SIGNED),), [{"text": "Hm", "thought": True, "thoughtSignature": "c2ln"}]),
        ((Reasoning("Hm"), Text("a")), [{"text": "a"}]),
        ((ToolCall("c", "f", ' {"a":\n1.50}'),), [call(args={"a": 1.5}, signature=SKIP)]),
        ((ToolCall("c", "f", ""),), [call(signature=SKIP)]),
        ((ToolCall("c", "f", "{nope"),), [call(args={"_unparsed": "{nope"}, signature=SKIP)]),
        ((ToolCall("c", "f", "[1]"),), [call(args={"_unparsed": "[1]"}, signature=SKIP)]),
        (
            (ToolCall("c", "f", "{}"), ToolCall("d", "g", "{}")),
            [call(signature=SKIP), call("g")],
        ),
        (
            (ToolCall("c", "f", "{}", seal=SIGNED), ToolCall("gem_1", "g", "{}")),
            [call(id="c", signature="c2ln"), call("g")],
        ),
        ((Opaque("gemini_generate", "x", {"executableCode": {"code": "1"}}),), [{"executableCode": {"code": "1"}}]),
        ((Opaque("anthropic_messages", "x", {"a": 1}), Text("a")), [{"text": "a"}]),
    ],
)
def test_turns_of_the_model_are_written(parts: tuple[Part, ...], expected: list[dict[str, Any]]) -> None:
    assert contents(HI, model(*parts))[1] == {"role": "model", "parts": expected}


def test_older_models_get_no_placeholder() -> None:
    assert contents(HI, model(ToolCall("c", "f", "{}")), of="gemini-2.5-flash")[1]["parts"] == [call()]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (ToolResult("c", (Text("rain"),)), {"result": "rain"}),
        (ToolResult("c", (Text(' {"a": 1}'),)), {"a": 1}),
        (ToolResult("c", (Text("[1]"),)), {"result": "[1]"}),
        (ToolResult("c", (Text("{no"),)), {"result": "{no"}),
        (ToolResult("c", (Text("a"), Text("b"))), {"result": "ab"}),
        (ToolResult("c"), {"result": ""}),
        (ToolResult("c", (Text("no"),), is_error=True), {"error": "no"}),
        (ToolResult("c", (Text('{"code":1}'),), is_error=True), {"error": {"code": 1}}),
    ],
)
def test_results_are_objects_and_name_their_tool(outcome: ToolResult, expected: dict[str, Any]) -> None:
    found = contents(HI, model(ToolCall("c", "f", "{}")), user(outcome))
    assert found[2] == {"role": "user", "parts": [result(expected)]}


def test_results_of_one_turn_stand_together_in_the_order_of_their_calls_before_anything_else() -> None:
    found = contents(
        HI,
        model(ToolCall("c", "f", "{}", seal=SIGNED)),
        model(ToolCall("d", "g", "{}")),
        user(ToolResult("d", (Text("2"),))),
        user(Text("and"), ToolResult("c", (Text("1"),))),
        user(Text("more")),
    )
    assert [entry["role"] for entry in found] == ["user", "model", "user", "user"]
    assert found[2]["parts"] == [
        result({"result": "1"}, id="c"),
        result({"result": "2"}, "g", id="d"),
        {"text": "and"},
    ]
    assert found[3]["parts"] == [{"text": "more"}]


def test_a_result_without_a_call_has_its_own_name_or_its_id() -> None:
    found = contents(user(ToolResult("x", (Text("1"),), name="f")), user(ToolResult("y", (Text("2"),))))
    assert found[0]["parts"] == [result({"result": "1"}), result({"result": "2"}, "y")]


def test_media_of_results_stands_inside_them_or_for_older_models_beside_them() -> None:
    turns = (
        HI,
        model(ToolCall("c", "f", "{}")),
        user(ToolResult("c", (Text("a"), Media("image", "image/png", data="A")))),
    )
    image = {"inlineData": {"mimeType": "image/png", "data": "A"}}
    assert contents(*turns)[2]["parts"] == [result({"result": "a"}, parts=[image])]
    assert contents(*turns, of="gemini-2.5-pro")[2]["parts"] == [result({"result": "a"}), image]


def test_a_user_speaks_first() -> None:
    assert contents(model(Text("a"))) == [
        {"role": "user", "parts": [{"text": ""}]},
        {"role": "model", "parts": [{"text": "a"}]},
    ]
    assert contents() == [{"role": "user", "parts": [{"text": ""}]}]
    assert contents(user(Text("")), model(Text("")), HI) == [{"role": "user", "parts": [{"text": "Hi"}]}]


@pytest.mark.parametrize(
    ("media", "fits"),
    [
        (Media("image", "image/png", data="A"), True),
        (Media("document", file_id="gs://a/b"), True),
        (Media("document", file_id="files/abc"), True),
        (Media("document", file_id="https://generativelanguage.googleapis.com/v1beta/files/x"), True),
        (Media("document", file_id="file-abc"), False),
    ],
)
def test_files_of_other_providers_are_refused(media: Media, fits: bool) -> None:
    for part in (media, ToolResult("c", (media,))):
        asked_for = Conversation((user(part),))
        losses, memo = Losses({"messages": "contents"}, "gemini_generate", strict=False), Memo("openai")
        if fits:
            assert fit(asked_for, Aim(rules=RULES), losses, memo) == asked_for
        else:
            with pytest.raises(NotTranslatable, match="send its data") as refusal:
                fit(asked_for, Aim(rules=RULES), losses, memo)
            assert refusal.value.param == "contents"
