"""Providers' replies, whole and streamed, in the neutral form."""

from typing import Any

import msgspec
import pytest

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
from tests.unit.dialects.openai_chat.chat import (
    CITED,
    DONE,
    FRAGMENTS,
    OTHER,
    ROLE,
    SIGNED,
    USAGE,
    call,
    chunk,
    collected,
    read,
    reply,
)

USED = Usage(30, 20, 5, 0, 9, 4)
TOKEN = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1, "bytes": None}]}
CITATION = {"url": "https://a", "title": "A", "start": 0, "end": 1}
SEAL = Sealed("openai", "c2ln")


def other(**more: Any) -> Sealed:
    return Sealed("openai", msgspec.json.encode(OTHER | more).decode())


Deltas = list[dict[str, Any]]
CASES: dict[str, tuple[dict[str, Any], Deltas, tuple[Part, ...]]] = {
    "words": ({"content": "Grüße €"}, [{"content": "Grü"}, {"content": "ße €"}, {"content": ""}], (Text("Grüße €"),)),
    "nothing": ({"content": ""}, [{"content": ""}, {"content": None}], ()),
    "nothing but null": ({"content": None}, [{}], ()),
    "calls in fragments": (
        {"content": "Wait.", "tool_calls": [call("c1", "f", '{"a":1}'), call("c2", "g", "")]},
        FRAGMENTS,
        (Text("Wait."), ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "")),
    ),
    "calls interleaved": (
        {"tool_calls": [call("c1", "f", '{"a":1}'), call("c2", "g", "{}")]},
        [
            {"tool_calls": [{"index": 0} | call("c1", "f", "{"), {"index": 1} | call("c2", "g", "{")]},
            {"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": '"a":1}'}}]},
        ],
        (ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "{}")),
    ),
    "every call under one index": (
        {"tool_calls": [call("c1", "f", "{}"), call("c2", "f", "{}")]},
        [
            {"tool_calls": [{"index": 0} | call("c1", "f", "{}")]},
            {"tool_calls": [{"index": 0} | call("c2", "f", "{}")]},
        ],
        (ToolCall("c1", "f", "{}"), ToolCall("c2", "f", "{}")),
    ),
    "calls without index": (
        {"tool_calls": [call("c1", "f", "{}"), call("c2", "f", '{"a":1}')]},
        [
            {"tool_calls": [call("c1", "f", "{}")]},
            {"tool_calls": [call("c2", "f", '{"a"')]},
            {"tool_calls": [{"function": {"arguments": ":1}"}}]},
        ],
        (ToolCall("c1", "f", "{}"), ToolCall("c2", "f", '{"a":1}')),
    ),
    "calls without ids": (
        {"tool_calls": [call(None, "f", "{}"), call("", "g", "{}")]},
        [
            {"tool_calls": [{"index": 0} | call("", "f", "")]},
            {"tool_calls": [{"index": 0, "id": "", "function": {"arguments": "{}"}}]},
            {"tool_calls": [{"index": 1} | call(None, "g", "{}")]},
        ],
        (ToolCall("call_01ABC_0", "f", "{}"), ToolCall("call_01ABC_1", "g", "{}")),
    ),
    "id and name in every fragment, and the whole once more": (
        {"tool_calls": [call("c1", "f", "{}"), call("c2", "f", "{}")]},
        [
            {"tool_calls": [{"index": 0} | call("c1", "f", "{")]},
            {"tool_calls": [{"index": 0} | call("c1", "f", "}")]},
            {"tool_calls": [{"index": 1} | call("c2", "f", "{}")]},
            {"tool_calls": [{"index": 0} | call("c1", "f", "{}")]},
        ],
        (ToolCall("c1", "f", "{}"), ToolCall("c2", "f", "{}")),
    ),
    "the name after the first arguments": (
        {"tool_calls": [call("c1", "f", "{}")]},
        [
            {"tool_calls": [{"index": 0, "id": "c1", "function": {"arguments": "{"}}]},
            {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "}"}}]},
        ],
        (ToolCall("c1", "f", "{}"),),
    ),
    "arguments that are no JSON": (
        {"tool_calls": [call("c1", "f", '{"a":')]},
        [{"tool_calls": [{"index": 0} | call("c1", "f", '{"a":')]}],
        (ToolCall("c1", "f", '{"a":'),),
    ),
    "arguments as an object": (
        {"tool_calls": [call("c1", "f", {"a": [1]})]},
        [{"tool_calls": [{"index": 0} | call("c1", "f", {"a": [1]})]}],
        (ToolCall("c1", "f", '{"a":[1]}'),),
    ),
    "free text for a tool": (
        {"tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "t", "input": "x y"}}]},
        [
            {"tool_calls": [{"index": 0, "id": "c1", "type": "custom", "custom": {"name": "t", "input": ""}}]},
            {"tool_calls": [{"index": 0, "custom": {"input": "x y"}}]},
        ],
        (ToolCall("c1", "t", "x y", custom=True),),
    ),
    "the older form of a call": (
        {"function_call": {"name": "f", "arguments": "{}"}},
        [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}],
        (ToolCall("call_01ABC_0", "f", "{}"),),
    ),
    "a sealed call": (
        {"tool_calls": [call("c1", "f", "{}", extra_content=SIGNED)]},
        [
            {"tool_calls": [{"index": 0} | call("c1", "f", "{}")]},
            {"tool_calls": [{"index": 0, "extra_content": SIGNED}]},
        ],
        (ToolCall("c1", "f", "{}", seal=SEAL),),
    ),
    "a call that is sealed at once": (
        {"tool_calls": [call("c1", "f", "{}", extra_content=SIGNED)]},
        [{"tool_calls": [{"index": 0} | call("c1", "f", "{}", extra_content=SIGNED)]}],
        (ToolCall("c1", "f", "{}", seal=SEAL),),
    ),
    "a sealed text": (
        {"content": "ab", "extra_content": SIGNED},
        [{"content": "a"}, {"content": "b"}, {"content": "", "extra_content": SIGNED}],
        (Text("ab", seal=SEAL),),
    ),
    "a seal without a text": ({"extra_content": SIGNED}, [{"extra_content": SIGNED}], (Text("", seal=SEAL),)),
    "a refusal": (
        {"content": None, "refusal": "I cannot."},
        [{"refusal": "I "}, {"refusal": "cannot."}],
        (Refusal("I cannot."),),
    ),
    "reasoning": (
        {"content": "a", "reasoning_content": "Hm so"},
        [{"reasoning_content": "Hm"}, {"reasoning_content": " so"}, {"content": "a", "reasoning_content": None}],
        (Reasoning("Hm so"), Text("a")),
    ),
    "reasoning under its other name": (
        {"content": "a", "reasoning": "Hm"},
        [{"reasoning": "Hm"}, {"content": "a", "reasoning": None}],
        (Reasoning("Hm"), Text("a")),
    ),
    "reasoning in details": (
        {
            "content": "a",
            "reasoning": "Hm",
            "reasoning_details": [
                OTHER | {"text": "Hm", "signature": "s1"},
                {"type": "reasoning.encrypted", "data": "d"},
            ],
        },
        [
            {"reasoning": "H", "reasoning_details": [OTHER | {"text": "H"}]},
            {"reasoning": "m", "reasoning_details": [OTHER | {"text": "m"}]},
            {"reasoning_details": [OTHER | {"signature": "s1"}]},
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}]},
            {"content": "a"},
        ],
        (
            Reasoning("Hm", other(signature="s1")),
            Reasoning("", Sealed("openai", "d"), redacted=True),
            Text("a"),
        ),
    ),
    "reasoning whose details come once, at its end": (
        {
            "content": "a",
            "reasoning_content": "Hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "signature": "s", "id": "r1", "index": 0}],
        },
        [
            {"reasoning_content": "H"},
            {"reasoning_content": "m"},
            {"reasoning_details": [{"type": "reasoning.text", "text": "Hm", "signature": "s", "id": "r1", "index": 0}]},
            {"content": "a"},
        ],
        (Reasoning("Hm", Sealed("openai", "s"), id="r1"), Text("a")),
    ),
    "a summary and what it sums up": (
        {
            "reasoning_details": [
                {"type": "reasoning.summary", "summary": "Hm", "format": "openai-responses-v1", "index": 0},
                {"type": "reasoning.encrypted", "data": "d", "format": "openai-responses-v1", "index": 0, "id": "r1"},
            ]
        },
        [
            {
                "reasoning_details": [
                    {"type": "reasoning.summary", "summary": "Hm", "format": "openai-responses-v1", "index": 0}
                ]
            },
            {
                "reasoning_details": [
                    {
                        "type": "reasoning.encrypted",
                        "data": "d",
                        "format": "openai-responses-v1",
                        "index": 0,
                        "id": "r1",
                    }
                ]
            },
        ],
        (
            Reasoning("Hm", Sealed("openai", '{"type":"reasoning.summary","format":"openai-responses-v1","index":0}')),
            Reasoning("", Sealed("openai", "d"), redacted=True, id="r1"),
        ),
    ),
    "Mistral's content": (
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
                {"type": "text", "text": "a"},
            ]
        },
        [
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "H"}]}]},
            {"content": [{"type": "thinking", "thinking": "m"}, 7, {"type": "new"}]},
            {"content": "a"},
        ],
        (Reasoning("Hm"), Text("a")),
    ),
    "citations": (
        {"content": "a b", "annotations": [*CITED, {"type": "new"}]},
        [{"content": "a b"}, {"annotations": CITED}],
        (Text("a b", citations=(CITATION,)),),
    ),
    "images": (
        {"content": "See:", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}, 7]},
        [
            {"content": "See:"},
            {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, "index": 0}]},
        ],
        (Text("See:"), Media("image", "image/png", "AA==")),
    ),
    "sound": (
        {"audio": {"id": "a1", "data": "AABB", "transcript": "Hi", "expires_at": 5}},
        [
            {"audio": {"id": "a1", "transcript": "H"}},
            {"audio": {"data": "AA", "transcript": "i"}},
            {"audio": {"data": "BB", "expires_at": 5}},
        ],
        (Opaque("openai_chat", "audio", {"id": "a1", "data": "AABB", "transcript": "Hi", "expires_at": 5}),),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_reply_says_the_same_whole_and_streamed(case: str) -> None:
    message, deltas, parts = CASES[case]
    assert read(reply(message)).parts == parts
    assert collected(ROLE, *map(chunk, deltas), chunk({}, "stop"), DONE).parts == parts


def test_a_whole_reply_is_read() -> None:
    wire = reply({"content": "a"}, "length", usage=USAGE, service_tier="flex")
    assert read(wire) == Completion("c1", "m-1", 7, (Text("a"),), Finish.LENGTH, USED, service_tier="flex")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish.STOP),
        ("length", Finish.LENGTH),
        ("tool_calls", Finish.TOOL_CALLS),
        ("function_call", Finish.TOOL_CALLS),
        ("content_filter", Finish.CONTENT_FILTER),
        ("error", Finish.ERROR),
        ("eos", Finish.STOP),
        ("", Finish.STOP),
        (None, Finish.STOP),
        (7, Finish.STOP),
    ],
)
def test_a_finish_reason_is_read(reason: Any, finish: Finish) -> None:
    assert read(reply({"content": "a"}, reason)).finish is finish
    assert collected(chunk({"content": "a"}), chunk({}, reason), DONE).finish is finish


