"""OpenAI's dialects, judged by its SDK."""

from typing import Any

import openai
from openai.types import CreateEmbeddingResponse, EmbeddingCreateParams
from openai.types.chat import ChatCompletion, ChatCompletionChunk, completion_create_params
from openai.types.responses import Response, ResponseStreamEvent, response_create_params

from tests.contract.wires.wire import Json, Wire, adapter, answered, compact, data_lines, events_in, named_events, typed

_CARRIERS = frozenset({"reasoning_content", "reasoning_details", "extra_content"})
"""Fields of other services that speak chat: OpenAI's types have none of them, and let them through."""


def _chat_request(body: Json) -> None:
    typed(completion_create_params.CompletionCreateParamsNonStreaming, _without(body, _CARRIERS))


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(entry, names) for name, entry in value.items() if name not in names}
    return [_without(entry, names) for entry in value] if isinstance(value, list) else value


def _chat_reply(body: Json) -> None:
    ChatCompletion.model_validate(body)


def _chat_stream(events: list[Any]) -> None:
    assert events[-1] == "[DONE]"
    finishes = [choice["finish_reason"] for event in events[:-1] for choice in event["choices"]]
    for event in events[:-1]:
        if b'"custom"' not in compact(event):  # The SDK's chunks know functions only; it reads others unchecked.
            ChatCompletionChunk.model_validate(event)
    if b'"custom"' in compact(events):
        return  # Its accumulator, too.
    client = openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=answered(data_lines(events)))
    try:
        with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "Hi"}]) as stream:
            final = stream.get_final_completion()
        assert final.choices[0].finish_reason == finishes[-1]
    except openai.LengthFinishReasonError:
        assert finishes[-1] == "length"
    except openai.ContentFilterFinishReasonError:
        assert finishes[-1] == "content_filter"


def _responses_request(body: Json) -> None:
    typed(response_create_params.ResponseCreateParamsNonStreaming, body)


def _responses_reply(body: Json) -> None:
    Response.model_validate(body)


def _responses_stream(events: list[Any]) -> None:
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        adapter(ResponseStreamEvent).validate_python(event)
    client = openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=answered(named_events(events)))
    with client.responses.stream(model="m", input="Hi") as stream:
        for event in stream:
            del event
        if events[-1]["type"] == "response.completed":
            final = stream.get_final_response()
            assert [item.type for item in final.output] == [item["type"] for item in events[-1]["response"]["output"]]


def _embeddings_request(body: Json) -> None:
    tokens = body["input"]
    if isinstance(tokens[0], list):
        assert all(isinstance(token, int) for entry in tokens for token in entry)
        body = body | {"input": tokens[0]}  # Of several lists of tokens, which the type would take for one.
    typed(EmbeddingCreateParams, body)


def _embeddings_reply(body: Json) -> None:
    for entry in body["data"]:
        if isinstance(entry["embedding"], str):
            entry = body | {"data": []}  # noqa: PLW2901 -- the SDK unpacks base64 itself, its type has floats
            CreateEmbeddingResponse.model_validate(entry)
            return
    CreateEmbeddingResponse.model_validate(body)


OPENAI_CHAT = Wire(
    to_bytes=data_lines,
    from_bytes=events_in,
    check_request=_chat_request,
    check_reply=_chat_reply,
    check_stream=_chat_stream,
)
OPENAI_RESPONSES = Wire(
    to_bytes=named_events,
    from_bytes=events_in,
    check_request=_responses_request,
    check_reply=_responses_reply,
    check_stream=_responses_stream,
)
OPENAI_EMBEDDINGS = Wire(check_request=_embeddings_request, check_reply=_embeddings_reply)
