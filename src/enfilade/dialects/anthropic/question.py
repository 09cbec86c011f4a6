"""A caller's request in the neutral form: every field that Anthropic's SDK declares, and what becomes of the others."""

from collections.abc import Callable
from typing import Any

import msgspec

from enfilade.core.messages import (
    Conversation,
    Message,
    Opaque,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolChoice,
)
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.anthropic.blocks import DIALECT_NAME, content_blocks, content_parts, read_text
from enfilade.dialects.anthropic.fields import (
    FLAG,
    NUMBER,
    OBJECT,
    RAW_OBJECTS,
    STRING,
    STRINGS,
    WHOLE,
    Fields,
    Notes,
    refuse,
)
from enfilade.dialects.anthropic.quick import quick_messages, quick_system, quick_tools

FIELD_NAMES = {
    "max_output_tokens": "max_tokens",
    "stop": "stop_sequences",
    "response_format": "output_config.format",
    "user": "metadata.user_id",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "cache": "cache_control",
    "reasoning": "messages.content.thinking",
}
_KNOWN = frozenset(
    [
        "model",
        "messages",
        "max_tokens",
        "stream",
        "system",
        "tools",
        "tool_choice",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "thinking",
        "output_config",
        "output_format",
        "metadata",
        "service_tier",
    ]
)
HARMLESS = frozenset(["cache_control", "diagnostics", "speed", "user_profile_id", "workspace_id"])
"""These are for the provider's books and its speed; the answer is the same without them."""
_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}
_TURN = frozenset({"role", "content"})
_TOOL = frozenset(
    [
        "type",
        "name",
        "description",
        "input_schema",
        "strict",
        "cache_control",
        "allowed_callers",
        "defer_loading",
        "eager_input_streaming",
        "input_examples",
    ]
)
_MODES: dict[str, Callable[[Fields], ToolChoice]] = {
    "auto": lambda _: ToolChoice("auto"),
    "any": lambda _: ToolChoice("required"),
    "none": lambda _: ToolChoice("none"),
    "tool": lambda choice: ToolChoice("named", (choice.need("name", STRING),)),
}
_SHOWN = {None: None, "summarized": True, "omitted": False}
_TIERS = {"standard_only": "default"}


def read_question(raw: dict[str, msgspec.Raw], max_output: int | None) -> Conversation:
    """The request in the neutral form. Raises WrongType, MissingField."""
    notes = Notes()
    fields = Fields(raw, ())
    fields.note_others(_KNOWN | HARMLESS, "", notes)
    for name in HARMLESS & raw.keys():
        fields.note(name, "", notes.harmless)
    choice, parallel = _tool_choice(fields, notes)
    config = fields.inner("output_config")
    tier = fields.get("service_tier", STRING)
    return Conversation(
        messages=_messages(fields, notes),
        system=_system(fields, notes),
        tools=_tools(fields, notes) if "tools" in raw else (),
        tool_choice=choice,
        parallel_tool_calls=parallel,
        max_output_tokens=max_output,
        temperature=fields.get("temperature", NUMBER),
        top_p=fields.get("top_p", NUMBER),
        top_k=fields.get("top_k", WHOLE),
        stop=tuple(fields.get("stop_sequences", STRINGS) or ()),
        response_format=_format(fields, config, notes),
        thinking=_thinking(fields, config, notes),
        service_tier=None if tier is None else _TIERS.get(tier, tier),
        user=_user(fields, notes),
        harmless=tuple(notes.harmless),
        foreign=tuple(sorted(notes.foreign)),
    )


def _messages(fields: Fields, notes: Notes) -> tuple[Message, ...]:
    raw = fields.raw.get("messages")
    quick = quick_messages(raw) if raw is not None else None
    return quick if quick is not None else closer_messages(fields, notes)


def closer_messages(fields: Fields, notes: Notes) -> tuple[Message, ...]:
    """The turns, block by block. Raises WrongType, MissingField."""
    turns = []
    for at, entry in enumerate(fields.need("messages", RAW_OBJECTS)):
        turn = Fields(entry, ("messages", at))
        role = _ROLES.get(turn.need("role", STRING))
        if role is None:
            refuse((*turn.path, "role"), "`user`, `assistant` or `system`")
        turn.note_others(_TURN, "messages.", notes)
        turns.append(Message(role, content_parts(entry.get("content"), (*turn.path, "content"), notes)))
    return tuple(turns)


def _system(fields: Fields, notes: Notes) -> tuple[Text, ...]:
    raw = fields.raw.get("system")
    if raw is None or bytes(memoryview(raw)[:4]) == b"null":
        return ()
    quick = quick_system(raw)
    return quick if quick is not None else closer_system(raw, notes)


