"""Counting a message's tokens."""

import json

import anthropic
import httpx2
import pytest

from enfilade.core.errors import InternalError
from enfilade.core.messages import Conversation, Message, ResponseFormat, Role, Text, Thinking, Tool
from enfilade.dialects.codec import Operation, Upstream
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.members.anthropic_count import DIALECT, CountCodec
from enfilade.dialects.members.anthropic_messages import DIALECT as MESSAGES
from enfilade.dialects.members.anthropic_messages.codec import CODEC as MESSAGES_CODEC
from enfilade.dialects.types import ReplyFacts

CODEC = CountCodec()
BODY = (
    b'{"model":"claude","system":"Be brief.","messages":[{"role":"user","content":"Hi"}],'
    b'"thinking":{"type":"adaptive"},"a_new_field":2.50}'
)
HI = Message(Role.USER, (Text("Hi"),))


def test_it_costs_nothing_and_makes_nothing() -> None:
    request = DIALECT.parse(BODY)
    assert (request.is_free, request.makes_output, request.stream, request.max_output) == (True, False, False, None)
    assert DIALECT.operation is Operation.COUNT
    assert DIALECT.read_reply(b'{"input_tokens":2095}') == ReplyFacts()


def test_it_passes_as_it_came() -> None:
    sent = DIALECT.render_request(DIALECT.parse(BODY), "up-1", max_output=5, max_output_field="max_tokens")
    assert sent == BODY.replace(b'"claude"', b'"up-1"')


def test_the_conversation_is_that_of_a_message() -> None:
    question = CODEC.question(DIALECT.parse(BODY))
    message = MESSAGES_CODEC.question(MESSAGES.parse(BODY[:-1] + b',"max_tokens":9}'))
    assert question.messages == message.messages == (HI,)
    assert question.system == message.system
    assert question.thinking == message.thinking == Thinking(enabled=True)
    assert question.max_output_tokens is None
    assert question.foreign == ("a_new_field",)


def test_only_what_the_model_is_shown_is_written() -> None:
    question = Conversation(
        (HI,),
        system=(Text("Be brief."),),
        tools=(Tool("n"),),
        max_output_tokens=5,
        temperature=0.5,
        stop=("END",),
        seed=1,
        user="u",
        thinking=Thinking(effort="low"),
        response_format=ResponseFormat("schema", schema={"type": "object"}),
    )
    assert json.loads(CODEC.write(question, Upstream("claude-opus-4-8"))) == {
        "model": "claude-opus-4-8",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "system": [{"type": "text", "text": "Be brief."}],
        "tools": [{"name": "n", "input_schema": {"type": "object", "properties": {}}}],
        "thinking": {"type": "adaptive"},
        "output_config": {
            "effort": "low",
            "format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}},
        },
    }


def test_the_sdk_reads_the_answer_and_makes_the_request() -> None:
    body = CODEC.render(CODEC.read(b'{"input_tokens":2095,"new":1}', Upstream("claude")), DIALECT.parse(BODY))
    asked: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.read())
        assert request.url.path == DIALECT.path
        return httpx2.Response(200, json=json.loads(body))

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as http,
        anthropic.Anthropic(api_key="k", base_url="http://test.invalid", http_client=http) as client,
    ):
        found = client.messages.count_tokens(model="claude", messages=[{"role": "user", "content": "Hi"}])
    assert found.input_tokens == 2095
    assert CODEC.question(DIALECT.parse(asked[0])) == Conversation((HI,))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"input_tokens":null}', b'{"input_tokens":"1"}', b"[1]"])
def test_what_is_no_count_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableReply):
        CODEC.read(body, Upstream("claude"))


def test_there_is_nothing_to_stream() -> None:
    with pytest.raises(InternalError):
        DIALECT.stream_reader(DIALECT.parse(BODY))
