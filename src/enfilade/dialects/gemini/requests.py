"""What is found in every caller's request before it passes."""

import msgspec

from enfilade.dialects.errors import WrongType
from enfilade.dialects.gemini.fields import snake

MEDIA_FIELDS = (b"inlineData", b"inline_data", b"fileData", b"file_data")
_MEDIA = frozenset(name.decode() for name in MEDIA_FIELDS)
_FREE = frozenset({"args", "response"})
"""What tools were asked and answered: names in there are the caller's own."""
_ACTED_ON = ("generationConfig", "serviceTier", "cachedContent", "systemInstruction")


def count_media(value: object) -> int:
    """Parts that are not text, those within results included."""
    count = 0
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            count += not _MEDIA.isdisjoint(item)
            pending.extend(content for name, content in item.items() if name not in _FREE)
    return count


def require_one_spelling(fields: dict[str, msgspec.Raw]) -> None:
    """Raise WrongType when a field that we act on is there in both ways of writing it: which one counts, nobody says."""
    for name in _ACTED_ON:
        if name in fields and snake(name) in fields:
            message = f"`{name}` stands in the body twice, in two ways of writing it."
            raise WrongType(message, param=name)