def closer_system(raw: msgspec.Raw, notes: Notes) -> tuple[Text, ...]:
    """The instructions, block by block. Raises WrongType, MissingField."""
    found = content_blocks(raw, ("system",))
    if isinstance(found, str):
        return (Text(found),)
    texts = []
    for block in found:
        if block.need("type", STRING) != "text":
            refuse((*block.path, "type"), "`text`")
        texts.append(read_text(block, notes))
    return tuple(texts)


def _tools(fields: Fields, notes: Notes) -> tuple[Tool, ...]:
    quick = quick_tools(fields.raw["tools"])
    return quick if quick is not None else closer_tools(fields, notes)


def closer_tools(fields: Fields, notes: Notes) -> tuple[Tool, ...]:
    """The tools, field by field. Raises WrongType, MissingField."""
    return tuple(
        _tool(Fields(entry, ("tools", at)), notes) for at, entry in enumerate(fields.get("tools", RAW_OBJECTS) or ())
    )


def _tool(tool: Fields, notes: Notes) -> Tool:
    kind = tool.get("type", STRING)
    if kind not in {None, "custom"}:
        return _hosted(tool, str(kind))
    tool.note_others(_TOOL, "tools.", notes)
    tool.note("input_examples", "tools.", notes.foreign)
    for name in ("defer_loading", "eager_input_streaming"):
        tool.note(name, "tools.", notes.harmless)
    callers = tool.get("allowed_callers", STRINGS)
    if callers and "direct" not in callers:
        notes.foreign["tools.allowed_callers"] = None
    return Tool(
        tool.need("name", STRING),
        tool.get("description", STRING),
        tool.need("input_schema", OBJECT),
        strict=tool.get("strict", FLAG),
        cache=tool.cache(),
    )


def _hosted(tool: Fields, kind: str) -> Tool:
    """A tool that Anthropic defines: the provider runs it, or the model knows it by its type."""
    value: dict[str, Any] = {}
    for name, raw in tool.raw.items():
        try:
            value[name] = msgspec.json.decode(raw)
        except UNREADABLE:
            refuse((*tool.path, name), "readable")
    return Tool(tool.get("name", STRING) or kind, hosted=Opaque(DIALECT_NAME, kind, value), cache=tool.cache())


def _tool_choice(fields: Fields, notes: Notes) -> tuple[ToolChoice | None, bool | None]:
    choice = fields.inner("tool_choice")
    if choice is None:
        return None, None
    mode = _MODES.get(choice.need("type", STRING))
    if mode is None:
        refuse((*choice.path, "type"), "`auto`, `any`, `tool` or `none`")
    choice.note_others(frozenset({"type", "name", "disable_parallel_tool_use"}), "tool_choice.", notes)
    alone = choice.get("disable_parallel_tool_use", FLAG)
    return mode(choice), None if alone is None else not alone


def _format(fields: Fields, config: Fields | None, notes: Notes) -> ResponseFormat | None:
    """What `output_config.format` says, or `output_format`, its name when it was new."""
    wanted = fields.inner("output_format")
    if config is not None:
        config.note_others(frozenset({"effort", "format"}), "output_config.", notes)
        wanted = config.inner("format") or wanted
    if wanted is None:
        return None
    if wanted.need("type", STRING) != "json_schema":
        refuse((*wanted.path, "type"), "`json_schema`")
    return ResponseFormat("schema", schema=wanted.need("schema", OBJECT))


def _thinking(fields: Fields, config: Fields | None, notes: Notes) -> Thinking | None:
    effort = config.get("effort", STRING) if config is not None else None
    said = fields.inner("thinking")
    if said is None:
        return None if effort is None else Thinking(effort=effort)
    said.note_others(frozenset({"type", "budget_tokens", "display"}), "thinking.", notes)
    kind = said.need("type", STRING)
    display = said.get("display", STRING)
    if display not in _SHOWN:
        refuse((*said.path, "display"), "`summarized` or `omitted`")
    if kind == "enabled":
        return Thinking(
            enabled=True, effort=effort, budget_tokens=said.need("budget_tokens", WHOLE), shown=_SHOWN[display]
        )
    if kind == "adaptive":
        return Thinking(enabled=True, effort=effort, shown=_SHOWN[display])
    if kind in {"disabled", "between_tools"}:  # The second asks for notes between tool calls, but for no thoughts.
        return Thinking(enabled=False, effort=effort)
    notes.foreign["thinking.type"] = None
    return Thinking(effort=effort)


def _user(fields: Fields, notes: Notes) -> str | None:
    metadata = fields.inner("metadata")
    if metadata is None:
        return None
    for name in metadata.raw.keys() - {"user_id"}:
        metadata.note(name, "metadata.", notes.harmless)
    return metadata.get("user_id", STRING)
