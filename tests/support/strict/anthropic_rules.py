"""What Anthropic refuses: https://docs.anthropic.com/en/api/messages, and the pages on tools and thinking."""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from anthropic.types import message_count_tokens_params, message_create_params
from pydantic_core import SchemaValidator

from tests.support.strict.schemas import check_type, strict_validator
from tests.support.strict.signing import signature, unsealed
from tests.support.strict.types import Refused, require

MIN_BUDGET, MAX_MARKS, LEAST_TOP_P = 1024, 4, 0.95
TOOL_ID, TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]+"), re.compile(r"[a-zA-Z0-9_-]{1,128}")
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_SAMPLING = ("temperature", "top_p", "top_k")
_THOUGHTS = ("thinking", "redacted_thinking")
_UNBOUNDED = {"minimum", "maximum", "minLength", "maxLength", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"}


@lru_cache
def _types(kind: str) -> SchemaValidator:
    if kind == "count":
        return strict_validator(message_count_tokens_params.MessageCountTokensParams)
    streaming, whole = "MessageCreateParamsStreaming", "MessageCreateParamsNonStreaming"
    return strict_validator(getattr(message_create_params, streaming if kind == "stream" else whole))


def check_messages(body: Any) -> None:
    """Raise Refused for a body that messages do not take."""
    require(isinstance(body, dict), "The request body is not valid JSON")
    # The newest SDK has no settings for sampling any more; models up to generation 4.6 take them.
    sampling = {name: body[name] for name in _SAMPLING if name in body}
    plain = {name: value for name, value in body.items() if name not in sampling}
    check_type(_types("stream" if body.get("stream") else "whole"), plain)
    for name, value in sampling.items():
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        require(fits and (name != "top_k" or isinstance(value, int)), f"{name}: Input should be a valid number")
    require(body["max_tokens"] >= 1, "max_tokens: must be greater than or equal to 1", param="max_tokens")
    _check_settings(body)
    check_input(body)
    _check_thinking(body)


def check_count(body: Any) -> None:
    """Raise Refused for a body whose tokens are not counted."""
    require(isinstance(body, dict), "The request body is not valid JSON")
    check_type(_types("count"), body)
    check_input(body)


def check_input(body: dict[str, Any]) -> None:
    """What counts as input: turns, system, tools."""
    messages = body["messages"]
    _check_texts(body.get("system"), "system")
    _check_roles(messages)
    _check_tools(body)
    marks = 0
    for index, message in enumerate(messages):
        blocks = _blocks(message)
        is_last = index == len(messages) - 1 and message["role"] == "assistant"
        text = f"messages.{index}: all messages must have non-empty content except for the optional final assistant message"
        require(bool(message["content"]) or is_last, text)
        _check_texts(message["content"], f"messages.{index}.content")
        for number, block in enumerate(blocks):
            _check_block(block, f"messages.{index}.content.{number}")
    for block in _all_blocks(body):
        marks += block.get("cache_control") is not None
    require(marks <= MAX_MARKS, f"A maximum of {MAX_MARKS} blocks with cache_control may be provided. Found {marks}.")
    _check_calls(messages)


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _all_blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from body.get("tools") or ()
    if isinstance(body.get("system"), list):
        yield from body["system"]
    for message in body["messages"]:
        for block in _blocks(message):
            yield block
            if isinstance(block.get("content"), list):
                yield from block["content"]


def _check_texts(content: Any, place: str) -> None:
    for block in content if isinstance(content, list) else ():
        if block["type"] == "text":
            require(bool(block["text"]), f"{place}: text content blocks must be non-empty", param=place)
            require(bool(block["text"].strip()), f"{place}: text content blocks must contain non-whitespace text")


def _check_roles(messages: list[dict[str, Any]]) -> None:
    require(bool(messages), "messages: at least one message is required", param="messages")
    require(messages[0]["role"] == "user", 'messages: first message must use the "user" role', param="messages")
    last = messages[-1]
    if last["role"] == "assistant" and (blocks := _blocks(last)) and blocks[-1]["type"] == "text":
        text = blocks[-1]["text"]
        message = "messages: final assistant content cannot end with trailing whitespace"
        require(text == text.rstrip(), message, param="messages")


def _check_block(block: dict[str, Any], place: str) -> None:
    kind = block["type"]
    if kind == "thinking" and block["signature"] != signature(block["thinking"]):
        raise Refused(f"{place}: Invalid `signature` in `thinking` block")
    if kind == "redacted_thinking" and unsealed(block["data"]) is None:
        raise Refused(f"{place}: Invalid `data` in `redacted_thinking` block")
    if kind == "tool_use":
        require(TOOL_ID.fullmatch(block["id"]) is not None, f"{place}.tool_use.id: String should match pattern")
        require(TOOL_NAME.fullmatch(block["name"]) is not None, f"{place}.tool_use.name: String should match pattern")
    if kind == "tool_result":
        _check_texts(block.get("content"), f"{place}.tool_result.content")
        for number, inner in enumerate(block["content"] if isinstance(block.get("content"), list) else ()):
            _check_block(inner, f"{place}.tool_result.content.{number}")
    if kind in {"image", "document"} and (source := block["source"])["type"] == "base64":
        allowed = _IMAGES if kind == "image" else ("application/pdf",)
        require(source["media_type"] in allowed, f"{place}.{kind}.source.base64.media_type: Input should be {allowed}")
        try:
            require(bool(base64.b64decode(source["data"], validate=True)), f"{place}: image cannot be empty")
        except binascii.Error:
            raise Refused(f"{place}.{kind}.source.base64: invalid base64 data") from None


def _check_calls(messages: list[dict[str, Any]]) -> None:
    """Consecutive turns of one role count as one."""
    open_calls: list[str] = []
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    for message in messages:
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(_blocks(message))
        else:
            turns.append((message["role"], list(_blocks(message))))
    for index, (role, blocks) in enumerate(turns):
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        for found in results:
            text = f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {found}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            require(found in open_calls and results.count(found) == 1, text)
        missing = [found for found in open_calls if found not in results]
        text = f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing}."
        require(not missing, text)
        firsts = [block["type"] == "tool_result" for block in blocks]
        if role == "user" and open_calls:
            require(sorted(firsts, reverse=True) == firsts, f"messages.{index}: `tool_result` blocks must come first")
        open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        require(len(set(open_calls)) == len(open_calls), "messages: `tool_use` ids must be unique")
    require(not open_calls, "messages: `tool_use` ids were found without `tool_result` blocks")


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools") or []
    names = [tool["name"] for tool in tools]
    require(len(set(names)) == len(names), "tools: Tool names must be unique.", param="tools")
    for index, tool in enumerate(tools):
        if "input_schema" in tool:
            place = f"tools.{index}.custom"
            require(TOOL_NAME.fullmatch(tool["name"]) is not None, f"{place}.name: String should match pattern")
            require(
                tool["input_schema"].get("type") == "object", f"{place}.input_schema.type: Input should be 'object'"
            )
            if tool.get("strict"):
                _check_schema(tool["input_schema"], f"{place}.input_schema")
    choice = body.get("tool_choice")
    if choice is not None:
        require(bool(tools), "tool_choice may only be specified while providing tools", param="tool_choice")
        if choice["type"] == "tool":
            require(choice["name"] in names, f"Tool '{choice['name']}' not found in provided tools")


