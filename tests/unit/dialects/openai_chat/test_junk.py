"""Requests in which anything may stand anywhere."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.errors import InvalidRequest
from enfilade.dialects.members.openai_chat import DIALECT
from enfilade.dialects.traits import Traits
from tests.support.properties import examples
from tests.unit.dialects.openai_chat.chat import codec, upstream

SERVICE = Traits(takes_seals=True, reasoning_field="reasoning")
SIGNED = {"google": {"thought_signature": "c2ln"}}
REQUEST: dict[str, Any] = {
    "model": "chat",
    "messages": [
        {"role": "system", "content": "a"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                {"type": "file", "file": {"file_data": "AA==", "filename": "a.pdf"}},
            ],
        },
        {
            "role": "assistant",
            "content": "abc",
            "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "signature": "s", "at": [1, 0], "index": 0}],
            "annotations": [{"type": "url_citation", "url_citation": {"url": "u", "start_index": 0}}],
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": SIGNED},
                {"id": "2", "type": "custom", "custom": {"name": "c", "input": "x"}},
            ],
            "function_call": {"name": "g", "arguments": "{}"},
            "images": [{"type": "image_url", "image_url": {"url": "https://a"}}],
            "extra_content": SIGNED,
            "refusal": "no",
        },
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "a"}]},
        {"role": "function", "name": "g", "content": "a"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}},
        {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "web_search"}]}},
    "functions": [{"name": "g"}],
    "function_call": {"name": "g"},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": None}},
    "reasoning": {"effort": "low", "max_tokens": 5},
    "logprobs": True,
    "top_logprobs": 2,
    "logit_bias": {"1": 5},
    "stop": ["a"],
    "user": "u",
    "safety_identifier": "s",
    "modalities": ["text"],
    "metadata": {},
}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every spot inside a value: its holder and key."""
    pairs = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [spot for key, held in pairs for spot in [(value, key), *places(held)]]


@examples(300)
@given(junk=JUNK, data=st.data())
def test_no_value_in_a_request_breaks_its_translation(junk: Any, data: st.DataObject) -> None:
    changed = json.loads(json.dumps(REQUEST))
    holder, key = data.draw(st.sampled_from(places(changed)))
    holder[key] = junk
    with suppress(InvalidRequest):
        asked = codec().question(DIALECT.parse(json.dumps(changed).encode()))
        fit = codec().rules.fit
        assert fit is not None
        json.loads(codec().write(fit(asked, upstream(SERVICE))[0], upstream(SERVICE)))


def test_a_conversation_may_have_thousands_of_turns() -> None:
    turns = REQUEST["messages"][1:4] * 700
    body = json.dumps({"model": "chat", "messages": turns}).encode()
    asked = codec().question(DIALECT.parse(body))
    assert len(asked.messages) == 2100
    assert len(json.loads(codec().write(asked, upstream(SERVICE)))["messages"]) == 2100
