"""Counting a message's tokens."""

from enfilade.core.messages import Conversation
from enfilade.dialects.members.anthropic_count import DIALECT
from tests.contract.samples.anthropic_messages import CONVERSATION, ERROR_TYPES, REQUEST
from tests.contract.shapes import DialectSample

UNCOUNTED = frozenset({"max_tokens", "temperature", "top_p", "stop_sequences"})

SAMPLE = DialectSample(
    dialect=DIALECT,
    request={name: value for name, value in REQUEST.items() if name not in UNCOUNTED},
    question=Conversation(
        system=CONVERSATION.system,
        messages=CONVERSATION.messages,
        tools=CONVERSATION.tools,
        tool_choice=CONVERSATION.tool_choice,
        parallel_tool_calls=False,
        foreign=CONVERSATION.foreign,
    ),
    media=3,
    plain={"model": "claude", "messages": [{"role": "user", "content": "Hi"}]},
    refused={
        "no model": ({"model": None}, "missing_field", "model"),
        "model of another type": ({"model": {}}, "wrong_type", "model"),
        "no messages": ({"messages": None}, "missing_field", "messages"),
        "empty messages": ({"messages": []}, "wrong_type", "messages"),
    },
    reply={"input_tokens": 2095},
    usage=None,
    finish=None,
    not_replies=(
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"type":"error","error":{"type":"api_error","message":"no"}}',
        b"\xff",
    ),
    error_envelope={"type": "error"},
    error_types=ERROR_TYPES,
)
