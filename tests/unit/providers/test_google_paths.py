"""Where calls to Gemini and Vertex AI go, and what becomes of their bodies."""

import json
from typing import Any

import pytest

from enfilade.providers.adapters import gemini, vertex
from enfilade.providers.errors import InvalidProvider, RequestRefused, UnreadableResponse, UpstreamModelMissing
from enfilade.providers.http_provider import HttpAdapter
from enfilade.providers.registry import Adapters
from enfilade.providers.types import ProviderSpec, SecretReference
from enfilade.providers.vertex_bodies import answer, reshape
from tests.support.outbound import Outbound
from tests.support.stand_in import body_of, outgoing
from tests.support.upstream import open_upstream, reply

KEY = SecretReference(env="UP_API_KEY")
EXPRESS = ProviderSpec("up", "vertex", None, KEY)
PLACE = "/projects/p-1/locations/europe-west4"


def spec(**options: Any) -> ProviderSpec:
    return ProviderSpec("up", "vertex", None, KEY, options={"project": "p-1", "location": "europe-west4"} | options)


def path_of(
    adapter: HttpAdapter, dialect: str, model: str, provider: ProviderSpec, body: object = None, *, stream: bool = False
) -> str:
    made = adapter.paths[dialect]
    return made if isinstance(made, str) else made(outgoing(dialect, model, body, stream=stream), provider)


@pytest.mark.parametrize(
    ("dialect", "model", "stream", "expected"),
    [
        ("gemini_generate", "gemini-3-pro", False, "/models/gemini-3-pro:generateContent"),
        ("gemini_generate", "gemini-3-pro", True, "/models/gemini-3-pro:streamGenerateContent?alt=sse"),
        ("gemini_generate", "models/gemini-3-pro", False, "/models/gemini-3-pro:generateContent"),
        ("gemini_generate", "tunedModels/ours-1", False, "/tunedModels/ours-1:generateContent"),
        ("gemini_generate", "gemini:predict?x", False, "/models/gemini%3Apredict%3Fx:generateContent"),
        ("gemini_embed", "gemini-embedding-001", False, "/models/gemini-embedding-001:embedContent"),
        ("gemini_count", "gemini-3-pro", False, "/models/gemini-3-pro:countTokens"),
    ],
)
def test_gemini_is_called_by_its_methods(dialect: str, model: str, stream: bool, expected: str) -> None:
    assert path_of(gemini.ADAPTER, dialect, model, EXPRESS, {"content": {}}, stream=stream) == expected


def test_several_contents_are_embedded_at_once() -> None:
    path = path_of(gemini.ADAPTER, "gemini_embed", "gemini-embedding-001", EXPRESS, {"requests": []})
    assert path == "/models/gemini-embedding-001:batchEmbedContents"


@pytest.mark.parametrize(
    ("dialect", "model", "stream", "expected"),
    [
        ("gemini_generate", "gemini-3-pro", False, "/publishers/google/models/gemini-3-pro:generateContent"),
        (
            "gemini_generate",
            "publishers/google/models/gemini-3-pro",
            True,
            "/publishers/google/models/gemini-3-pro:streamGenerateContent?alt=sse",
        ),
        ("gemini_generate", "google/gemini-3-pro", False, "/publishers/google/models/gemini-3-pro:generateContent"),
        ("gemini_generate", "models/gemini-3-pro", False, "/publishers/google/models/gemini-3-pro:generateContent"),
        ("gemini_generate", "endpoints/123456", False, "/endpoints/123456:generateContent"),
        ("gemini_count", "gemini-3-pro", False, "/publishers/google/models/gemini-3-pro:countTokens"),
        (
            "anthropic_messages",
            "claude-sonnet-4-5@20250929",
            False,
            "/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
        ),
        (
            "anthropic_messages",
            "publishers/anthropic/models/claude-sonnet-4-5",
            True,
            "/publishers/anthropic/models/claude-sonnet-4-5:streamRawPredict",
        ),
        ("anthropic_messages", "anthropic/claude-x", False, "/publishers/anthropic/models/claude-x:rawPredict"),
        (
            "anthropic_messages",
            "claude;x:predict",
            False,
            "/publishers/anthropic/models/claude%3Bx%3Apredict:rawPredict",
        ),
        ("anthropic_count", "claude-x", False, "/publishers/anthropic/models/count-tokens:rawPredict"),
    ],
)
def test_vertex_is_called_in_a_project_and_a_place(dialect: str, model: str, stream: bool, expected: str) -> None:
    assert path_of(vertex.ADAPTER, dialect, model, spec(), stream=stream) == PLACE + expected


