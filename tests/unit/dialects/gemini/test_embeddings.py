"""Embeddings, both ways."""

import json
from typing import Any

import pytest

from enfilade.core.errors import InvalidRequest
from enfilade.core.messages import Embeddings, Question
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import UnreadableReply, WrongType
from enfilade.dialects.members.gemini_embed import DIALECT
from enfilade.dialects.members.gemini_embed.codec import CODEC
from enfilade.dialects.types import Request

UPSTREAM = Upstream("gemini-embedding-001")
ONE, MANY = "/v1beta/models/emb:embedContent", "/v1beta/models/emb:batchEmbedContents"


def parsed(target: str, **fields: Any) -> Request:
    return DIALECT.parse(json.dumps(fields).encode(), target)


def single(text: str, **more: Any) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text}]}} | more


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (single("a"), Question(("a",))),
        ({"content": "a"}, Question(("a",))),
        ({"content": {"parts": [{"text": "a"}, {"text": "b"}]}}, Question(("a\nb",))),
        (
            single("a", taskType="RETRIEVAL_DOCUMENT", title="T", outputDimensionality=8, model="models/emb"),
            Question(("a",), dimensions=8, task="document", title="T"),
        ),
        (single("a", task_type="CODE_RETRIEVAL_QUERY"), Question(("a",), task="CODE_RETRIEVAL_QUERY")),
        (single("a", taskType="TASK_TYPE_UNSPECIFIED"), Question(("a",))),
        (single("a", embed_content_config={"output_dimensionality": 4}), Question(("a",), dimensions=4)),
        (single("a", autoTruncate=False, mime_type="text/plain"), Question(("a",), foreign=("mimeType",))),
        (
            {"requests": [single("a", taskType="CLUSTERING"), single("b", taskType="CLUSTERING")]},
            Question(("a", "b"), task="clustering"),
        ),
        (
            {"requests": [single("a", title="A"), single("b", title="B")]},
            Question(("a", "b"), title="A", foreign=("requests[1].title",)),
        ),
    ],
)
def test_questions_are_read(fields: dict[str, Any], expected: Question) -> None:
    assert CODEC.question(parsed(MANY if "requests" in fields else ONE, **fields)) == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "A"}}]}}, "content.parts"),
        ({"requests": [7]}, "requests[0]"),
        ({"requests": [{}]}, "requests[0].content"),
        (single("a", outputDimensionality="8"), "request.outputDimensionality"),
        (single("a", taskType=1), "taskType"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        CODEC.question(parsed(ONE, **fields))
    assert refusal.value.param == param


def test_a_question_is_a_batch_for_the_provider() -> None:
    question = Question(("a", "b"), dimensions=8, task="similarity", title="T")
    shared = {
        "model": "models/gemini-embedding-001",
        "taskType": "SEMANTIC_SIMILARITY",
        "title": "T",
        "outputDimensionality": 8,
    }
    assert json.loads(CODEC.write(question, UPSTREAM)) == {
        "requests": [shared | {"content": {"parts": [{"text": text}]}} for text in ("a", "b")]
    }
    plain = {"requests": [{"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]}}]}
    assert json.loads(CODEC.write(Question(("a",)), UPSTREAM)) == plain


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"embedding": {"values": [0.5, 1]}}, Embeddings(((0.5, 1.0),), UPSTREAM.model, None)),
        ({"embeddings": [{"values": [1]}, {}]}, Embeddings(((1.0,), ()), UPSTREAM.model, None)),
        (
            {"embeddings": [], "usageMetadata": {"promptTokenCount": 6}},
            Embeddings((), UPSTREAM.model, Usage(6)),
        ),
    ],
)
def test_replies_are_read(body: dict[str, Any], expected: Embeddings) -> None:
    assert CODEC.read(json.dumps(body).encode(), UPSTREAM) == expected


def test_as_many_vectors_are_given_as_were_asked_for() -> None:
    answer = Embeddings(((0.5, -1.0),), "m", Usage(3))
    assert json.loads(CODEC.render(answer, parsed(ONE, **single("a")))) == {"embedding": {"values": [0.5, -1.0]}}
    batch = parsed(MANY, requests=[single("a")])
    assert json.loads(CODEC.render(answer, batch)) == {"embeddings": [{"values": [0.5, -1.0]}]}
    packed = Embeddings(("AAAAPwAAgL8=",), "m", None)
    assert json.loads(CODEC.render(packed, batch)) == {"embeddings": [{"values": [0.5, -1.0]}]}
    for broken in ("***", "AAAA"):
        with pytest.raises(UnreadableReply):
            CODEC.render(Embeddings((broken,), "m", None), batch)


def test_the_model_is_named_once_more_in_each_request_of_a_batch() -> None:
    request = parsed(MANY, requests=[single("a", model="models/emb"), single("b")])
    assert request.model == "emb"
    assert not request.makes_output
    sent = json.loads(DIALECT.render_request(request, "up", max_output=5))
    assert [entry.get("model") for entry in sent["requests"]] == ["models/up", None]
    with pytest.raises(WrongType):
        DIALECT.render_request(parsed(MANY, requests=[1]), "up", max_output=None)
    assert parsed(ONE, content={"parts": [{"fileData": {"fileUri": "gs://a"}}]}).media == 1
