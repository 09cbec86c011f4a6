"""What a tool answered, as the object that Google wants."""

from typing import Any

import msgspec

from enfilade.core.messages import Text, ToolResult
from enfilade.dialects.gemini.contents import in_one_line


def response_object(result: ToolResult) -> dict[str, Any] | msgspec.Raw:
    """A text that is a JSON object stands as it is; any other is its `result`, or its `error`."""
    text = "".join(part.text for part in result.content if isinstance(part, Text))
    is_object = _is_object(text)
    if result.is_error:
        return {"error": in_one_line(text) if is_object else text}
    return in_one_line(text) if is_object else {"result": text}


def _is_object(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
