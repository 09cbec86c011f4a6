"""What OpenAI's responses refuse: https://platform.openai.com/docs/api-reference/responses/create.

Nothing may be kept at the service, where the gateway's tenants would share it.
"""

import re
from functools import lru_cache
from typing import Any

from openai.types.responses import response_create_params as params
from pydantic_core import SchemaValidator

from tests.support.strict.chat_rules import REASONS, check_image, check_name, check_parameters, check_range
from tests.support.strict.schemas import check_closed, check_type, strict_validator
from tests.support.strict.signing import unsealed
from tests.support.strict.types import Refused, require

MIN_OUTPUT, MAX_CALL_ID = 16, 64
ENCRYPTED = "reasoning.encrypted_content"
THOUGHT_CALL = "call_t"
"""How ids of calls begin that came with reasoning."""
_PREFIXES = {"message": "msg", "function_call": "fc", "reasoning": "rs", "custom_tool_call": "ctc"}


@lru_cache
def _types(*, streamed: bool) -> SchemaValidator:
    if streamed:
        return strict_validator(params.ResponseCreateParamsStreaming)
    return strict_validator(params.ResponseCreateParamsNonStreaming)


def check_responses(body: Any) -> None:
    """Raise Refused for a body that responses do not take, or that would keep something."""
    require(isinstance(body, dict), "We could not parse the JSON body of your request.")
    require(bool(body.get("model")), "Missing required parameter: 'model'.", param="model")
    require(bool(body.get("input")), "Missing required parameter: 'input'.", param="input")
    items = body["input"] if isinstance(body["input"], list) else []
    for index, item in enumerate(items):
        _check_kind(item, index)
    check_type(_types(streamed=bool(body.get("stream"))), body)
    require(body.get("store") is False, "This organization keeps nothing: 'store' must be false.", param="store")
    for name in ("previous_response_id", "conversation"):
        require(body.get(name) is None, "Previous response cannot be used: nothing is kept.", param=name)
    _check_settings(body)
    _check_tools(body)
    _check_items(items)


def _check_kind(item: dict[str, Any], index: int) -> None:
    kind = item.get("type", "message")
    known = {*_PREFIXES, "function_call_output", "custom_tool_call_output", "web_search_call", "item_reference"}
    message = f"Invalid value: '{kind}'. Supported values are: {sorted(known)}."
    require(kind in known, message, param=f"input[{index}].type", code="invalid_value")
    require(kind != "item_reference", "Item not found. Items are not persisted when `store` is set to false.")
    if kind == "message" and item.get("role") != "assistant":
        return
    prefix, found = _PREFIXES.get(kind), item.get("id")
    if prefix is not None and found is not None:
        message = f"Invalid 'input[{index}].id': '{found}'. Expected an ID that begins with '{prefix}'."
        require(found.startswith(prefix), message, param=f"input[{index}].id", code="invalid_value")
        require(len(found) <= MAX_CALL_ID, "string too long", param=f"input[{index}].id")