@pytest.mark.parametrize(
    ("body", "model", "method"),
    [
        ({"instances": []}, "text-embedding-005", "predict"),
        ({"content": {}}, "gemini-embedding-2", "embedContent"),
        ({"requests": []}, "gemini-embedding-2", "batchEmbedContents"),
    ],
)
def test_vertex_embeds_by_the_method_that_the_model_has(body: object, model: str, method: str) -> None:
    path = path_of(vertex.ADAPTER, "gemini_embed", model, spec(), body)
    assert path == f"{PLACE}/publishers/google/models/{model}:{method}"


def test_the_express_mode_has_no_project() -> None:
    path = path_of(vertex.ADAPTER, "gemini_generate", "gemini-3-pro", EXPRESS)
    assert path == "/publishers/google/models/gemini-3-pro:generateContent"
    for dialect in ("anthropic_messages", "anthropic_count"):
        with pytest.raises(UpstreamModelMissing, match="project"):
            path_of(vertex.ADAPTER, dialect, "claude-x", EXPRESS)


@pytest.mark.parametrize("model", ["..", ".", "", "../x", "a/../b", "a/b/c/d", "models/", "publishers/x/models/a/b"])
@pytest.mark.parametrize(
    ("adapter", "dialect"),
    [
        (gemini.ADAPTER, "gemini_generate"),
        (gemini.ADAPTER, "gemini_embed"),
        (gemini.ADAPTER, "gemini_count"),
        (vertex.ADAPTER, "gemini_generate"),
        (vertex.ADAPTER, "anthropic_messages"),
        (vertex.ADAPTER, "anthropic_count"),
    ],
)
def test_a_models_name_cannot_lead_elsewhere(adapter: HttpAdapter, dialect: str, model: str) -> None:
    with pytest.raises(UpstreamModelMissing):
        path_of(adapter, dialect, model, spec())


@pytest.mark.parametrize(
    ("options", "region", "address"),
    [
        ({"project": "p"}, None, "https://aiplatform.googleapis.com/v1"),
        ({"project": "p", "location": "global"}, "us-east5", "https://aiplatform.googleapis.com/v1"),
        ({"project": "p", "location": "us-east5"}, None, "https://us-east5-aiplatform.googleapis.com/v1"),
        ({"project": "p"}, "europe-west1", "https://europe-west1-aiplatform.googleapis.com/v1"),
        ({"project": "p", "location": "eu"}, None, "https://aiplatform.eu.rep.googleapis.com/v1"),
        ({}, None, "https://aiplatform.googleapis.com/v1"),
    ],
)
def test_the_place_decides_the_address(options: dict[str, str], region: str | None, address: str) -> None:
    provider = ProviderSpec("up", "vertex", None, KEY, region, options=options)
    adapters = Adapters()
    adapters.check(provider)
    assert adapters.base_url(provider) == address


@pytest.mark.parametrize(
    ("provider", "param"),
    [
        (ProviderSpec("up", "vertex", None, KEY, "x.attacker.example/"), "region"),
        (spec(location="a.attacker.example#"), "options.location"),
        (spec(project="p/../q"), "options.project"),
        (spec(project="P?x"), "options.project"),
        (spec(credentials="metadata"), "api_key"),
        (spec(credentials="default"), "options.credentials"),
        (ProviderSpec("up", "vertex", options={"project": "p"}), "api_key"),
        (ProviderSpec("up", "vertex", options={"credentials": "metadata"}), "options.project"),
        (ProviderSpec("up", "gemini"), "api_key"),
        (ProviderSpec("up", "gemini", None, KEY, options={"project": "p"}), "options"),
    ],
)
def test_what_could_never_work_is_refused(provider: ProviderSpec, param: str) -> None:
    with pytest.raises(InvalidProvider) as refusal:
        Adapters().check(provider)
    assert refusal.value.param == param


def test_the_machines_own_account_needs_no_key() -> None:
    Adapters().check(ProviderSpec("up", "vertex", options={"project": "p", "credentials": "metadata"}))


