"""Items of a response as far as its events have brought them."""

from typing import Any

from enfilade.dialects.bodies import as_object

Fields = dict[str, Any]

_GROWING = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "text",
}
_FILLING = {
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
    "response.mcp_call_arguments.delta": "arguments",
    "response.code_interpreter_call_code.delta": "code",
}
_DONE = {"output_text": "response.output_text.done", "refusal": "response.refusal.done"}
_FILLED = {
    "function_call": ("response.function_call_arguments.done", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input.done", "input"),
}
_WITH_STATUS = frozenset({"message", "function_call"})


class ItemsSoFar:
    """The items that have begun and are not done."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._items: dict[int, Fields] = {}
        self._open: set[tuple[int, int]] = set()
        """Parts of messages that are not done."""

    def take(self, event: Fields) -> None:
        """One more event, in whatever form."""
        kind, index = str(event.get("type")), _index(event, "output_index")
        if kind == "response.output_item.added":
            self._items[index] = dict(as_object(event.get("item")))
        elif kind == "response.output_item.done":
            self._items.pop(index, None)
        elif (item := self._items.get(index)) is not None:
            self._grow(kind, index, item, event)

    def _grow(self, kind: str, index: int, item: Fields, event: Fields) -> None:
        if name := _FILLING.get(kind):
            item[name] = str(item.get(name) or "") + str(event.get("delta") or "")
        elif kind == "response.reasoning_summary_part.added":
            _parts(item, "summary").append(dict(as_object(event.get("part"))))
        elif kind == "response.reasoning_summary_text.delta":
            _lengthen(_parts(item, "summary"), _index(event, "summary_index"), "text", event)
        elif kind == "response.content_part.added":
            _parts(item, "content").append(dict(as_object(event.get("part"))))
            self._open.add((index, _index(event, "content_index")))
        elif kind == "response.content_part.done":
            self._open.discard((index, _index(event, "content_index")))
        elif name := _GROWING.get(kind):
            _lengthen(_parts(item, "content"), _index(event, "content_index"), name, event)

    def close(self) -> tuple[list[Fields], dict[int, Fields]]:
        """The events that end what is open, without their numbers, and the items as they end."""
        events: list[Fields] = []
        for index, item in sorted(self._items.items()):
            where = {"item_id": item.get("id"), "output_index": index}
            for position, part in enumerate(_parts(item, "content") if item.get("type") == "message" else ()):
                if (index, position) in self._open:
                    events += _end_of_part(where | {"content_index": position}, part)
            if filled := _FILLED.get(str(item.get("type"))):
                events.append({"type": filled[0]} | where | {filled[1]: str(item.get(filled[1]) or "")})
            if item.get("type") in _WITH_STATUS:
                item["status"] = "incomplete"
            events.append({"type": "response.output_item.done", "output_index": index, "item": item})
        return events, self._items


def _end_of_part(where: Fields, part: Fields) -> list[Fields]:
    kind = str(part.get("type"))
    name = "refusal" if kind == "refusal" else "text"
    done: Fields = {"type": _DONE.get(kind, _DONE["output_text"])} | where | {name: str(part.get(name) or "")}
    if name == "text":
        done["logprobs"] = []
    return [done, {"type": "response.content_part.done"} | where | {"part": part}]


def _index(event: Fields, name: str) -> int:
    value = event.get(name)
    return value if isinstance(value, int) else 0


def _parts(item: Fields, name: str) -> list[Fields]:
    """The parts of an item, its own list from now on."""
    given = item.get(name)
    parts: list[Fields] = given if isinstance(given, list) else []
    item[name] = parts
    return parts


def _lengthen(parts: list[Fields], index: int, name: str, event: Fields) -> None:
    if 0 <= index < len(parts) and isinstance(parts[index], dict):
        parts[index][name] = str(parts[index].get(name) or "") + str(event.get("delta") or "")
