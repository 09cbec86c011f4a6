"""Tools: names that the target allows, free-text tools as functions, a response format as a tool that must be used."""

import hashlib
import re
from typing import Any

import msgspec

from enfilade.core.messages import Conversation, ResponseFormat, Tool, ToolChoice
from enfilade.dialects.translation.losses import Losses
from enfilade.dialects.translation.types import Aim, Memo

FORMAT_TOOL = "json_answer"
VALUE = "value"
INPUT = "input"
_NOT_ALLOWED = re.compile(r"[^a-zA-Z0-9_-]")
_ANY_OBJECT: dict[str, Any] = {"type": "object"}


def fit_tools(question: Conversation, aim: Aim, losses: Losses, memo: Memo) -> Conversation:
    """The question with tools as the aim takes them. Raises NotTranslatable."""
    changes: dict[str, Any] = {}
    tools, choice = question.tools, question.tool_choice
    if tools:
        if any(tool.hosted is not None for tool in tools):
            losses.refuse("tools", "asks for a tool that only the dialect's own provider runs")
        if "tools" in aim.lacks:
            losses.refuse("tools", "is more than this model can do")
        tools, choice = _chosen(tools, choice, aim, losses)
        tools = tuple(_fit(tool, aim, losses, memo) for tool in tools)
        choice = _renamed_choice(choice, aim, memo)
    elif choice is not None and choice.mode in {"auto", "none"}:
        choice = None
    if question.parallel_tool_calls is not None and "parallel_tool_calls" not in aim.takes:
        if tools and not question.parallel_tool_calls:
            _let_calls_be_parallel(choice, losses)
        changes["parallel_tool_calls"] = None
    wanted = question.response_format
    if wanted is not None and wanted.kind != "text" and not _has_format(wanted, aim):
        tools, choice = _forced(wanted, tools, choice, memo)
        changes["response_format"] = None
    if tools is not question.tools:
        changes["tools"] = tools
    if choice is not question.tool_choice:
        changes["tool_choice"] = choice
    return msgspec.structs.replace(question, **changes) if changes else question


def _let_calls_be_parallel(choice: ToolChoice | None, losses: Losses) -> None:
    if choice is None or choice.mode != "named":
        losses.refuse("parallel_tool_calls", "cannot be switched off there")
    losses.drop("parallel_tool_calls")  # One tool that must be used is hardly used twice.


def _has_format(wanted: ResponseFormat, aim: Aim) -> bool:
    return wanted.kind in aim.rules.response_formats and not (wanted.kind == "schema" and "json_schema" in aim.lacks)


def _chosen(
    tools: tuple[Tool, ...], choice: ToolChoice | None, aim: Aim, losses: Losses
) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """The tools that remain, and the choice among them."""
    if choice is None or choice.mode in aim.rules.tool_choices:
        return tools, choice
    if choice.mode == "none":
        return (), None
    if choice.mode == "allowed":
        kept = tuple(tool for tool in tools if tool.name in choice.names)
        return kept, ToolChoice("required" if choice.must else "auto")
    if choice.mode != "auto":
        losses.refuse("tool_choice", "cannot force a tool there")
    return tools, None


def _fit(tool: Tool, aim: Aim, losses: Losses, memo: Memo) -> Tool:
    name = allowed_name(tool.name, aim, memo)
    if tool.custom and not aim.rules.custom_tools:
        memo.custom = memo.custom | {tool.name}
        if tool.format is not None and tool.format.get("type") != "text":
            losses.drop("tools.format")
        return Tool(name, tool.description, _input_schema(tool), cache=tool.cache)
    return tool if name == tool.name else msgspec.structs.replace(tool, name=name)


def _input_schema(tool: Tool) -> dict[str, Any]:
    words: dict[str, Any] = {"type": "string"}
    definition = (tool.format or {}).get("definition")
    if isinstance(definition, str):
        words["description"] = f"Must match this grammar:\n{definition}"
    return {"type": "object", "properties": {INPUT: words}, "required": [INPUT], "additionalProperties": False}


def allowed_name(name: str, aim: Aim, memo: Memo) -> str:
    """A name that the aim takes, always the same for the same name; the memo leads back."""
    if aim.tool_name.fullmatch(name):
        return name
    short = "t_" + _NOT_ALLOWED.sub("_", name)[:40] + "_" + hashlib.sha256(name.encode()).hexdigest()[:10]
    memo.names = memo.names | {short: name}
    return short


def _renamed_choice(choice: ToolChoice | None, aim: Aim, memo: Memo) -> ToolChoice | None:
    if choice is None or not choice.names:
        return choice
    names = tuple(allowed_name(name, aim, memo) for name in choice.names)
    return choice if names == choice.names else msgspec.structs.replace(choice, names=names)


def _forced(
    wanted: ResponseFormat, tools: tuple[Tool, ...], choice: ToolChoice | None, memo: Memo
) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """The format as a tool. Beside others the model must use one of them; alone it must use this one."""
    schema = wanted.schema or _ANY_OBJECT
    if schema.get("type", "object") != "object":
        memo.wrapped = True
        inner = {name: value for name, value in schema.items() if name not in {"$defs", "definitions"}}
        outer = {name: value for name, value in schema.items() if name in {"$defs", "definitions"}}
        schema = {"type": "object", "properties": {VALUE: inner}, "required": [VALUE], **outer}
    name = FORMAT_TOOL
    while any(tool.name == name for tool in tools):
        name += "_"
    memo.forced = name
    words = wanted.description or "Gives the answer to the user. Use this as soon as the answer is known."
    tool = Tool(name, words, schema)
    if not tools or (choice is not None and choice.mode == "none"):
        return (tool,), ToolChoice("named", (name,))
    if choice is not None and choice.mode in {"named", "required"}:
        return (*tools, tool), choice  # The caller wants one of the own tools first.
    return (*tools, tool), ToolChoice("required")
