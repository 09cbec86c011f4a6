"""Embeddings."""

from enfilade.core.messages import Question
from enfilade.core.usage import Usage
from enfilade.dialects.members.openai_embeddings import DIALECT
from tests.contract.samples.openai_chat import ERROR_TYPES
from tests.contract.shapes import DialectSample

SAMPLE = DialectSample(
    dialect=DIALECT,
    request={"model": "emb", "input": ["first €", "second"], "dimensions": 8, "a_new_field": {"kept": [1.50, None]}},
    question=Question(("first €", "second"), dimensions=8, foreign=("a_new_field",)),
    plain={"model": "emb", "input": "Hi"},
    refused={
        "no model": ({"model": None}, "missing_field", "model"),
        "model of another type": ({"model": ["a"]}, "wrong_type", "model"),
        "no input": ({"input": None}, "missing_field", "input"),
        "empty text": ({"input": ""}, "missing_field", "input"),
        "empty array": ({"input": []}, "missing_field", "input"),
        "input of another type": ({"input": {"text": "Hi"}}, "wrong_type", "input"),
        "a number as input": ({"input": 7}, "wrong_type", "input"),
        "streaming": ({"stream": True}, "wrong_type", "stream"),
    },
    reply={
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}],
        "model": "up-emb",
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
    },
    usage=Usage(input_tokens=6),
    finish=None,
    error_envelope={},
    error_types=ERROR_TYPES,
    not_replies=(b"", b"<html>", b"[]", b"{}", b'{"error":{"message":"no"}}', b"\xff"),
)