@pytest.mark.parametrize(
    ("kind", "model", "spoken"),
    [
        ("gemini", "gemini-3-pro", ("gemini_generate", "gemini_count")),
        ("gemini", "gemini-embedding-001", ("gemini_embed", "gemini_count")),
        ("vertex", "gemini-3-pro", ("gemini_generate", "gemini_count")),
        ("vertex", "endpoints/123", ("gemini_generate", "gemini_count")),
        ("vertex", "text-embedding-005", ("gemini_embed",)),
        ("vertex", "claude-sonnet-4-5", ("anthropic_messages", "anthropic_count")),
        ("vertex", "publishers/anthropic/models/claude-x", ("anthropic_messages", "anthropic_count")),
    ],
)
def test_a_model_speaks_some_of_the_dialects(
    outbound: Outbound, kind: str, model: str, spoken: tuple[str, ...]
) -> None:
    provider = outbound.provider(None, kind=kind)
    assert provider.dialects_of(model) == spoken
    assert set(spoken) < set(provider.dialects)


def test_where_nothing_is_said_every_model_speaks_everything(outbound: Outbound) -> None:
    for kind in ("openai", "simulated"):
        provider = outbound.provider(None, kind=kind)
        assert provider.dialects_of("x") == provider.dialects


def test_claude_on_vertex_is_named_by_the_path_and_has_a_version_in_the_body() -> None:
    body = (
        b'{"max_tokens": 5, "model":"claude-x", "messages":[{"role":"user","content":"\\u00fc 1.0e3"}], "stream":true}'
    )
    asked = outgoing("anthropic_messages", "claude-x")
    asked.body = body
    sent = reshape(asked)
    assert body_of(sent) == {
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "ü 1.0e3"}],
        "stream": True,
        "anthropic_version": "vertex-2023-10-16",
    }
    assert b'[{"role":"user","content":"\\u00fc 1.0e3"}]' in sent
    asked.body = sent
    assert reshape(asked) == sent


def test_a_version_that_the_caller_chose_stays() -> None:
    asked = outgoing("anthropic_messages", "claude-x", {"anthropic_version": "vertex-2030-01-01", "model": "x"})
    assert body_of(reshape(asked)) == {"anthropic_version": "vertex-2030-01-01"}


def test_claudes_tokens_are_counted_by_the_name_in_the_body() -> None:
    asked = outgoing("anthropic_count", "publishers/anthropic/models/claude-x", {"model": "ours", "messages": []})
    assert body_of(reshape(asked)) == {"model": "claude-x", "messages": [], "anthropic_version": "vertex-2023-10-16"}


def test_what_gemini_understands_goes_out_as_it_is() -> None:
    asked = outgoing("gemini_generate", "gemini-3-pro", {"contents": [], "model": "x"})
    assert reshape(asked) is asked.body
    asked = outgoing("gemini_count", "gemini-3-pro", {"contents": []})
    assert reshape(asked) is asked.body


def test_a_request_to_be_counted_is_sent_bare() -> None:
    inner = {"model": "models/gemini-3-pro", "contents": [1], "systemInstruction": {"parts": []}}
    asked = outgoing("gemini_count", "gemini-3-pro", {"generateContentRequest": inner})
    assert body_of(reshape(asked)) == {"contents": [1], "systemInstruction": {"parts": []}}


def embed(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "models/m", "content": {"parts": [{"text": text}]}} | more


def test_embeddings_of_gemini_have_their_settings_in_an_object() -> None:
    one = embed("a", taskType="RETRIEVAL_QUERY", outputDimensionality=64)
    asked = outgoing("gemini_embed", "gemini-embedding-2", one)
    inside = {"taskType": "RETRIEVAL_QUERY", "outputDimensionality": 64}
    assert body_of(reshape(asked)) == {"content": one["content"], "embedContentConfig": inside}
    assert answer(asked) is None
    several = outgoing("gemini_embed", "gemini-embedding-2", {"requests": [one, embed("b")]})
    assert body_of(reshape(several)) == {
        "requests": [
            {"content": one["content"], "embedContentConfig": inside},
            {"content": embed("b")["content"]},
        ]
    }


def test_older_embeddings_are_predicted() -> None:
    one = embed("a", taskType="RETRIEVAL_DOCUMENT", title="T", outputDimensionality=64)
    two = embed("b", embedContentConfig={"taskType": "RETRIEVAL_QUERY", "outputDimensionality": 64})
    assert body_of(reshape(outgoing("gemini_embed", "text-embedding-005", one))) == {
        "instances": [{"content": "a", "task_type": "RETRIEVAL_DOCUMENT", "title": "T"}],
        "parameters": {"outputDimensionality": 64},
    }
    assert body_of(reshape(outgoing("gemini_embed", "text-embedding-005", {"requests": [one, two]}))) == {
        "instances": [
            {"content": "a", "task_type": "RETRIEVAL_DOCUMENT", "title": "T"},
            {"content": "b", "task_type": "RETRIEVAL_QUERY"},
        ],
        "parameters": {"outputDimensionality": 64},
    }
    assert body_of(reshape(outgoing("gemini_embed", "text-embedding-005", embed("a")))) == {
        "instances": [{"content": "a"}]
    }


