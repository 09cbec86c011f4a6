"""Text and tokens of the simulated models. A token is up to four bytes, never a part of a character."""

import hashlib
import struct
from collections.abc import Iterable

from enfilade.core.messages import Conversation, Text, ToolCall, ToolResult

VOCABULARY = ("one ", "row ", "of ", "oak ", "doors", "in a", " row ", "lets", " the ", "eye ", "go ", "far. ")
TOKEN_BYTES = 4
TOKENS_PER_MESSAGE = 4


def split_tokens(text: str) -> list[str]:
    """A text in tokens."""
    if text.isascii():
        return [text[start : start + TOKEN_BYTES] for start in range(0, len(text), TOKEN_BYTES)]
    tokens, current, size = [], "", 0
    for character in text:
        width = len(character.encode("utf-8", "surrogatepass"))
        if current and size + width > TOKEN_BYTES:
            tokens.append(current)
            current, size = "", 0
        current += character
        size += width
    return [*tokens, current] if current else tokens


def fixed_tokens(count: int) -> list[str]:
    """So many tokens of the same words in the same order, every time."""
    return [VOCABULARY[index % len(VOCABULARY)] for index in range(count)]


def count_input(conversation: Conversation) -> int:
    """What the simulated provider charges a conversation as."""
    count = sum(len(split_tokens(part.text)) for part in conversation.system)
    for message in conversation.messages:
        count += TOKENS_PER_MESSAGE
        for part in message.parts:
            if isinstance(part, Text):
                count += len(split_tokens(part.text))
            elif isinstance(part, ToolCall):
                count += len(split_tokens(part.arguments))
            elif isinstance(part, ToolResult):
                count += sum(len(split_tokens(piece.text)) for piece in part.content if isinstance(piece, Text))
    return count


def count_texts(texts: Iterable[str]) -> int:
    """What the simulated provider charges texts as whose embeddings are asked for."""
    return sum(TOKENS_PER_MESSAGE + len(split_tokens(text)) for text in texts)


def embed(text: str, dimensions: int) -> list[float]:
    """A unit vector that depends on nothing but the text."""
    values: list[float] = []
    counter = 0
    while len(values) < dimensions:
        digest = hashlib.sha256(f"{counter}:{text}".encode("utf-8", "surrogatepass")).digest()
        values.extend(value / 2**31 - 1 for value in struct.unpack("<8I", digest))
        counter += 1
    values = values[:dimensions]
    length = sum(value * value for value in values) ** 0.5 or 1.0
    return [value / length for value in values]
