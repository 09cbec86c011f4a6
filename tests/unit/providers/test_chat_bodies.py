"""Last changes of chat requests: fields that are called otherwise, ids that a service refuses."""

import json
import re
from typing import Any

import pytest

from enfilade.dialects.registry import load_dialects
from enfilade.providers.adapters import cohere, deepseek, mistral, tgi
from enfilade.providers.chat_bodies import with_tool_ids
from enfilade.providers.http_provider import HttpAdapter
from enfilade.providers.types import Outgoing
from tests.support.outbound import Outbound
from tests.support.upstream import open_upstream, reply

NINE = re.compile("[a-zA-Z0-9]{9}")
MESSAGES = [{"role": "user", "content": 'say "seed" and "max_completion_tokens"'}]
LOOP: list[dict[str, Any]] = [
    {"role": "user", "content": "Weather?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_abc", "type": "function", "function": {"name": "a", "arguments": '{"x": 1.0e2}'}, "more": 1},
            {"id": "Ab3dEf7hI", "type": "function", "function": {"name": "b", "arguments": ""}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_abc", "content": "20 °C"},
    {"role": "tool", "tool_call_id": "Ab3dEf7hI", "content": [{"type": "text", "text": "30"}]},
    {"role": "assistant", "content": "Fine", "tool_calls": None},
]


def reshaped(adapter: HttpAdapter, body: bytes, dialect: str = "openai_chat") -> bytes:
    """What goes out."""
    speaks = load_dialects().get(dialect)
    request = speaks.parse(b'{"model":"m","input":"x","messages":[{"role":"user","content":"x"}]}')
    assert adapter.reshape is not None
    return adapter.reshape(Outgoing("call-1", speaks, request, body, "up-1"))


def written(**fields: Any) -> bytes:
    """A request's bytes."""
    return json.dumps({"model": "up-1", "messages": MESSAGES} | fields).encode()


@pytest.mark.parametrize("module", [mistral, deepseek, tgi, cohere], ids=lambda module: module.__name__[-8:])
def test_the_newer_bound_goes_out_under_the_name_that_the_service_knows(module: Any) -> None:
    sent = json.loads(reshaped(module.ADAPTER, written(max_completion_tokens=50, temperature=0)))
    assert sent == {"model": "up-1", "messages": MESSAGES, "temperature": 0, "max_tokens": 50}
    both = json.loads(reshaped(module.ADAPTER, written(max_completion_tokens=50, max_tokens=40)))
    assert both["max_tokens"] == 40
    assert "max_completion_tokens" not in both


def test_what_needs_no_change_goes_out_byte_for_byte() -> None:
    body = json.dumps({"messages": MESSAGES, "max_tokens": 5, "x": 1.0}, indent=1).encode()
    for module in (mistral, deepseek, tgi, cohere):
        assert reshaped(module.ADAPTER, body) == body
    text = b'{"input": "max_completion_tokens", "seed": 1, "max_completion_tokens": 1}'
    assert reshaped(mistral.ADAPTER, text, "openai_embeddings") == text


def test_mistrals_names() -> None:
    body = written(seed=0, stream=True, stream_options={"include_usage": True})
    assert json.loads(reshaped(mistral.ADAPTER, body)) == {
        "model": "up-1",
        "messages": MESSAGES,
        "stream": True,
        "random_seed": 0,
    }


def test_ids_that_mistral_refuses_are_mapped_and_all_else_stays() -> None:
    body = json.dumps({"messages": LOOP, "tools": [1.0], "model": "m"}).encode()
    first, second = (reshaped(mistral.ADAPTER, body) for _ in range(2))
    assert first == second
    sent = json.loads(first)
    new = sent["messages"][1]["tool_calls"][0]["id"]
    assert NINE.fullmatch(new)
    expected = json.loads(body)
    expected["messages"][1]["tool_calls"][0]["id"] = new
    expected["messages"][2]["tool_call_id"] = new
    assert sent == expected
    assert b"1.0" in first
    assert b'{\\"x\\": 1.0e2}' in first


def test_ids_stay_stable_while_the_conversation_grows() -> None:
    short = json.loads(with_tool_ids(json.dumps({"messages": LOOP[:3]}).encode(), NINE))
    long = json.loads(with_tool_ids(json.dumps({"messages": LOOP + LOOP}).encode(), NINE))
    assert long["messages"][: len(short["messages"])] == short["messages"]
    many = {
        json.loads(with_tool_ids(json.dumps({"messages": [{"tool_call_id": f"call_{n}"}]}).encode(), NINE))["messages"][
            0
        ]["tool_call_id"]
        for n in range(1000)
    }
    assert len(many) == 1000
    assert all(NINE.fullmatch(one) for one in many)


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":"tool_calls"}',
        b'{"messages":[{"tool_calls":5}]}',
        b'{"messages":[{"tool_calls":[5]}]}',
        b'{"messages":[{"tool_call_id":5}]}',
        b'{"messages":[{"tool_call_id":null,"tool_calls":null}]}',
        b'{"messages":[5],"x":"tool_calls"}',
        b'{"tool_calls":[]}',
    ],
)
def test_what_is_not_as_the_dialect_has_it_is_the_services_to_refuse(body: bytes) -> None:
    assert with_tool_ids(body, NINE) == body


async def test_mistral_gets_what_was_reshaped(outbound: Outbound) -> None:
    async with open_upstream(reply({"choices": []})) as upstream:
        asked = outbound.ask(seed=7, messages=LOOP)
        await (await outbound.provider(upstream.url, kind="mistral").send(asked)).read()
        seen = (await upstream.was_asked()).json
        assert seen["random_seed"] == 7
        assert NINE.fullmatch(seen["messages"][2]["tool_call_id"])
        outbound.close()
