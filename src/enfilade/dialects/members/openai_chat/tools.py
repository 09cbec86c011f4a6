"""Tools, and the choice among them: read from a caller's request, written into a provider's."""

from typing import Any

from enfilade.core.messages import Opaque, Tool, ToolCall, ToolChoice
from enfilade.dialects.checks import entries, flag, obj, text, text_or_none, unknown, wrong
from enfilade.dialects.members.openai_chat.marks import MARKS, cache_of, sealed

ORIGIN = "openai_chat"
_TOOL = {"function": frozenset({"type", "function"}) | MARKS, "custom": frozenset({"type", "custom"}) | MARKS}
_FUNCTION = frozenset({"name", "description", "parameters", "strict"}) | MARKS
_CUSTOM = frozenset({"name", "description", "format"})
_MODES = {
    "auto": ToolChoice("auto"),
    "required": ToolChoice("required"),
    "none": ToolChoice("none"),
    "any": ToolChoice("required"),
}
CHOICES = "`auto`, `required`, `none`, or an object that names tools"


def tools(value: object, where: str, foreign: list[str]) -> tuple[Tool, ...]:
    """The request's `tools`."""
    found = []
    for position, entry in enumerate(entries(value, where)):
        place = f"{where}[{position}]"
        tool = obj(entry, place)
        kind = text(tool.get("type", "function"), f"{place}.type")
        if kind not in _TOOL:
            found.append(Tool(kind, hosted=Opaque(ORIGIN, kind, tool)))
            continue
        foreign += unknown(tool, _TOOL[kind], place)
        held = obj(tool.get(kind), f"{place}.{kind}")
        cache = cache_of(tool, place) or cache_of(held, place)
        found.append(
            _custom(held, f"{place}.custom", cache, foreign)
            if kind == "custom"
            else function(held, f"{place}.function", foreign, cache)
        )
    return tuple(found)


def function(held: dict[str, Any], where: str, foreign: list[str], cache: Any = None) -> Tool:
    """A function, under `tools` or, in the older form, under `functions`."""
    foreign += unknown(held, _FUNCTION, where)
    parameters = held.get("parameters")
    strict = held.get("strict")
    return Tool(
        text(held.get("name"), f"{where}.name"),
        text_or_none(held.get("description"), f"{where}.description"),
        None if parameters is None else obj(parameters, f"{where}.parameters"),
        None if strict is None else flag(strict, f"{where}.strict"),
        cache=cache,
    )


def _custom(held: dict[str, Any], where: str, cache: Any, foreign: list[str]) -> Tool:
    foreign += unknown(held, _CUSTOM, where)
    form = held.get("format")
    return Tool(
        text(held.get("name"), f"{where}.name"),
        text_or_none(held.get("description"), f"{where}.description"),
        custom=True,
        format=None if form is None else obj(form, f"{where}.format"),
        cache=cache,
    )


def choice(value: object, where: str) -> ToolChoice:
    """The request's `tool_choice`."""
    if isinstance(value, str):
        if value not in _MODES:
            wrong(where, CHOICES)
        return _MODES[value]
    if not isinstance(value, dict):
        wrong(where, CHOICES)
    kind = value.get("type")
    if kind == "allowed_tools":
        place = f"{where}.allowed_tools"
        allowed = obj(value.get("allowed_tools"), place)
        mode = allowed.get("mode", "auto")
        if mode not in ("auto", "required"):
            wrong(f"{place}.mode", "`auto` or `required`")
        names = tuple(
            _named(entry, f"{place}.tools[{position}]")
            for position, entry in enumerate(entries(allowed.get("tools"), f"{place}.tools"))
        )
        return ToolChoice("allowed", names, must=mode == "required")
    return ToolChoice("named", (_named(value, where),))


def _named(value: object, where: str) -> str:
    """The name in a reference to a tool; one of a hosted tool is its type."""
    tool = obj(value, where)
    kind = text(tool.get("type", "function"), f"{where}.type")
    if kind not in _TOOL:
        return kind
    held = obj(tool.get(kind), f"{where}.{kind}")
    return text(held.get("name"), f"{where}.{kind}.name")


def older_choice(value: object, where: str) -> ToolChoice:
    """The older `function_call`: a mode, or the function's name."""
    if value in ("auto", "none"):
        return _MODES[value]
    if not isinstance(value, dict):
        wrong(where, "`auto`, `none`, or an object with a `name`")
    return ToolChoice("named", (text(value.get("name"), f"{where}.name"),))


def written_tool(tool: Tool) -> dict[str, Any]:
    """A tool as the provider takes it."""
    if tool.hosted is not None:
        return tool.hosted.value
    held: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        held["description"] = tool.description
    if tool.custom:
        if tool.format is not None:
            held["format"] = tool.format
        return {"type": "custom", "custom": held}
    if tool.parameters is not None:
        held["parameters"] = tool.parameters
    if tool.strict is not None:
        held["strict"] = tool.strict
    return {"type": "function", "function": held}


def written_choice(chosen: ToolChoice, among: tuple[Tool, ...]) -> object:
    """A choice as the provider takes it."""
    if chosen.mode == "named":
        return _reference(chosen.names[0], among)
    if chosen.mode == "allowed":
        mode = "required" if chosen.must else "auto"
        named = [_reference(name, among) for name in chosen.names]
        return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}}
    return chosen.mode


def _reference(name: str, among: tuple[Tool, ...]) -> dict[str, Any]:
    for tool in among:
        if tool.name == name:
            if tool.hosted is not None:
                return {"type": name}
            if tool.custom:
                return {"type": "custom", "custom": {"name": name}}
    return {"type": "function", "function": {"name": name}}


def call_object(call: ToolCall, *, empty: str = "", sealing: bool) -> dict[str, Any]:
    """A tool call, its arguments as `empty` where a function's have no words; with its seal when `sealing`."""
    found: dict[str, Any]
    if call.custom:
        found = {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    else:
        held = {"name": call.name, "arguments": call.arguments or empty}
        found = {"id": call.id, "type": "function", "function": held}
    if call.seal is not None and sealing:
        found["extra_content"] = sealed(call.seal)
    return found
