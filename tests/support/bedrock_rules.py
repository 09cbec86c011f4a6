"""What Bedrock refuses: its own service model, as botocore has it, and what its documentation says beyond that."""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import botocore.session

MIN_BUDGET = 1024


class Refused(Exception):
    """A request that Bedrock answers with a ValidationException."""


@lru_cache(maxsize=1)
def service_model() -> Any:
    """The operations of `bedrock-runtime`."""
    return botocore.session.get_session().get_service_model("bedrock-runtime")


def check_converse(body: dict[str, Any]) -> None:
    """Raise Refused for a body that Converse does not take."""
    shape = service_model().operation_model("Converse").input_shape
    _check(body, shape, "", skip={"modelId"})
    messages = body.get("messages", [])
    _check_turns(messages)
    for message in messages:
        _check_texts(message["content"])
    _check_texts(body.get("system", []))
    _check_tools(body, messages)
    _check_documents(messages)
    _check_thinking(body)


def _check(value: Any, shape: Any, where: str, skip: frozenset[str] | set[str] = frozenset()) -> None:
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        if not isinstance(value, dict | list | str | int | float | bool):
            raise Refused(f"{where}: no document")
    elif kind == "structure":
        _check_structure(value, shape, where, skip)
    elif kind == "list":
        _require(isinstance(value, list), where, "must be an array")
        _check_size(len(value), shape, where)
        for index, entry in enumerate(value):
            _check(entry, shape.member, f"{where}[{index}]")
    elif kind == "map":
        _require(isinstance(value, dict), where, "must be an object")
        _check_size(len(value), shape, where)
        for name, entry in value.items():
            _check(name, shape.key, where)
            _check(entry, shape.value, f"{where}.{name}")
    else:
        _check_scalar(value, shape, where)


def _check_structure(value: Any, shape: Any, where: str, skip: frozenset[str] | set[str]) -> None:
    _require(isinstance(value, dict), where, "must be an object")
    members = {name: member for name, member in shape.members.items() if name not in skip}
    if unknown := set(value) - set(members):
        raise Refused(f"{where}: extraneous key {sorted(unknown)} is not permitted")
    for name in shape.required_members:
        _require(name in value or name in skip, f"{where}.{name}", "is required")
    if shape.is_tagged_union or shape.name in {"ContentBlock", "SystemContentBlock", "Tool"}:
        _require(len(value) == 1, where, "must hold exactly one of its fields")
    for name, entry in value.items():
        _check(entry, members[name], f"{where}.{name}")


def _check_scalar(value: Any, shape: Any, where: str) -> None:
    kind = shape.type_name
    if kind in {"string", "blob"}:
        _require(isinstance(value, str), where, "must be a string")
        if kind == "blob":
            try:
                value = base64.b64decode(value, validate=True)
            except binascii.Error:
                raise Refused(f"{where}: no base64") from None
        _check_size(len(value), shape, where)
        if pattern := shape.metadata.get("pattern"):
            _require(re.fullmatch(pattern, value) is not None, where, f"must match {pattern}")
        if enum := shape.metadata.get("enum"):
            _require(value in enum, where, f"must be one of {enum}")
    elif kind == "boolean":
        _require(isinstance(value, bool), where, "must be true or false")
    elif kind in {"integer", "long"}:
        _require(isinstance(value, int) and not isinstance(value, bool), where, "must be a whole number")
        _check_size(value, shape, where)
    else:
        _require(isinstance(value, int | float) and not isinstance(value, bool), where, "must be a number")
        _check_size(value, shape, where)


def _check_size(size: float, shape: Any, where: str) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    _require(low is None or size >= low, where, f"must have at least {low}")
    _require(high is None or size <= high, where, f"must have at most {high}")


