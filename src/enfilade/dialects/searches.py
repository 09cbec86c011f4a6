"""How many web searches a request lets its provider make. They are charged beside the tokens."""

from typing import Any

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import NOTHING, is_given, may_name

MOST_SEARCHES = 10
"""How many searches one answer is held to make at most when its request sets no bound; none of the services has one."""
_GOOGLES = (
    *(b"googleSearch", b"google_search", b"googleSearchRetrieval", b"google_search_retrieval"),
    *(b"enterpriseWebSearch", b"enterprise_web_search"),
)


class _Tool(msgspec.Struct, gc=False):
    """As much of a tool as tells whether its provider searches with it, and how often."""

    type: Any = None
    max_uses: Any = None


_TOOLS = msgspec.json.Decoder(list[_Tool])
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_FIGURE = msgspec.json.Decoder(int)


def searches_by_type(tools: msgspec.Raw | None, most: msgspec.Raw = NOTHING) -> int:
    """Searches by tools that have a type, `web_search_20250305` say; no more than `most` together, where it is given."""
    if tools is None or (b"_search" not in (data := bytes(tools)) and not may_name(data)):
        return 0
    try:
        searching = [tool for tool in _TOOLS.decode(data) if _searches(tool.type)]
    except UNREADABLE:
        return MOST_SEARCHES
    count = sum(_bound(tool.max_uses) for tool in searching)
    return min(count, _figure(most, count)) if count and is_given(most) else count


def searches_by_name(tools: msgspec.Raw | None) -> int:
    """Searches by tools that stand under their name, as Google's do."""
    if tools is None or not may_name(data := bytes(tools), *_GOOGLES):
        return 0
    try:
        found = _OBJECTS.decode(data)
    except UNREADABLE:
        return MOST_SEARCHES
    named = {name.decode() for name in _GOOGLES}
    return MOST_SEARCHES * any(is_given(raw) for tool in found for name, raw in tool.items() if name in named)


def _searches(kind: Any) -> bool:
    return isinstance(kind, str) and ("web_search" in kind or kind == "x_search")


def _bound(uses: Any) -> int:
    return uses if type(uses) is int and uses >= 0 else MOST_SEARCHES


def _figure(raw: msgspec.Raw, otherwise: int) -> int:
    try:
        return max(0, _FIGURE.decode(raw))
    except UNREADABLE:
        return otherwise