def test_both_spellings_of_googles_names_are_understood() -> None:
    snake = {"content": "a", "task_type": "CLUSTERING", "embed_content_config": {"output_dimensionality": 8}}
    assert body_of(reshape(outgoing("gemini_embed", "text-embedding-005", snake))) == {
        "instances": [{"content": "a", "task_type": "CLUSTERING"}],
        "parameters": {"outputDimensionality": 8},
    }
    assert body_of(reshape(outgoing("gemini_embed", "gemini-embedding-2", snake))) == {
        "content": "a",
        "embedContentConfig": {"taskType": "CLUSTERING", "outputDimensionality": 8},
    }
    counted = {"generate_content_request": {"model": "x", "contents": []}}
    assert body_of(reshape(outgoing("gemini_count", "gemini-3-pro", counted))) == {"contents": []}


@pytest.mark.parametrize(
    ("dialect", "model", "body"),
    [
        ("gemini_embed", "text-embedding-005", {"requests": [embed("a", outputDimensionality=1), embed("b")]}),
        ("gemini_embed", "text-embedding-005", {"content": {"parts": [{"inlineData": {}}]}}),
        ("gemini_embed", "text-embedding-005", {"content": 7}),
        ("gemini_embed", "text-embedding-005", {}),
        ("gemini_embed", "text-embedding-005", {"requests": "a"}),
        ("gemini_embed", "gemini-embedding-2", {"requests": ["a"]}),
        ("gemini_embed", "gemini-embedding-2", {"content": {}, "embedContentConfig": 3}),
        ("gemini_count", "gemini-3-pro", {"generateContentRequest": []}),
    ],
)
def test_what_cannot_be_reshaped_is_refused(dialect: str, model: str, body: object) -> None:
    with pytest.raises(RequestRefused) as refusal:
        reshape(outgoing(dialect, model, body))
    assert refusal.value.status == 400


def predictions(*counts: int | None) -> bytes:
    entries = [
        {"embeddings": {"values": [0.25, -1e-7]} | ({} if count is None else {"statistics": {"token_count": count}})}
        for count in counts
    ]
    return json.dumps({"predictions": entries, "metadata": {"billableCharacterCount": 9}}).encode()


def test_predictions_come_back_as_embeddings() -> None:
    one = answer(outgoing("gemini_embed", "text-embedding-005", embed("a")))
    several = answer(outgoing("gemini_embed", "text-embedding-005", {"requests": [embed("a"), embed("b")]}))
    assert one is not None
    assert several is not None
    values = {"values": [0.25, -1e-7]}
    assert json.loads(one(predictions(4))) == {"embedding": values, "usageMetadata": {"promptTokenCount": 4}}
    assert json.loads(several(predictions(4, 3))) == {
        "embeddings": [values, values],
        "usageMetadata": {"promptTokenCount": 7},
    }
    assert json.loads(several(predictions(4, None))) == {"embeddings": [values, values]}
    for bad in (b"{}", b"[", b'{"predictions": [{}]}', predictions(), predictions(1, 2)):
        with pytest.raises(UnreadableResponse):
            one(bad)


async def test_an_embedding_goes_out_and_comes_back(outbound: Outbound) -> None:
    async with open_upstream(reply(predictions(4))) as upstream:
        provider = outbound.provider(upstream.url, kind="vertex", options={"project": "p-1", "location": "us-east5"})
        incoming = await provider.send(outgoing("gemini_embed", "text-embedding-005", embed("a")))
        assert json.loads(await incoming.read())["usageMetadata"] == {"promptTokenCount": 4}
        seen = await upstream.was_asked()
        assert seen.path == "/v1/projects/p-1/locations/us-east5/publishers/google/models/text-embedding-005:predict"
        assert seen.json == {"instances": [{"content": "a"}]}
        again = await provider.send(outgoing("gemini_embed", "text-embedding-005", embed("a")))
        whole = await again.next_chunk()
        assert json.loads(whole)["embedding"] == {"values": [0.25, -1e-7]}
        assert await again.next_chunk() == b""
