"""What a tool answered, as the object that Google wants."""

from typing import Any

import msgspec

from enfilade.core.messages import Text, ToolResult
from enfilade.dialects.json_text import object_text


def response_object(result: ToolResult) -> dict[str, Any] | msgspec.Raw:
    """A text that is a JSON object stands as it is; any other is its `result`, or its `error`."""
    text = "".join(part.text for part in result.content if isinstance(part, Text))
    found = object_text(text)
    if result.is_error:
        return {"error": text if found is None else found}
    return {"result": text} if found is None else found
