"""Embeddings to and from the neutral form."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from enfilade.core.messages import Embeddings, Question
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Codec, Upstream
from enfilade.dialects.errors import MissingField, UnreadableReply, WrongType
from enfilade.dialects.members.openai_embeddings import DIALECT
from enfilade.dialects.traits import Traits
from enfilade.dialects.types import Request
from tests.support.properties import examples

UP = Upstream("up-1")
FLOATS = (0.1, -2.5, 0.0)


def codec() -> Codec:
    assert DIALECT.codec is not None
    return DIALECT.codec


def request(given_input: Any = "Hi", **fields: Any) -> Request:
    return DIALECT.parse(json.dumps({"model": "emb", "input": given_input} | fields).encode())


def packed(*floats: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(floats)}f", *floats)).decode()


def reply(*data: Any, **more: Any) -> bytes:
    return json.dumps({"object": "list", "data": data, "model": "m-1"} | more).encode()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Question(("Hi",))),
        ({"given_input": ["a", ""]}, Question(("a", ""))),
        ({"given_input": [5, 0]}, Question((), ((5, 0),))),
        ({"given_input": [[5, 0], [7]]}, Question((), ((5, 0), (7,)))),
        ({"dimensions": 8, "user": ""}, Question(("Hi",), dimensions=8, user="")),
        ({"encoding_format": "base64"}, Question(("Hi",), base64=True)),
        ({"encoding_format": "float", "stream": False}, Question(("Hi",))),
        ({"input_type": "search_query"}, Question(("Hi",), task="query")),
        ({"input_type": "passage"}, Question(("Hi",), task="passage")),
        ({"truncate": "END", "x_trace": 1, "later": None}, Question(("Hi",), foreign=("truncate",))),
    ],
)
def test_a_question_is_read(fields: dict[str, Any], expected: Question) -> None:
    assert codec().question(request(**fields)) == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"given_input": ["a", 5]}, "input[1]"),
        ({"given_input": [5, "a"]}, "input[1]"),
        ({"given_input": [True]}, "input[0]"),
        ({"given_input": [1.5]}, "input[0]"),
        ({"given_input": [None]}, "input[0]"),
        ({"given_input": [[]]}, "input[0]"),
        ({"given_input": [[1], ["a"]]}, "input[1][0]"),
        ({"given_input": [[1], "a"]}, "input[1]"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "8"}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"user": 5}, "user"),
        ({"input_type": 5}, "input_type"),
    ],
)
def test_a_field_of_another_type_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises((WrongType, MissingField)) as refusal:
        codec().question(request(**fields))
    assert refusal.value.param == param


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question(("a",)), {"input": ["a"]}),
        (Question((), ((1, 2),)), {"input": [[1, 2]]}),
        (
            Question(("a", "b"), dimensions=8, user="", base64=True),
            {"input": ["a", "b"], "dimensions": 8, "user": "", "encoding_format": "base64"},
        ),
    ],
)
def test_a_question_is_written(question: Question, expected: dict[str, Any]) -> None:
    assert json.loads(codec().write(question, UP)) == {"model": "up-1"} | expected


def test_a_service_without_packed_floats_is_not_asked_for_them() -> None:
    service = Upstream("up-1", traits=Traits(lacks=frozenset({"base64"})))
    assert "encoding_format" not in json.loads(codec().write(Question(("a",), base64=True), service))


USAGE = {"prompt_tokens": 6, "total_tokens": 6}


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (reply({"index": 0, "embedding": FLOATS}, usage=USAGE), Embeddings((FLOATS,), "m-1", Usage(6))),
        (
            reply({"index": 1, "embedding": [1]}, {"index": 0, "embedding": "AACAPw=="}),
            Embeddings(("AACAPw==", (1.0,)), "m-1", None),
        ),
        (reply({"embedding": [2.0]}, {"embedding": [1.0]}, model=None), Embeddings(((2.0,), (1.0,)), "up-1", None)),
        (reply({"index": 0, "embedding": []}, usage=None), Embeddings(((),), "m-1", None)),
    ],
)
def test_a_reply_is_read_in_the_order_of_its_inputs(wire: bytes, expected: Embeddings) -> None:
    assert codec().read(wire, UP) == expected


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b'{"data":null}',
        b'{"data":[]}',
        b'{"data":[{"embedding":{}}]}',
        b'{"data":[7]}',
        b"\xff",
    ],
)
def test_what_is_no_reply_is_unreadable(wire: bytes) -> None:
    with pytest.raises(UnreadableReply):
        codec().read(wire, UP)


@pytest.mark.parametrize(
    ("form", "vector", "shown"),
    [
        ("float", FLOATS, list(FLOATS)),
        (None, packed(0.5, -1), [0.5, -1.0]),
        ("base64", packed(0.1), packed(0.1)),
        ("base64", (0.1, -2.5), packed(0.1, -2.5)),
    ],
)
def test_a_vector_has_the_form_that_was_asked_for(form: str | None, vector: Any, shown: Any) -> None:
    asked = request(encoding_format=form) if form else request()
    rendered = codec().render(Embeddings((vector,), "m-1", Usage(6)), asked)
    assert json.loads(rendered) == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": shown}],
        "model": "m-1",
        "usage": USAGE,
    }
    assert CreateEmbeddingResponse.model_construct(**json.loads(rendered)).model == "m-1"


def test_the_sdk_finds_usage_even_where_none_was_reported() -> None:
    rendered = json.loads(codec().render(Embeddings((FLOATS,), "m-1", None), request()))
    assert CreateEmbeddingResponse.model_validate(rendered).usage.total_tokens == 0


@pytest.mark.parametrize("vector", ["AAA=", "not base64!", "é"])
def test_packed_floats_that_are_none_are_the_providers_fault(vector: str) -> None:
    with pytest.raises(UnreadableReply):
        codec().render(Embeddings((vector,), "m-1", None), request())


def test_floats_that_cannot_be_packed_are_the_providers_fault() -> None:
    with pytest.raises(UnreadableReply):
        codec().render(Embeddings(((1e300,),), "m-1", None), request(encoding_format="base64"))


@examples(100)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=6))
def test_floats_go_both_ways_without_loss(floats: list[float]) -> None:
    as_text = codec().render(Embeddings((packed(*floats),), "m", None), request())
    assert packed(*json.loads(as_text)["data"][0]["embedding"]) == packed(*floats)
    as_packed = codec().render(Embeddings((tuple(floats),), "m", None), request(encoding_format="base64"))
    assert json.loads(as_packed)["data"][0]["embedding"] == packed(*floats)
