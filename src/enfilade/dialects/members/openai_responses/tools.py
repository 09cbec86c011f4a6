"""Tools and the choice among them, both ways."""

from collections.abc import Sequence
from typing import Any

from enfilade.core.messages import Opaque, Tool, ToolChoice
from enfilade.dialects.errors import WrongType
from enfilade.dialects.members.openai_responses.reading import Notes, typed

ORIGIN = "openai_responses"
_FUNCTION = frozenset({"type", "name", "description", "parameters", "strict"})
_CUSTOM = frozenset({"type", "name", "description", "format"})
_HARMLESS = frozenset({"allowed_callers", "output_schema"})
"""Who may call a tool beside the model, and what it answers: hints."""
_OFF = frozenset({"defer_loading", "async"})
"""What is off anyway."""
_MODES = {name: ToolChoice(name) for name in ("auto", "required", "none")}
_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
_NAMED = frozenset({"function", "custom"})


def read_tools(given: list[Any], notes: Notes) -> tuple[Tool, ...]:
    """The caller's tools. Raises WrongType."""
    return tuple(_tool(tool, f"tools[{position}]", notes) for position, tool in enumerate(given))


def _tool(given: Any, where: str, notes: Notes) -> Tool:
    tool = typed(given, dict, where)
    kind = typed(tool.get("type"), str, f"{where}.type")
    if kind not in _NAMED:
        return Tool(kind, hosted=Opaque(ORIGIN, kind, tool))
    name = typed(tool.get("name"), str, f"{where}.name")
    description = typed(tool.get("description"), str, f"{where}.description", optional=True)
    plain = {key: value for key, value in tool.items() if not (key in _OFF and value is False)}
    notes.check(plain, _FUNCTION if kind == "function" else _CUSTOM, where, harmless=_HARMLESS)
    if kind == "custom":
        form = typed(tool.get("format"), dict, f"{where}.format", optional=True)
        return Tool(name, description, custom=True, format=form)
    return Tool(
        name,
        description,
        typed(tool.get("parameters"), dict, f"{where}.parameters", optional=True),
        typed(tool.get("strict"), bool, f"{where}.strict", optional=True),
    )


def read_choice(given: Any, notes: Notes) -> ToolChoice | None:
    """The caller's choice. Raises WrongType."""
    if isinstance(given, str):
        if (mode := _MODES.get(given)) is not None:
            return mode
        message = "`tool_choice` must be `auto`, `required`, `none` or an object."
        raise WrongType(message, param="tool_choice")
    choice = typed(given, dict, "tool_choice")
    kind = typed(choice.get("type"), str, "tool_choice.type")
    if kind in _NAMED:
        return ToolChoice("named", (typed(choice.get("name"), str, "tool_choice.name"),))
    if kind != "allowed_tools":
        notes.foreign["tool_choice"] = None
        return None
    names = []
    for position, tool in enumerate(typed(choice.get("tools"), list, "tool_choice.tools")):
        where = f"tool_choice.tools[{position}]"
        entry = typed(tool, dict, where)
        if entry.get("type") in _NAMED:
            names.append(typed(entry.get("name"), str, f"{where}.name"))
        else:
            notes.foreign[where] = None
    return ToolChoice("allowed", tuple(names), must=choice.get("mode") == "required")


def write_tool(tool: Tool) -> dict[str, Any]:
    """A tool for a provider. It takes functions to be strict unless told otherwise, which nobody else does."""
    if tool.hosted is not None:
        return tool.hosted.value
    written: dict[str, Any] = {"type": "custom" if tool.custom else "function", "name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    if tool.custom:
        if tool.format is not None:
            written["format"] = _flat(tool.format)
        return written
    strict = bool(tool.strict)
    written["parameters"] = tool.parameters
    if tool.parameters is None:
        written["parameters"] = _NO_PARAMETERS | ({"required": [], "additionalProperties": False} if strict else {})
    written["strict"] = strict
    return written


def _flat(form: dict[str, Any]) -> dict[str, Any]:
    """A grammar as it stands here: chat has it one level deeper."""
    grammar = form.get("grammar")
    return {"type": "grammar", **grammar} if isinstance(grammar, dict) else form


def write_choice(choice: ToolChoice, tools: Sequence[Tool]) -> Any:
    """A choice for a provider."""
    custom = {tool.name for tool in tools if tool.custom}
    entries = [{"type": "custom" if name in custom else "function", "name": name} for name in choice.names]
    if choice.mode == "allowed":
        return {"type": "allowed_tools", "mode": "required" if choice.must else "auto", "tools": entries}
    return entries[0] if choice.mode == "named" and entries else choice.mode