def _require(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise Refused(f"{where.removeprefix('.') or 'the body'} {what}")


def _check_turns(messages: list[dict[str, Any]]) -> None:
    _require(bool(messages), "messages", "must not be empty")
    _require(messages[0]["role"] == "user", "messages", "must start with a user message")
    open_calls: set[str] = set()
    for before, message in zip([None, *messages], messages, strict=False):
        _require(bool(message["content"]), "content", "must not be empty")
        _require(before is None or before["role"] != message["role"], "messages", "must alternate")
        results = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        if message["role"] == "user":
            _require(set(results) == open_calls, "toolResult", f"blocks must answer {sorted(open_calls)}")
            firsts = ["toolResult" in block for block in message["content"]]
            _require(sorted(firsts, reverse=True) == firsts, "toolResult", "blocks must come first")
        else:
            _require(not results, "toolResult", "belongs to the user")
        calls = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
        _require(len(set(calls)) == len(calls), "toolUseId", "must not be repeated")
        open_calls = set(calls)
    last = messages[-1]["content"][-1]
    if messages[-1]["role"] == "assistant" and "text" in last:
        _require(last["text"] == last["text"].rstrip(), "the final assistant text", "must not end with white space")


def _texts(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        if "text" in block:
            yield block["text"]
        if "toolResult" in block:
            yield from _texts(block["toolResult"]["content"])


def _check_texts(blocks: list[dict[str, Any]]) -> None:
    for text in _texts(blocks):
        _require(bool(text.strip()), "the text field in the ContentBlock object", "is blank")


def _check_tools(body: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    used = any("toolUse" in block or "toolResult" in block for message in messages for block in message["content"])
    config = body.get("toolConfig")
    _require(config is not None or not used, "toolConfig", "must be defined when using toolUse and toolResult blocks")
    if config is None:
        return
    names = [tool["toolSpec"]["name"] for tool in config["tools"] if "toolSpec" in tool]
    _require(len(set(names)) == len(names), "tool names", "must be unique")
    for tool in config["tools"]:
        if "toolSpec" in tool:
            schema = tool["toolSpec"]["inputSchema"].get("json")
            _require(
                isinstance(schema, dict) and schema.get("type") == "object", "inputSchema.json.type", "must be object"
            )
    chosen = config.get("toolChoice", {}).get("tool")
    _require(chosen is None or chosen["name"] in names, "toolChoice.tool.name", "must be a tool")


def _check_documents(messages: list[dict[str, Any]]) -> None:
    names: list[str] = []
    for message in messages:
        documents = [block["document"] for block in message["content"] if "document" in block]
        if documents:
            _require(any("text" in block for block in message["content"]), "a document", "needs a text beside it")
        for block in message["content"]:
            documents += [
                inner["document"] for inner in block.get("toolResult", {}).get("content", ()) if "document" in inner
            ]
        for document in documents:
            name = document["name"]
            fits = re.fullmatch(r"[a-zA-Z0-9()\[\]-]+( [a-zA-Z0-9()\[\]-]+)*", name) is not None
            _require(fits, "document.name", "holds a character that it may not")
            names.append(name)
    _require(len(set(names)) == len(names), "document names", "must be unique")


def _check_thinking(body: dict[str, Any]) -> None:
    thinking = (body.get("additionalModelRequestFields") or {}).get("thinking") or {}
    if thinking.get("type") not in {"enabled", "adaptive"}:
        return
    settings = body.get("inferenceConfig", {})
    _require(settings.get("temperature", 1) == 1, "temperature", "may only be set to 1 when thinking is enabled")
    choice = body.get("toolConfig", {}).get("toolChoice", {})
    _require("any" not in choice and "tool" not in choice, "toolChoice", "may not force tool use while thinking")
    budget = thinking.get("budget_tokens")
    if budget is not None:
        _require(budget >= MIN_BUDGET, "budget_tokens", f"must be at least {MIN_BUDGET}")
        _require(budget < settings.get("maxTokens", 4096), "maxTokens", "must be greater than the budget")
