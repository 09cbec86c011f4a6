"""Gemini: embeddings."""

from enfilade.core.messages import Question
from enfilade.core.usage import Usage
from enfilade.dialects.members.gemini_embed import DIALECT
from tests.contract.samples.gemini_generate import ERROR_TYPES, read_error
from tests.contract.shapes import DialectSample

SAMPLE = DialectSample(
    dialect=DIALECT,
    request={
        "model": "emb",
        "requests": [
            {"content": {"parts": [{"text": "first €"}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8},
            {"content": {"parts": [{"text": "second"}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8},
        ],
        "a_new_field": {"kept": [1.50, None]},
    },
    question=Question(("first €", "second"), dimensions=8, task="query", foreign=("a_new_field",)),
    plain={"model": "emb", "content": {"parts": [{"text": "Hi"}]}},
    refused={
        "no model": ({"model": None}, "missing_field", "model"),
        "model of another type": ({"model": ["a"]}, "wrong_type", "model"),
        "no content": ({"content": None}, "missing_field", "content"),
        "a number as content": ({"content": 7}, "wrong_type", "content"),
        "no requests": ({"requests": []}, "wrong_type", "requests"),
    },
    reply={"embeddings": [{"values": [0.1, -0.2]}], "usageMetadata": {"promptTokenCount": 6}},
    usage=Usage(input_tokens=6),
    finish=None,
    error_envelope={},
    error_types=ERROR_TYPES,
    read_error=read_error,
    has_limit_headers=False,
    usage_field="usageMetadata",
    not_replies=(b"", b"<html>", b"[]", b"{}", b'{"error":{"message":"no"}}', b"\xff"),
)
