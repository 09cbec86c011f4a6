"""A Bedrock that is as strict as the real one: signatures checked by botocore, bodies by its service model, answers in
binary frames that are padded and cut anywhere.
"""

import base64
import json
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support import event_frames
from tests.support.bedrock_rules import Refused, check_converse
from tests.support.upstream import HangUp, Seen, Upstream, Wire, open_upstream

ACCESS_KEY, SECRET_KEY, SESSION = "AKIDSTRICT", "strict/secret+key", "strict-session-token"
API_KEY = "bedrock-api-key-strict"
REGION = "us-east-1"
STREAM = "application/vnd.amazon.eventstream"
PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0"
USAGE = {"inputTokens": 30, "outputTokens": 12, "totalTokens": 42}

_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)")
_PROOF = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)"
)


@dataclass(kw_only=True)
class Reply:
    """What the model answers, in Converse's blocks."""

    blocks: Sequence[dict[str, Any]] = ({"text": "Good morning, 世界"},)
    stop: str = "end_turn"
    usage: dict[str, Any] | None = field(default_factory=lambda: dict(USAGE))
    fields: dict[str, Any] | None = None
    exception: tuple[str, str] | None = None
    """Reported inside the stream, after so many events."""
    after: int = 2
    cut: bool = False
    """Whether the connection ends after so many events."""


@dataclass(kw_only=True)
class Failure:
    """An error instead of an answer."""

    status: int
    name: str
    message: str = "The model says no."