def _check_settings(body: dict[str, Any]) -> None:
    reasons = bool(REASONS.match(body["model"])) and (body.get("reasoning") or {}).get("effort") != "none"
    check_range(body, "temperature", 0, 2)
    check_range(body, "top_p", 0, 1)
    for name in ("temperature", "top_p") if reasons else ():
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        require(body.get(name) is None, message, param=name, code="unsupported_parameter")
    if not REASONS.match(body["model"]):
        message = "Unsupported parameter: 'reasoning.effort' is not supported with this model."
        effort = (body.get("reasoning") or {}).get("effort")
        require(effort is None, message, param="reasoning.effort", code="unsupported_parameter")
        message = "Encrypted content is not supported with this model."
        require(ENCRYPTED not in (body.get("include") or ()), message, param="include")
    bound = body.get("max_output_tokens")
    message = f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {MIN_OUTPUT}."
    require(bound is None or bound >= MIN_OUTPUT, message, param="max_output_tokens", code="integer_below_min_value")
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        check_name(wanted["name"], "text.format.name")
        if wanted.get("strict"):
            check_closed(wanted["schema"], "text.format.schema")
    if wanted.get("type") == "json_object":
        message = "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'."
        require("json" in str(body["input"]).lower(), message, param="input")


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools") or []
    names = [tool["name"] for tool in tools if "name" in tool]
    for index, tool in enumerate(tools):
        if tool["type"] == "function":
            place = f"tools[{index}]"
            check_name(tool["name"], f"{place}.name")
            check_parameters(tool["parameters"], f"{place}.parameters")
            # Strict is what it is unless somebody says otherwise.
            if tool.get("strict", True):
                check_closed(tool["parameters"] or {}, f"{place}.parameters")
    choice = body.get("tool_choice")
    message = "Tool choice 'required' must be specified with 'tools' parameter."
    require(choice in {None, "auto", "none"} if isinstance(choice, str | None) and not tools else True, message)
    if isinstance(choice, dict) and choice["type"] in {"function", "custom"}:
        require(choice["name"] in names, f"Tool choice '{choice['name']}' not found in 'tools' parameter.")


def _check_items(items: list[dict[str, Any]]) -> None:
    calls: set[str] = set()
    answered: set[str] = set()
    thought: set[str] = set()
    for index, item in enumerate(items):
        kind, place = item.get("type", "message"), f"input[{index}]"
        if kind == "reasoning":
            thought |= _opened(item, place)
            follows = items[index + 1].get("type", "message") if index + 1 < len(items) else None
            message = f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
            mine = follows == "message" and items[index + 1]["role"] == "assistant"
            require(mine or follows in {"function_call", "custom_tool_call", "reasoning"}, message, param="input")
        elif kind in {"function_call", "custom_tool_call"}:
            _check_call(item, place)
            if item["call_id"].startswith(THOUGHT_CALL):
                message = f"Item '{item.get('id')}' of type 'function_call' was provided without its required 'reasoning' item."
                require(item["call_id"] in thought, message, param="input")
            require(item["call_id"] not in calls, "Duplicate call_id.", param="input")
            calls.add(item["call_id"])
        elif kind in {"function_call_output", "custom_tool_call_output"}:
            message = f"No tool call found for function call output with call_id {item['call_id']}."
            require(item["call_id"] in calls, message, param="input")
            answered.add(item["call_id"])
        elif kind == "message":
            _check_content(item, place)
    if unanswered := calls - answered:
        raise Refused(f"No tool output found for function call {min(unanswered)}.", param="input")


def _opened(item: dict[str, Any], place: str) -> set[str]:
    secret = item.get("encrypted_content")
    message = f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set to false."
    require(bool(secret), message, param="input")
    content = unsealed(secret)
    if content is None or content["id"] != item["id"]:
        message = f"The encrypted content for item {item['id']} could not be verified."
        raise Refused(message, param=f"{place}.encrypted_content", code="invalid_encrypted_content")
    return set(content["calls"])


def _check_call(item: dict[str, Any], place: str) -> None:
    message = f"Invalid '{place}.call_id': string too long."
    require(0 < len(item["call_id"]) <= MAX_CALL_ID, message, param=f"{place}.call_id")
    check_name(item["name"], f"{place}.name")


def _check_content(item: dict[str, Any], place: str) -> None:
    content = item["content"]
    allowed = {"output_text", "refusal"} if item["role"] == "assistant" else {"input_text", "input_image", "input_file"}
    for number, part in enumerate(content if isinstance(content, list) else ()):
        where = f"{place}.content[{number}]"
        message = re.sub(r"\s+", " ", f"Invalid value: '{part['type']}'. Supported values are: {sorted(allowed)}.")
        require(part["type"] in allowed, message, param=where, code="invalid_value")
        if part["type"] == "input_image" and part.get("image_url") is not None:
            check_image(part["image_url"], where)