def test_a_refusal_in_words_is_no_plain_stop() -> None:
    assert read(reply({"refusal": "No."})).finish is Finish.REFUSAL
    assert collected(chunk({"refusal": "No."}), chunk({}, "stop"), DONE).finish is Finish.REFUSAL
    assert read(reply({"refusal": "No."}, "length")).finish is Finish.LENGTH


def test_tokens_are_told_with_the_words() -> None:
    logprobs = {"logprobs": {"content": [TOKEN, TOKEN], "refusal": None}}
    assert read(reply({"content": "aa"}, choice=logprobs)).parts == (Text("aa", logprobs=(TOKEN, TOKEN)),)
    one = {"logprobs": {"content": [TOKEN], "refusal": None}}
    pieces = [chunk({"content": "a"}, choice=one), chunk({"content": "a"}, choice=one), chunk({}, "stop")]
    assert collected(*pieces, DONE).parts == (Text("aa", logprobs=(TOKEN, TOKEN)),)
    assert read(reply({"content": "a"}, choice={"logprobs": {"tokens": ["a"]}})).parts == (Text("a"),)


def test_the_stop_sequence_is_read_where_a_service_tells_it() -> None:
    assert read(reply({"content": "a"}, choice={"stop_reason": "END"})).stop_sequence == "END"
    assert collected(chunk({"content": "a"}), chunk({}, "stop", {"stop_reason": "END"}), DONE).stop_sequence == "END"
    assert read(reply({"content": "a"}, choice={"stop_reason": 128009})).stop_sequence is None


@pytest.mark.parametrize(
    ("report", "used"),
    [
        ({"usage": USAGE}, USED),
        ({"usage": None}, None),
        ({"usage": {}}, None),
        ({"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}}, Usage(3, output_tokens=2)),
        ({"x_groq": {"id": "req"}}, None),
        (
            {"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4}},
            Usage(9, 4, output_tokens=2),
        ),
        (
            {
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 2,
                    "total_tokens": 18,
                    "completion_tokens_details": {"reasoning_tokens": 7},
                }
            },
            Usage(9, output_tokens=9, reasoning_tokens=7),
        ),
        (
            {
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 8,
                    "total_tokens": 17,
                    "completion_tokens_details": {"reasoning_tokens": 7, "audio_tokens": None},
                    "prompt_tokens_details": None,
                }
            },
            Usage(9, output_tokens=8, reasoning_tokens=7),
        ),
    ],
)
def test_usage_is_read_in_every_place(report: dict[str, Any], used: Usage | None) -> None:
    assert read(reply({"content": "a"}, **report)).usage == used
    start = chunk({"content": "a"})
    assert collected(start, chunk({}, "stop"), chunk(None, **report), DONE).usage == used
    assert collected(start, chunk({}, "stop", **report), DONE).usage == used
