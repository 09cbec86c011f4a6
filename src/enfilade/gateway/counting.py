"""How many tokens a request probably has, for models whose providers do not count."""

import msgspec

from enfilade.core.messages import Conversation, Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from enfilade.gateway.bounds import BYTES_PER_TOKEN
from enfilade.gateway.types import Call

MEDIA_TOKENS = 1_600
"""What a large image comes to at most providers; a document's page comes near it."""
TURN_TOKENS = 4
"""What templates put around a turn."""


def estimated_count(call: Call) -> int:
    """The estimate. Raises WrongType for what cannot be read."""
    question = call.asking().neutral()
    assert isinstance(question, Conversation), "counts are asked of conversations"
    texts = sum(len(text.text.encode("utf-8", "surrogatepass")) for text in question.system)
    for tool in question.tools:
        texts += len(msgspec.json.encode((tool.name, tool.description, tool.parameters)))
    media = 0
    for message in question.messages:
        for part in message.parts:
            size, pictures = _measured(part)
            texts += size
            media += pictures
    turns = len(question.messages) + len(question.system)
    return -(-texts // BYTES_PER_TOKEN) + TURN_TOKENS * turns + MEDIA_TOKENS * media


def _measured(part: Part) -> tuple[int, int]:
    """Bytes of text, and how many media."""
    if isinstance(part, Text | Refusal | Reasoning):
        return len(part.text.encode("utf-8", "surrogatepass")), 0
    if isinstance(part, ToolCall):
        return len(part.name) + len(part.arguments.encode("utf-8", "surrogatepass")), 0
    if isinstance(part, ToolResult):
        inner = [_measured(piece) for piece in part.content]
        return sum(size for size, _ in inner), sum(count for _, count in inner)
    if isinstance(part, Media):
        return (len(part.text.encode("utf-8", "surrogatepass")), 0) if part.text is not None else (0, 1)
    return len(msgspec.json.encode(part.value)), 0
