"""The simulated Bedrock is one that boto3 takes for the real one: what it accepts, answers and refuses."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from enfilade.providers.errors import CredentialsRefused
from enfilade.providers.types import Outgoing
from tests.support.outbound import Outbound
from tests.support.strict_bedrock import (
    ACCESS_KEY,
    REGION,
    SECRET_KEY,
    SESSION,
    Failure,
    Reply,
    StrictBedrock,
    open_bedrock,
)

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ASKED = [{"role": "user", "content": [{"text": "Hi"}]}]
BLOCKS: list[dict[str, Any]] = [
    {"reasoningContent": {"reasoningText": {"text": "Let me think about it.", "signature": "c2ln"}}},
    {"text": "A calm wörld 世界, in pieces"},
    {"toolUse": {"toolUseId": "tooluse_1", "name": "look", "input": {"a": [1, "ü"]}}},
]
Client = Any


async def by_boto3(bedrock: StrictBedrock, use: Callable[[Client], Any], secret: str = SECRET_KEY) -> Any:
    """What boto3 makes of the server; in a thread, as it waits."""

    def run() -> Any:
        client: Client = boto3.client(
            "bedrock-runtime",
            endpoint_url=bedrock.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=secret,
            aws_session_token=SESSION,
            config=Config(retries={"max_attempts": 0}, connect_timeout=20, read_timeout=20),
        )
        try:
            return use(client)
        finally:
            client.close()

    return await asyncio.to_thread(run)


def events_of(stream: Any) -> list[Any]:
    """All events; a stream that fails would keep its socket."""
    try:
        return list(stream)
    finally:
        stream.close()


async def test_boto3_gets_a_whole_answer() -> None:
    async with open_bedrock(Reply(blocks=BLOCKS, stop="tool_use")) as bedrock:
        answer = await by_boto3(bedrock, lambda client: client.converse(modelId=MODEL, messages=ASKED))
        assert answer["output"]["message"]["content"] == BLOCKS
        assert answer["stopReason"] == "tool_use"
        assert bedrock.models == [MODEL]


async def test_boto3_reads_the_frames_of_a_stream() -> None:
    def use(client: Client) -> list[Any]:
        return events_of(client.converse_stream(modelId=MODEL, messages=ASKED)["stream"])

    async with open_bedrock(Reply(blocks=BLOCKS, stop="tool_use")) as bedrock:
        events = await by_boto3(bedrock, use)
    deltas = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
    said = "".join(delta["delta"].get("text", "") for delta in deltas)
    given = "".join(delta["delta"].get("toolUse", {}).get("input", "") for delta in deltas)
    assert said == "A calm wörld 世界, in pieces"
    assert json.loads(given) == {"a": [1, "ü"]}
    assert next(iter(events[-1])) == "metadata"


async def test_boto3_invokes_claude_and_embeddings() -> None:
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}

    def use(client: Client) -> Any:
        whole = json.loads(client.invoke_model(modelId=MODEL, body=json.dumps(body))["body"].read())
        stream = client.invoke_model_with_response_stream(modelId=MODEL, body=json.dumps(body))["body"]
        events = [json.loads(event["chunk"]["bytes"]) for event in events_of(stream)]
        titan = client.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=json.dumps({"inputText": "a b"}))
        return whole, events, json.loads(titan["body"].read())

    async with open_bedrock() as bedrock:
        whole, events, titan = await by_boto3(bedrock, use)
    assert whole["content"][0]["text"] == "Good morning, 世界"
    assert [event["type"] for event in (events[0], events[-1])] == ["message_start", "message_stop"]
    assert titan["inputTextTokenCount"] == 2


async def test_boto3_knows_the_errors() -> None:
    def stream(client: Client) -> list[Any]:
        return events_of(client.converse_stream(modelId=MODEL, messages=ASKED)["stream"])

    async with open_bedrock(Failure(status=429, name="ThrottlingException")) as bedrock:
        with pytest.raises(ClientError) as caught:
            await by_boto3(bedrock, lambda client: client.converse(modelId=MODEL, messages=ASKED))
        assert caught.value.response["Error"]["Code"] == "ThrottlingException"
        bedrock.will(Reply(exception=("modelStreamErrorException", "broken")))
        with pytest.raises(EventStreamError, match="broken"):
            await by_boto3(bedrock, stream)


@pytest.mark.parametrize("model", [MODEL, f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/{MODEL}"])
async def test_boto3_writes_models_into_paths_as_we_do(outbound: Outbound, model: str) -> None:
    async with open_bedrock() as bedrock:
        await by_boto3(bedrock, lambda client: client.converse(modelId=model, messages=ASKED))
        assert bedrock.upstream is not None
        ours = outbound.provider(bedrock.url, kind="bedrock", key="k", region=REGION)
        dialect = outbound.dialects.get("bedrock_converse")
        with pytest.raises(CredentialsRefused):
            await ours.send(Outgoing("call-1", dialect, outbound.ask().request, b"{}", model))
        theirs, mine = bedrock.upstream.seen
        assert (mine.method, mine.path) == (theirs.method, theirs.path)


async def test_a_wrong_signature_is_refused() -> None:
    async with open_bedrock() as bedrock:
        with pytest.raises(ClientError, match="does not match"):
            await by_boto3(bedrock, lambda client: client.converse(modelId=MODEL, messages=ASKED), secret="wrong")
        assert bedrock.asked == []


def turn(role: str, *content: Any) -> dict[str, Any]:
    return {"role": role, "content": list(content)}


CALL = {"toolUse": {"toolUseId": "t1", "name": "look", "input": {}}}
RESULT = {"toolResult": {"toolUseId": "t1", "content": [{"text": "seen"}]}}
TOOLS = {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}]}
PDF = {"document": {"format": "pdf", "name": "a", "source": {"bytes": b"x"}}}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"messages": [turn("user", {"text": " "})]}, "blank"),
        ({"messages": [turn("assistant", {"text": "a"})]}, "start with a user"),
        ({"messages": [turn("user", {"text": "a"}), turn("user", {"text": "b"})]}, "alternate"),
        ({"messages": [turn("user", {"text": "a"}), turn("assistant", CALL), turn("user", RESULT)]}, "toolConfig"),
        ({"messages": [turn("user", {"text": "a"}), turn("assistant", CALL), turn("user", {"text": "x"})]}, "answer"),
        ({"messages": [turn("user", {"text": "a"}), turn("assistant", {"text": "x "})]}, "white space"),
        ({"messages": [turn("user", PDF)]}, "text beside"),
        ({"messages": [turn("user", {"text": "a"}, PDF, PDF)]}, "unique"),
        ({"messages": ASKED, "toolConfig": TOOLS | {"toolChoice": {"tool": {"name": "other"}}}}, "must be a tool"),
    ],
)
async def test_what_bedrock_refuses_is_refused(asked: dict[str, Any], said: str) -> None:
    """Beyond what boto3 itself checks."""
    async with open_bedrock() as bedrock:
        with pytest.raises(ClientError, match=said) as caught:
            await by_boto3(bedrock, lambda client: client.converse(modelId=MODEL, **asked))
        assert caught.value.response["Error"]["Code"] == "ValidationException"
