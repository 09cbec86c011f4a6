"""Tools and the choice among them, both ways.

Parameters go to Google as `parametersJsonSchema`, not as `parameters`: the latter is a subset of OpenAPI 3.0 that
refuses `$ref`, `const`, `additionalProperties` and lists of types, and cannot be made from any JSON schema without loss.
"""

from typing import Any

from enfilade.core.messages import Opaque, Tool, ToolChoice
from enfilade.dialects.gemini.contents import DIALECT, Contents
from enfilade.dialects.gemini.fields import entries_at, object_at, text_at, texts_at, word_at, wrong
from enfilade.dialects.gemini.schema import json_schema

_HARMLESS = frozenset({"response", "responseJsonSchema"})
_READ = frozenset({"name", "description", "parameters", "parametersJsonSchema", "behavior"})
_MODES = {"AUTO": ToolChoice("auto"), "NONE": ToolChoice("none"), "VALIDATED": ToolChoice("auto")}


def read_tools(value: object, contents: Contents) -> tuple[Tool, ...]:
    """Functions, and what Google runs itself. Raises WrongType."""
    tools: list[Tool] = []
    for path, entry in entries_at(value, "tools"):
        for name, content in object_at(entry, path).items():
            if name == "functionDeclarations":
                where = f"{path}.{name}"
                tools += [_function(item, place, contents) for place, item in entries_at(content, where)]
            else:
                tools.append(Tool(name, hosted=Opaque(DIALECT, name, {name: content})))
    return tuple(tools)


def _function(value: object, where: str, contents: Contents) -> Tool:
    fields = object_at(value, where)
    name = text_at(fields, "name", where)
    if not name:
        raise wrong(f"{where}.name", "a string with at least one letter")
    contents.harmless += [f"{where}.{field}" for field in fields if field in _HARMLESS]
    contents.foreign += [f"{where}.{field}" for field in fields if field not in _READ and field not in _HARMLESS]
    if word_at(fields, "behavior", where, "UNSPECIFIED") not in {None, "BLOCKING"}:
        contents.foreign.append(f"{where}.behavior")
    parameters = fields.get("parametersJsonSchema")
    if parameters is None and "parameters" in fields:
        parameters = json_schema(fields["parameters"], f"{where}.parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise wrong(f"{where}.parametersJsonSchema", "an object")
    return Tool(name, text_at(fields, "description", where), parameters)


def read_choice(value: object, contents: Contents) -> ToolChoice | None:
    """`toolConfig`. Raises WrongType."""
    if value is None:
        return None
    fields = object_at(value, "toolConfig")
    contents.foreign += [
        f"toolConfig.{name}"
        for name in fields
        if name not in {"functionCallingConfig", "includeServerSideToolInvocations"} and fields[name] not in ({}, False)
    ]
    contents.harmless += [f"toolConfig.{name}" for name in fields if name == "includeServerSideToolInvocations"]
    where = "toolConfig.functionCallingConfig"
    config = object_at(fields.get("functionCallingConfig", {}), where)
    contents.harmless += [f"{where}.{name}" for name in config if name == "streamFunctionCallArguments"]
    mode = word_at(config, "mode", where, "MODE_UNSPECIFIED")
    names = texts_at(config, "allowedFunctionNames", where)
    if mode is not None and mode != "ANY" and mode not in _MODES:
        raise wrong(f"{where}.mode", "`AUTO`, `ANY`, `NONE` or `VALIDATED`")
    if mode == "ANY":
        return _must(names)
    if names and mode != "NONE":
        return ToolChoice("allowed", names)
    return None if mode is None else _MODES[mode]


def _must(names: tuple[str, ...]) -> ToolChoice:
    if not names:
        return ToolChoice("required")
    return ToolChoice("named", names) if len(names) == 1 else ToolChoice("allowed", names, must=True)


def write_tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """`tools`: all functions in one entry, each of Google's own in its own."""
    functions = [_declaration(tool) for tool in tools if tool.hosted is None]
    hosted = [tool.hosted.value for tool in tools if tool.hosted is not None and tool.hosted.origin == DIALECT]
    return ([{"functionDeclarations": functions}] if functions else []) + hosted


def _declaration(tool: Tool) -> dict[str, Any]:
    declaration: dict[str, Any] = {"name": tool.name}
    if tool.description:
        declaration["description"] = tool.description
    if tool.parameters is not None:
        declaration["parametersJsonSchema"] = tool.parameters
    return declaration


def write_choice(choice: ToolChoice) -> dict[str, Any]:
    """`toolConfig`."""
    config: dict[str, Any]
    if choice.mode == "named" or (choice.mode == "allowed" and choice.must):
        config = {"mode": "ANY", "allowedFunctionNames": list(choice.names)}
    elif choice.mode == "allowed":
        # Of the modes that take names only this one lets the model answer with words.
        config = {"mode": "VALIDATED", "allowedFunctionNames": list(choice.names)}
    else:
        config = {"mode": {"auto": "AUTO", "required": "ANY", "none": "NONE"}[choice.mode]}
    return {"functionCallingConfig": config}
