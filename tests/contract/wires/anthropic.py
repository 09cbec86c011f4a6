"""Anthropic's messages, judged by its SDK."""

from typing import Any

import anthropic
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types import message_create_params as params

from tests.contract.wires.wire import Json, Wire, adapter, answered, events_in, named_events, typed

_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
"""The SDK's types have them no more, because its newest models take none; older models do."""


def _messages_request(body: Json) -> None:
    typed(params.MessageCreateParamsNonStreaming, {k: v for k, v in body.items() if k not in _SAMPLING})


def _messages_reply(body: Json) -> None:
    Message.model_validate(body)


def _messages_stream(events: list[Any]) -> None:
    for event in events:
        if event["type"] == "ping":
            continue  # The SDK has no type for it, and passes it over.
        adapter(RawMessageStreamEvent).validate_python(event)
    client = anthropic.Anthropic(api_key="k", base_url="http://gateway", http_client=answered(named_events(events)))
    with client.messages.stream(model="m", max_tokens=1, messages=[{"role": "user", "content": "Hi"}]) as stream:
        final = stream.get_final_message()
    blocks = [event["content_block"]["type"] for event in events if event["type"] == "content_block_start"]
    assert [block.type for block in final.content] == blocks


ANTHROPIC_MESSAGES = Wire(
    to_bytes=named_events,
    from_bytes=events_in,
    check_request=_messages_request,
    check_reply=_messages_reply,
    check_stream=_messages_stream,
    unsaid=frozenset({"created_s"}),
)
