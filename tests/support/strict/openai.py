"""What OpenAI's dialects share as a service: errors, embeddings; and what some that speak its chat do otherwise."""

import base64
import re
import struct
from functools import lru_cache
from typing import Any

from openai.types import embedding_create_params
from pydantic_core import SchemaValidator

from tests.support.strict.chat_rules import check_chat, check_turns
from tests.support.strict.schemas import check_type, strict_validator
from tests.support.strict.streams import Event
from tests.support.strict.types import Failure, Refused, Reply, require

FAILURES = {
    "rate": (429, "requests", "rate_limit_exceeded", "Rate limit reached for gpt-4o in organization org-0f00 on RPM."),
    "quota": (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "overloaded": (503, "server_error", None, "The engine is currently overloaded, please try again later"),
    "key": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: {key}. See {url}."),
    "context": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 210000 tokens.",
    ),
    "filter": (
        400,
        "invalid_request_error",
        "content_policy_violation",
        "Your request was rejected by our safety system.",
    ),
    "field": (400, "invalid_request_error", "invalid_value", "Invalid 'max_completion_tokens': too large."),
    "model": (404, "invalid_request_error", "model_not_found", "The model `gpt-9` does not exist."),
    "server": (500, "server_error", None, "The server had an error at {url}."),
    "timeout": (408, "timeout", None, "The request took too long."),
}
_PARAMS = {"field": "max_completion_tokens", "context": "messages"}
MAX_INPUTS = 2048
MISTRALS = re.compile(
    r"model|messages|temperature|top_p|max_tokens|stream|stop|random_seed|response_format|tools|tool_choice|"
    r"presence_penalty|frequency_penalty|n|prediction|parallel_tool_calls|prompt_mode|safe_prompt|reasoning_effort"
)


def failure_body(message: str, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    """An error as OpenAI writes it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refused(error: Refused) -> tuple[int, dict[str, Any]]:
    """The same for a body that was refused."""
    return error.status, failure_body(error.message, "invalid_request_error", error.param, error.code)


def failed(failure: Failure, key: str, url: str) -> tuple[int, dict[str, Any]]:
    """The same for a failure."""
    status, kind, code, message = FAILURES[failure.kind]
    return status, failure_body(message.format(key=key, url=url), kind, _PARAMS.get(failure.kind), code)


def failure_event(body: dict[str, Any]) -> Event:
    """An error inside a stream of chat."""
    return None, body


def check_mistral(body: Any) -> None:
    """Raise Refused for what Mistral's chat does not take."""
    extra = [name for name in body if not MISTRALS.fullmatch(name)]
    require(not extra, f"Extra inputs are not permitted: {extra}", param=",".join(extra), code="extra_forbidden")
    for message in body["messages"]:
        for found in [call["id"] for call in message.get("tool_calls") or ()] + [message.get("tool_call_id")]:
            fits = found is None or re.fullmatch(r"[a-zA-Z0-9]{9}", found) is not None
            require(fits, f"Tool call id was {found} but must be a-z, A-Z, 0-9, with a length of 9.")
    check_turns(body["messages"])


def mistral_id(reply: Reply, number: int) -> str:
    """As Mistral makes the ids of calls."""
    return f"{reply.serial:0>4}{number:05d}"


def check_deepseek(body: Any) -> None:
    """Raise Refused for what DeepSeek's chat does not take: the thoughts have to come back with the calls of the same
    question, and nothing else may hold any.
    """
    plain = dict(body)
    plain["messages"] = [
        {name: value for name, value in message.items() if name != "reasoning_content"} for message in body["messages"]
    ]
    require(plain.pop("max_completion_tokens", None) is None, "unknown field `max_completion_tokens`")
    plain.pop("reasoning_effort", None)
    plain.pop("thinking", None)
    check_chat(plain)
    for message in reversed(body["messages"]) if "reasoner" in body["model"] else ():
        if message["role"] == "user":
            break
        if message["role"] == "assistant" and message.get("tool_calls"):
            text = "Missing `reasoning_content` field in the assistant message"
            require(message.get("reasoning_content") is not None, text)


@lru_cache
def _embedding_types() -> SchemaValidator:
    return strict_validator(embedding_create_params.EmbeddingCreateParams)


def check_embeddings(body: Any) -> None:
    """Raise Refused for a body that embeddings do not take."""
    check_type(_embedding_types(), body)
    inputs = [body["input"]] if isinstance(body["input"], str) else body["input"]
    require(0 < len(inputs) <= MAX_INPUTS, "'$.input' is invalid.", param="input")
    require(all(entry not in ("", []) for entry in inputs), "input cannot be an empty string", param="input")
    is_newer = not body["model"].startswith("text-embedding-ada")
    require(body.get("dimensions") is None or is_newer, "This model does not support specifying dimensions.")


def embeddings_reply(body: dict[str, Any]) -> dict[str, Any]:
    """A vector for each input, in the form that was asked for."""
    given = body["input"]
    inputs = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    data = []
    for index in range(len(inputs)):
        vector: Any = [index + 0.5] * (body.get("dimensions") or 3)
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}
