"""What the official SDK sends and what it makes of errors, embeddings and counts."""

import httpx
import pytest
from google import genai
from google.genai import errors, types

from enfilade.core.errors import EnfiladeError, LimitReached, NotFound, UpstreamFailed
from enfilade.core.messages import (
    Completion,
    Embeddings,
    Finish,
    Media,
    Text,
)
from enfilade.dialects.members.gemini_embed import DIALECT as EMBED
from enfilade.dialects.members.gemini_generate import DIALECT
from enfilade.dialects.members.gemini_generate.codec import CODEC
from tests.unit.dialects.gemini.far import TOLD, USAGE, Far
from tests.unit.dialects.gemini.wires import asked


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (LimitReached("Too many.", retry_after=1.5), errors.ClientError, "RESOURCE_EXHAUSTED"),
        (NotFound("No such model.", param="model"), errors.ClientError, "NOT_FOUND"),
        (UpstreamFailed("It broke."), errors.ServerError, "UNAVAILABLE"),
    ],
)
def test_errors_are_of_the_sdks_classes(error: EnfiladeError, kind: type[errors.APIError], status: str) -> None:
    options = types.HttpRetryOptions(attempts=1)
    with pytest.raises(kind) as raised:
        Far(error).client.models.generate_content(
            model="chat",
            contents="Hi",
            config=types.GenerateContentConfig(http_options=types.HttpOptions(retry_options=options)),
        )
    assert raised.value.code == error.status
    assert raised.value.status == status
    assert error.message in (raised.value.message or "")
    details = raised.value.details["error"]["details"]
    retry = [entry["retryDelay"] for entry in details if entry["@type"].endswith("RetryInfo")]
    assert retry == ([] if error.retry_after is None else ["1.5s"])


def test_what_the_sdk_configures_is_understood() -> None:
    far = Far(Completion("r1", "gpt-x", 0, (Text("{}"),), Finish.STOP, USAGE))
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        temperature=0,
        top_k=3,
        max_output_tokens=40,
        stop_sequences=["END"],
        response_mime_type="application/json",
        response_json_schema={"type": "object"},
        thinking_config=types.ThinkingConfig(thinking_budget=0, include_thoughts=False),
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="f")])],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.NONE)
        ),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    picture = types.Part.from_bytes(data=b"\x89PNG", mime_type="image/png")
    far.client.models.generate_content(model="chat", contents=["Hi", picture], config=config)
    request = far.requests[0]
    found = CODEC.question(request)
    assert (request.max_output, request.media, request.stream) == (40, 1, False)
    assert found.foreign == found.harmless == ()
    assert found.messages[0].parts == (Text("Hi"), Media("image", "image/png", data="iVBORw=="))
    assert (found.temperature, found.top_k, found.stop) == (0.0, 3, ("END",))
    assert [tool.name for tool in found.tools] == ["f"]


def test_embeddings_and_counts_are_read_by_the_sdk() -> None:
    far = Far(Embeddings(((0.5, -1.0), "AAAAPwAAgL8="), "emb", None))
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=2)
    found = far.client.models.embed_content(model="emb", contents=["a", "b"], config=config)
    assert [vector.values for vector in found.embeddings or ()] == [[0.5, -1.0], [0.5, -1.0]]
    question = EMBED.codec.question(far.requests[0]) if EMBED.codec else None
    assert question is not None
    assert (question.inputs, question.task, question.dimensions) == (("a", "b"), "query", 2)
    assert question.foreign == ()
    assert Far(31).client.models.count_tokens(model="chat", contents="Hi").total_tokens == 31


def test_an_error_inside_a_stream_is_raised_by_the_sdk() -> None:
    begun = CODEC.writer(asked(), "call-1", 0)
    content = b"".join(begun.write(happening) for happening in TOLD[:7])
    content += DIALECT.render_error_event(UpstreamFailed("It broke."), "call-1")
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    options = types.HttpOptions(base_url="http://gateway.example", httpx_client=httpx.Client(transport=transport))
    stream = genai.Client(api_key="key", http_options=options).models.generate_content_stream(model="m", contents="Hi")
    with pytest.raises(errors.ServerError) as raised:
        list(stream)
    assert raised.value.code == 502
    assert raised.value.status == "UNAVAILABLE"
