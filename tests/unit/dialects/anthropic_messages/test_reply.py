"""Whole replies: providers' in the neutral form, and completions as callers get them."""

import json
from typing import Any

import pytest
from anthropic.types import Message as SdkMessage

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
from enfilade.dialects.anthropic.carriers import FOREIGN_CITATION, UNSEALED, part_seal
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.members.anthropic_messages import DIALECT
from enfilade.dialects.members.anthropic_messages.codec import MessagesCodec

CODEC = MessagesCodec()
UP = Upstream("claude")
ASKED = DIALECT.parse(b'{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}')
SEALED = Sealed("anthropic", "c2ln")


def read(*blocks: Any, **fields: Any) -> Completion:
    """A provider's reply in the neutral form."""
    return CODEC.read(json.dumps({"type": "message", "content": list(blocks)} | fields).encode(), UP)


def rendered(*parts: Part, finish: Finish = Finish.STOP, usage: Usage | None = None, **more: Any) -> dict[str, Any]:
    """What the caller gets; the official SDK can read it."""
    body = CODEC.render(Completion("msg_1", "claude", 7, parts, finish, usage, **more), ASKED)
    SdkMessage.model_validate_json(body)
    reply: dict[str, Any] = json.loads(body)
    return reply


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "a"}, Text("a")),
        ({"type": "text", "text": "", "citations": None}, Text("")),
        (
            {"type": "text", "text": "a", "citations": [{"type": "x", "url": "u", "cited_text": "c"}]},
            Text(
                "a",
                citations=({"url": "u", "cited_text": "c", "anthropic": {"type": "x", "url": "u", "cited_text": "c"}},),
            ),
        ),
        ({"type": "thinking", "thinking": "a", "signature": "c2ln"}, Reasoning("a", SEALED)),
        ({"type": "redacted_thinking", "data": "c2ln"}, Reasoning(seal=SEALED, redacted=True)),
        ({"type": "tool_use", "id": "t", "name": "n", "input": {"a": 0}}, ToolCall("t", "n", '{"a": 0}')),
        ({"type": "tool_use", "id": "t", "name": "n", "input": {}}, ToolCall("t", "n", "{}")),
        (
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            Opaque(
                "anthropic_messages",
                "server_tool_use",
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            ),
        ),
        ({"kept": 1}, Opaque("anthropic_messages", "", {"kept": 1})),
    ],
)
def test_a_block_of_a_reply_in_the_neutral_form(block: dict[str, Any], part: Part) -> None:
    assert read(block).parts == (part,)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("tool_use", Finish.TOOL_CALLS),
        ("pause_turn", Finish.PAUSE),
        ("refusal", Finish.REFUSAL),
        ("a_new_reason", Finish.STOP),
        (None, Finish.STOP),
    ],
)
def test_why_a_reply_ended(reason: str | None, finish: Finish) -> None:
    assert read(stop_reason=reason).finish is finish


def test_all_that_a_reply_says_is_read() -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 4},
        "service_tier": "standard",
    }
    found = read(id="msg_1", model="claude-x", stop_reason="stop_sequence", stop_sequence="END", usage=usage)
    assert found == Completion("msg_1", "claude-x", 0, (), Finish.STOP, Usage(37, 20, 4, 3, 9, 4), "END", "default")
    del usage["service_tier"]
    assert rendered(usage=found.usage)["usage"] == usage
    assert read(usage={"output_tokens": None}).usage is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"type":"error","content":[]}',
        b'{"content":["a"]}',
        b'{"content":[{"type":3}]}',
        b'{"content":[{"type":"text","text":[]}]}',
        b'{"content":[{"type":"new","x":%b}]}' % (b"[" * 3000 + b"]" * 3000),
        b'{"content":[{"type":"text","text":"a"}]',
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableReply):
        CODEC.read(body, UP)


@pytest.mark.parametrize(
    ("parts", "blocks"),
    [
        ((), []),
        ((Text(""),), [{"type": "text", "text": ""}]),
        ((Text(""), Text("a")), [{"type": "text", "text": "a"}]),
        ((Refusal("No."),), [{"type": "text", "text": "No."}]),
        ((Reasoning("a", SEALED),), [{"type": "thinking", "thinking": "a", "signature": "c2ln"}]),
        ((Reasoning("a"),), [{"type": "thinking", "thinking": "a", "signature": UNSEALED}]),
        ((Reasoning(), Reasoning(redacted=True)), []),
        ((Reasoning(seal=SEALED, redacted=True),), [{"type": "redacted_thinking", "data": "c2ln"}]),
        ((ToolCall("t", "n", '{"a":1.50}'),), [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1.5}}]),
        ((ToolCall("t", "n", ""),), [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]),
        ((ToolCall("t", "n", "{a"),), [{"type": "tool_use", "id": "t", "name": "n", "input": {"arguments": "{a"}}]),
        (
            (ToolCall("t", "n", "{}", seal=SEALED),),
            [
                {"type": "redacted_thinking", "data": part_seal(SEALED, "next")},
                {"type": "tool_use", "id": "t", "name": "n", "input": {}},
            ],
        ),
        (
            (Text("a", seal=SEALED),),
            [{"type": "text", "text": "a"}, {"type": "redacted_thinking", "data": part_seal(SEALED, "previous")}],
        ),
        (
            (Text("abc", citations=({"url": "u", "title": "t", "start": 1, "end": 3}, {"title": "no address"})),),
            [
                {
                    "type": "text",
                    "text": "abc",
                    "citations": [
                        {
                            "type": "web_search_result_location",
                            "url": "u",
                            "title": "t",
                            "cited_text": "bc",
                            "encrypted_index": FOREIGN_CITATION,
                        }
                    ],
                }
            ],
        ),
        ((Opaque("openai_responses", "x", {"type": "x"}),), []),
    ],
)
def test_a_completion_as_blocks(parts: tuple[Part, ...], blocks: list[Any]) -> None:
    assert rendered(*parts)["content"] == blocks


def test_a_block_of_ours_and_a_picture_are_shown_as_they_are() -> None:
    used = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    assert rendered(Opaque("anthropic_messages", "server_tool_use", used))["content"] == [used]
    body = CODEC.render(Completion("m", "c", 0, (Media("image", "image/png", "iVBO"),), Finish.STOP, None), ASKED)
    assert json.loads(body)["content"][0]["source"] == {"type": "base64", "media_type": "image/png", "data": "iVBO"}


@pytest.mark.parametrize(
    ("finish", "sequence", "reason"),
    [
        (Finish.STOP, None, "end_turn"),
        (Finish.STOP, "END", "stop_sequence"),
        (Finish.LENGTH, None, "max_tokens"),
        (Finish.TOOL_CALLS, None, "tool_use"),
        (Finish.PAUSE, None, "pause_turn"),
        (Finish.REFUSAL, None, "refusal"),
        (Finish.CONTENT_FILTER, None, "refusal"),
        (Finish.ERROR, None, "end_turn"),
    ],
)
def test_why_a_completion_ended(finish: Finish, sequence: str | None, reason: str) -> None:
    reply = rendered(Text("a"), finish=finish, stop_sequence=sequence)
    assert (reply["stop_reason"], reply["stop_sequence"]) == (reason, sequence)


def test_usage_is_there_even_if_nobody_knows_it_and_the_tier_is_told() -> None:
    reply = rendered(Text("a"), service_tier="default")
    assert reply["usage"] == {
        "input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 0,
        "service_tier": "standard",
    }
    assert rendered(Text("a"), service_tier="flex")["usage"].keys() == reply["usage"].keys() - {"service_tier"}