def _check_settings(body: dict[str, Any]) -> None:
    for name in ("temperature", "top_p"):
        value = body.get(name)
        require(value is None or 0 <= value <= 1, f"{name}: range: 0..1", param=name)
    both = body.get("temperature") is not None and body.get("top_p") is not None
    require(not both, "`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    for entry in body.get("stop_sequences") or ():
        require(bool(entry.strip()), "stop_sequences: each stop sequence must contain non-whitespace")
    wanted = (body.get("output_config") or {}).get("format")
    if wanted is not None:
        _check_schema(wanted["schema"], "output_config.format.schema")


def _check_schema(schema: Any, place: str) -> None:
    if isinstance(schema, list):
        for entry in schema:
            _check_schema(entry, place)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        message = f"{place}: For 'object' type, 'additionalProperties' must be explicitly set to false"
        require(schema.get("additionalProperties") is False, message)
    if extra := _UNBOUNDED & set(schema):
        raise Refused(f"{place}: For '{schema.get('type')}' type, properties {sorted(extra)} are not supported")
    for name, value in schema.items():
        if name in {"properties", "$defs"}:
            for entry in value.values():
                _check_schema(entry, place)
        elif name in {"items", "anyOf", "allOf"}:
            _check_schema(value, place)


def _check_thinking(body: dict[str, Any]) -> None:
    thinking = body.get("thinking") or {}
    if thinking.get("type") not in {"enabled", "adaptive"}:
        return
    message = "`temperature` may only be set to 1 when thinking is enabled."
    require(body.get("temperature") in {None, 1}, message, param="temperature")
    require(body.get("top_k") is None, "`top_k` must be unset when thinking is enabled.", param="top_k")
    top_p = body.get("top_p")
    message = f"`top_p` must be greater than or equal to {LEAST_TOP_P} or unset when thinking is enabled."
    require(top_p is None or top_p >= LEAST_TOP_P, message, param="top_p")
    forced = (body.get("tool_choice") or {}).get("type") in {"any", "tool"}
    require(not forced, "Thinking may not be enabled when tool_choice forces tool use.")
    last = body["messages"][-1]
    is_prefilled = last["role"] == "assistant"
    require(not is_prefilled, "Expected a final user message: prefill is not supported while thinking.")
    budget = thinking.get("budget_tokens")
    if budget is None:
        return
    message = f"thinking.enabled.budget_tokens: Input should be greater than or equal to {MIN_BUDGET}"
    require(budget >= MIN_BUDGET, message)
    require(budget < body["max_tokens"], "`max_tokens` must be greater than `thinking.budget_tokens`.")
    for message in reversed(body["messages"]):
        blocks = _blocks(message)
        if message["role"] == "assistant":
            calls = any(block["type"] == "tool_use" for block in blocks)
            text = "Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block."
            require(not calls or blocks[0]["type"] in _THOUGHTS, text)
            return
        if not any(block["type"] == "tool_result" for block in blocks):
            return
