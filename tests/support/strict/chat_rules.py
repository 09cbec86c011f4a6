"""What OpenAI's chat completions refuse: https://platform.openai.com/docs/api-reference/chat/create."""

import base64
import binascii
import json
import re
from functools import lru_cache
from typing import Any

from openai.types.chat import completion_create_params as params
from pydantic_core import SchemaValidator

from tests.support.strict.schemas import check_closed, check_type, strict_validator
from tests.support.strict.types import Refused, require

MAX_STOP, MAX_TOOL_ID, MAX_TOP_LOGPROBS, MAX_METADATA = 4, 40, 20, 16
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
REASONS = re.compile(r"(o\d|gpt-5)")
_FIXED_WHILE_REASONING = ("top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias")
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@lru_cache
def _types(*, streamed: bool) -> SchemaValidator:
    if streamed:
        return strict_validator(params.CompletionCreateParamsStreaming)
    return strict_validator(params.CompletionCreateParamsNonStreaming)


def check_chat(body: Any) -> None:
    """Raise Refused for a body that chat completions do not take."""
    require(isinstance(body, dict), "We could not parse the JSON body of your request.")
    check_type(_types(streamed=bool(body.get("stream"))), body | {"messages": _unannotated(body.get("messages"))})
    check_settings(body)
    _check_reasoning_model(body)
    check_tools(body)
    check_format(body.get("response_format"), body["messages"])
    check_turns(body["messages"])


def _unannotated(messages: Any) -> Any:
    """Messages are taken back as they were given, though the SDK's types know no annotations in them."""
    return [
        {name: value for name, value in message.items() if name != "annotations" or message["role"] != "assistant"}
        for message in messages
    ]


def check_range(body: dict[str, Any], name: str, low: float, high: float) -> None:
    """Raise Refused for a number out of its range."""
    value = body.get(name)
    if value is not None and not low <= value <= high:
        message = f"Invalid '{name}': expected a value between {low} and {high}, but got {value} instead."
        raise Refused(message, param=name, code="decimal_out_of_range")


def check_settings(body: dict[str, Any]) -> None:
    """What is said of the sampling and the like."""
    for name, low, high in (
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("presence_penalty", -2, 2),
        ("frequency_penalty", -2, 2),
        ("top_logprobs", 0, MAX_TOP_LOGPROBS),
        ("n", 1, 128),
    ):
        check_range(body, name, low, high)
    for name in ("max_tokens", "max_completion_tokens"):
        require((body.get(name) or 1) >= 1, f"Invalid '{name}': expected >= 1.", param=name)
    stop = body.get("stop")
    if isinstance(stop, list):
        message = f"Invalid 'stop': array too long. Expected an array with maximum length {MAX_STOP}."
        require(len(stop) <= MAX_STOP, message, param="stop", code="array_above_max_length")
    require(
        body.get("stream_options") is None or body.get("stream") is True,
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        param="stream_options",
    )
    require(
        body.get("top_logprobs") is None or body.get("logprobs") is True,
        "'logprobs' must be true when 'top_logprobs' is given.",
        param="top_logprobs",
    )
    metadata = body.get("metadata") or {}
    fits = len(metadata) <= MAX_METADATA and all(isinstance(value, str) for value in metadata.values())
    require(fits, "Invalid 'metadata'.", param="metadata")


def _check_reasoning_model(body: dict[str, Any]) -> None:
    if not REASONS.match(body["model"]):
        require("reasoning_effort" not in body, "Unrecognized request argument supplied: reasoning_effort")
        return
    if body.get("max_tokens") is not None:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise Refused(message, param="max_tokens", code="unsupported_parameter")
    if body.get("reasoning_effort") == "none":
        return
    temperature = body.get("temperature")
    message = "Unsupported value: 'temperature' does not support that value with this model."
    require(temperature in {None, 1}, message, param="temperature", code="unsupported_value")
    for name in _FIXED_WHILE_REASONING:
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        require(body.get(name) is None, message, param=name, code="unsupported_parameter")


