"""Gemini: tokens, counted."""

from enfilade.core.messages import Conversation, Message, Role, Text
from enfilade.dialects.members.gemini_count import DIALECT
from tests.contract.samples.gemini_generate import ERROR_TYPES, read_error
from tests.contract.shapes import DialectSample

SAMPLE = DialectSample(
    dialect=DIALECT,
    request={
        "model": "gemini",
        "generateContentRequest": {
            "contents": [{"role": "user", "parts": [{"text": "Hi €"}]}],
            "systemInstruction": "Be brief.",
        },
        "a_new_field": {"kept": [1.50, None]},
    },
    question=Conversation(
        (Message(Role.USER, (Text("Hi €"),)),),
        system=(Text("Be brief."),),
        foreign=("a_new_field",),
    ),
    plain={"model": "gemini", "contents": [{"parts": [{"text": "Hi"}]}]},
    refused={
        "no model": ({"model": None}, "missing_field", "model"),
        "no contents": ({"contents": None}, "missing_field", "contents"),
    },
    reply={"totalTokens": 31, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 31}]},
    usage=None,
    finish=None,
    error_envelope={},
    error_types=ERROR_TYPES,
    read_error=read_error,
    has_limit_headers=False,
    usage_field="usageMetadata",
    not_replies=(b"", b"<html>", b"[]", b"{}", b'{"totalTokens":-1}', b"\xff"),
)