@dataclass
class StrictBedrock:
    """What was asked, and what will be answered."""

    replies: list[Reply | Failure] = field(default_factory=lambda: [Reply()])
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The bodies that were accepted."""
    models: list[str] = field(default_factory=list)
    proofs: list[str] = field(default_factory=list)
    url: str = ""
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    upstream: Upstream | None = None

    def will(self, *replies: Reply | Failure) -> None:
        """Answer the next requests so; the last one serves for all further ones."""
        self.replies = list(replies)

    async def serve(self, seen: Seen, wire: Wire) -> None:
        """See `Step`."""
        found = _PATH.fullmatch(seen.path)
        if found is None or seen.method != "POST":
            await _fail(wire, Failure(status=404, name="UnknownOperationException"))
            return
        if (reason := _unproven(seen)) is not None:
            await _fail(wire, Failure(status=403, name="InvalidSignatureException", message=reason))
            return
        model, operation = unquote(found[1]), found[2]
        try:
            body = json.loads(seen.body)
            _check(operation, model, body)
        except (Refused, ValueError) as error:
            await _fail(wire, Failure(status=400, name="ValidationException", message=str(error)))
            return
        self.asked.append(body)
        self.models.append(model)
        self.proofs.append(seen.header("authorization") or "")
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Failure):
            await _fail(wire, reply)
        elif operation == "count-tokens":
            await _whole(wire, {"inputTokens": 11})
        elif operation == "converse":
            await _whole(wire, converse_body(reply))
        elif operation == "converse-stream":
            await self._stream(wire, reply, converse_events(reply))
        elif operation == "invoke":
            await self._invoke(wire, model, body, reply)
        else:
            await self._stream(wire, reply, [("chunk", _chunk(event)) for event in claude_events(reply)])

    async def _invoke(self, wire: Wire, model: str, body: dict[str, Any], reply: Reply) -> None:
        if "titan-embed" in model:
            size = body.get("dimensions", 4)
            await _whole(wire, {"embedding": [0.5] * size, "inputTextTokenCount": len(body["inputText"].split())})
        elif "cohere.embed" in model:
            vectors = [[0.25] * body.get("output_dimension", 4) for _ in body["texts"]]
            count = sum(len(text.split()) for text in body["texts"])
            answer = {"id": "e", "response_type": "embeddings_by_type", "embeddings": {"float": vectors}}
            await _whole(wire, answer | {"texts": body["texts"]}, f"X-Amzn-Bedrock-Input-Token-Count: {count}\r\n")
        else:
            await _whole(wire, claude_body(reply))

    async def _stream(self, wire: Wire, reply: Reply, events: list[tuple[str, dict[str, Any]]]) -> None:
        await wire.send(f"HTTP/1.1 200 OK\r\nContent-Type: {STREAM}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        data = b""
        for number, (name, payload) in enumerate(events):
            if number == reply.after and reply.exception is not None:
                kind, message = reply.exception
                data += event_frames.exception(kind, json.dumps({"message": message}).encode())
                break
            if number == reply.after and reply.cut:
                data += event_frames.event(name, b"{}")[:20]
                break
            padded = payload | {"p": PADDING[: self.chance.randrange(len(PADDING))]}
            data += event_frames.event(name, json.dumps(padded, ensure_ascii=False).encode())
        while data:
            size = self.chance.choice((1, 2, 3, 7, 20, 90, 400))
            await wire.send(f"{len(data[:size]):x}\r\n".encode() + data[:size] + b"\r\n")
            data = data[size:]
        if reply.cut:
            raise HangUp
        await wire.send(b"0\r\n\r\n")


def _unproven(seen: Seen) -> str | None:
    """Why the request is not believed; None when it is."""
    shown = seen.header("authorization") or ""
    if shown == f"Bearer {API_KEY}":
        return None
    found = _PROOF.fullmatch(shown)
    if found is None:
        return "Authorization header requires a credential"
    key_id, day, region, service, names, signature = found.groups()
    stamp, token = seen.header("x-amz-date") or "", seen.header("x-amz-security-token")
    signed = names.split(";")
    needed = {"host", "x-amz-date"} | ({"x-amz-security-token"} if token else set())
    if (key_id, region, service) != (ACCESS_KEY, REGION, "bedrock") or not stamp.startswith(day):
        return "Credential should be scoped to a valid region and service"
    if not needed <= set(signed) or token not in {None, SESSION}:
        return "The security token included in the request is invalid"
    headers = {name: seen.header(name) or "" for name in signed}
    request = AWSRequest(seen.method, f"http://{seen.header('host')}{seen.path}", headers, seen.body)
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY, token), service, region)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return None if expected == signature else "The request signature we calculated does not match"


def _check_invoke(body: dict[str, Any]) -> None:
    if "anthropic_version" in body or "messages" in body:
        if body.get("anthropic_version") != "bedrock-2023-05-31":
            raise Refused("Malformed input request: anthropic_version is required")
        if extra := {"model", "stream"} & set(body):
            raise Refused(f"Malformed input request: extraneous key {sorted(extra)} is not permitted")
        if not {"max_tokens", "messages"} <= set(body):
            raise Refused("Malformed input request: required key is missing")
        return
    if "inputText" in body:
        allowed = {"inputText", "dimensions", "normalize", "embeddingTypes"}
        if not isinstance(body["inputText"], str) or set(body) - allowed:
            raise Refused("Malformed input request")
        return
    allowed = {"texts", "input_type", "truncate", "embedding_types", "output_dimension", "images"}
    if "texts" not in body or "input_type" not in body or set(body) - allowed:
        raise Refused("Malformed input request")


def _check(operation: str, model: str, body: dict[str, Any]) -> None:
    if operation == "count-tokens":
        _check_count(model, body)
    else:
        (check_converse if operation.startswith("converse") else _check_invoke)(body)


def _check_count(model: str, body: dict[str, Any]) -> None:
    if re.match(r"(us|eu|apac|global)\.|arn:", model):
        raise Refused("The provided model doesn't support counting tokens.")
    try:
        _check_invoke(json.loads(base64.b64decode(body["input"]["invokeModel"]["body"], validate=True)))
    except (KeyError, TypeError) as error:
        raise Refused("Malformed input request") from error


async def _fail(wire: Wire, failure: Failure) -> None:
    body = json.dumps({"message": failure.message}).encode()
    kind = f"{failure.name}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    head = f"HTTP/1.1 {failure.status} No\r\nx-amzn-ErrorType: {kind}\r\nContent-Type: application/json\r\n"
    await wire.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


async def _whole(wire: Wire, answer: dict[str, Any], more: str = "") -> None:
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    await wire.send(head.encode() + body)


def converse_body(reply: Reply) -> dict[str, Any]:
    """The answer in one piece."""
    answer: dict[str, Any] = {
        "output": {"message": {"role": "assistant", "content": list(reply.blocks)}},
        "stopReason": reply.stop,
        "usage": reply.usage,
        "metrics": {"latencyMs": 400},
    }
    return answer | ({"additionalModelResponseFields": reply.fields} if reply.fields else {})


def converse_events(reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    """The same answer as events."""
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(reply.blocks):
        at = {"contentBlockIndex": index}
        if "toolUse" in block:
            call = {name: value for name, value in block["toolUse"].items() if name != "input"}
            events.append(("contentBlockStart", at | {"start": {"toolUse": call}}))
        events += [("contentBlockDelta", at | {"delta": delta}) for delta in _deltas(block)]
        events.append(("contentBlockStop", at))
    more = {"additionalModelResponseFields": reply.fields} if reply.fields else {}
    events.append(("messageStop", {"stopReason": reply.stop} | more))
    if reply.usage is not None:
        events.append(("metadata", {"usage": reply.usage, "metrics": {"latencyMs": 400}}))
    return events


def _deltas(block: dict[str, Any]) -> list[dict[str, Any]]:
    if "text" in block:
        return [{"text": piece} for piece in _pieces(block["text"])]
    if "toolUse" in block:
        given = block["toolUse"]["input"]
        text = json.dumps(given) if given else ""
        return [{"toolUse": {"input": piece}} for piece in _pieces(text)]
    if "citationsContent" in block:
        cited = block["citationsContent"]
        texts = [{"text": piece["text"]} for piece in cited["content"]]
        return [*texts, *({"citation": citation} for citation in cited["citations"])]
    thoughts = block["reasoningContent"]
    if "redactedContent" in thoughts:
        return [{"reasoningContent": {"redactedContent": thoughts["redactedContent"]}}]
    said = thoughts["reasoningText"]
    deltas = [{"reasoningContent": {"text": piece}} for piece in _pieces(said["text"])]
    return [*deltas, {"reasoningContent": {"signature": said["signature"]}}] if "signature" in said else deltas


def _pieces(text: str) -> list[str]:
    return [text[start : start + 5] for start in range(0, len(text), 5)]


def claude_body(reply: Reply) -> dict[str, Any]:
    """The answer as Anthropic writes it: of texts."""
    usage = reply.usage or USAGE
    return {
        "id": "msg_bdrk_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": block["text"]} for block in reply.blocks],
        "stop_reason": reply.stop,
        "stop_sequence": None,
        "usage": {"input_tokens": usage["inputTokens"], "output_tokens": usage["outputTokens"]},
    }


def claude_events(reply: Reply) -> list[dict[str, Any]]:
    """The same as events."""
    whole = claude_body(reply)
    start = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(whole["content"]):
        at = {"index": index}
        events.append({"type": "content_block_start", **at, "content_block": {"type": "text", "text": ""}})
        for piece in _pieces(block["text"]):
            events.append({"type": "content_block_delta", **at, "delta": {"type": "text_delta", "text": piece}})
        events.append({"type": "content_block_stop", **at})
    delta = {"stop_reason": reply.stop, "stop_sequence": None}
    output = {"output_tokens": whole["usage"]["output_tokens"]}
    events.append({"type": "message_delta", "delta": delta, "usage": output})
    events.append({"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 30}})
    return events


def _chunk(event: dict[str, Any]) -> dict[str, Any]:
    return {"bytes": base64.b64encode(json.dumps(event, ensure_ascii=False).encode()).decode()}


@asynccontextmanager
async def open_bedrock(*replies: Reply | Failure) -> AsyncIterator[StrictBedrock]:
    """A Bedrock that answers so."""
    bedrock = StrictBedrock()
    if replies:
        bedrock.will(*replies)
    async with open_upstream(bedrock.serve) as upstream:
        bedrock.upstream = upstream
        bedrock.url = f"http://127.0.0.1:{upstream.port}"
        yield bedrock