def check_tools(body: dict[str, Any]) -> None:
    """Names, strict schemas, and the choice among them."""
    tools = body.get("tools")
    require(tools != [], "Invalid 'tools': empty array.", param="tools", code="empty_array")
    if tools is None:
        for name in ("tool_choice", "parallel_tool_calls"):
            message = f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
            require(body.get(name) is None, message, param=name)
        return
    names: list[str] = []
    for index, tool in enumerate(tools):
        inner = tool[tool["type"]]
        names.append(inner["name"])
        place = f"tools[{index}].function"
        check_name(inner["name"], f"{place}.name")
        if inner.get("strict"):
            check_closed(inner.get("parameters", {}), f"{place}.parameters")
        check_parameters(inner.get("parameters"), f"{place}.parameters")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] in {"function", "custom"}:
        chosen = choice[choice["type"]]["name"]
        message = "Invalid value: 'tool_choice' names a tool that is not in 'tools'."
        require(chosen in names, message, param="tool_choice")


def check_name(name: str, place: str) -> None:
    """A tool's name, or a schema's."""
    message = f"Invalid '{place}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    require(NAME.fullmatch(name) is not None, message, param=place, code="invalid_value")


def check_parameters(schema: Any, place: str) -> None:
    """A function takes an object."""
    if schema is not None and schema != {}:
        message = f"Invalid schema for function: schema must be a JSON Schema of 'type: \"object\"', got {schema.get('type')!r}."
        require(schema.get("type") == "object", message, param=place, code="invalid_function_parameters")


def check_format(wanted: Any, messages: Any) -> None:
    """JSON has to be spoken of; a schema has a name, and is closed where it is strict."""
    kind = (wanted or {}).get("type")
    if kind == "json_object":
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        require("json" in json.dumps(messages).lower(), message, param="messages")
    if kind == "json_schema":
        schema = wanted.get("json_schema", wanted)
        check_name(schema["name"], "response_format.json_schema.name")
        require("schema" in schema, "Missing required parameter: 'response_format.json_schema.schema'.")
        if schema.get("strict"):
            check_closed(schema["schema"], "response_format")


def check_turns(messages: list[dict[str, Any]]) -> None:
    """Calls are answered at once, each once; nothing else is answered."""
    require(bool(messages), "Invalid 'messages': empty array.", param="messages", code="empty_array")
    open_calls: list[str] = []
    for index, message in enumerate(messages):
        place = f"messages.[{index}].role"
        if message["role"] == "tool":
            text = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
            require(message["tool_call_id"] in open_calls, text, param=place)
            open_calls.remove(message["tool_call_id"])
            continue
        text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
        require(not open_calls, f"{text} Missing: {', '.join(open_calls)}", param=place)
        if message["role"] == "assistant":
            open_calls = _calls_of(message, f"messages[{index}]")
        else:
            _check_content(message.get("content"), f"messages[{index}].content")
    require(not open_calls, "An assistant message with 'tool_calls' must be followed by tool messages.")


def _calls_of(message: dict[str, Any], place: str) -> list[str]:
    calls = message.get("tool_calls")
    require(calls != [], f"Invalid '{place}.tool_calls': empty array.", param=f"{place}.tool_calls", code="empty_array")
    said = message.get("content") is not None or message.get("refusal") is not None or calls or message.get("audio")
    require(bool(said), "Invalid value for 'content': expected a string, got null.", param=f"{place}.content")
    found = [call["id"] for call in calls or ()]
    for call in calls or ():
        text = f"Invalid '{place}.tool_calls[0].id': string too long."
        require(0 < len(call["id"]) <= MAX_TOOL_ID, text, param=f"{place}.tool_calls", code="string_above_max_length")
        check_name(call[call["type"]]["name"], f"{place}.tool_calls[0].function.name")
    require(len(set(found)) == len(found), "Duplicate tool call ids.", param=f"{place}.tool_calls")
    return found


def _check_content(content: Any, place: str) -> None:
    require(content is not None, "Invalid value for 'content': expected a string, got null.", param=place)
    require(content != [], f"Invalid '{place}': empty array.", param=place, code="empty_array")
    for part in content if isinstance(content, list) else ():
        if part["type"] == "image_url":
            check_image(part["image_url"]["url"], place)


def check_image(url: str, place: str) -> None:
    """An address on the web, or a picture in base64."""
    if url.startswith(("http://", "https://")):
        return
    found = re.fullmatch(r"data:([\w/+.-]+);base64,(.*)", url, re.DOTALL)
    if found is None or found[1] not in _IMAGES:
        message = "Invalid image: you uploaded an unsupported image. Please make sure your image has one of the formats png, jpeg, gif, webp."
        raise Refused(message, param=place, code="invalid_image_format")
    try:
        base64.b64decode(found[2], validate=True)
    except binascii.Error:
        raise Refused("Invalid base64 image_url.", param=place, code="invalid_base64") from None
