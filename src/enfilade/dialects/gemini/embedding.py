"""Texts to be embedded, and their vectors, in Google's words."""

import base64
import binascii
from array import array
from collections.abc import Sequence
from typing import Any

from enfilade.core.messages import Text
from enfilade.dialects.codec import Rules
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.gemini.contents import Contents
from enfilade.dialects.gemini.fields import wrong

TASKS = {
    "RETRIEVAL_QUERY": "query",
    "RETRIEVAL_DOCUMENT": "document",
    "SEMANTIC_SIMILARITY": "similarity",
    "CLASSIFICATION": "classification",
    "CLUSTERING": "clustering",
}
"""Google's tasks that other dialects know too; the rest keep their names."""
WORDS = {neutral: word for word, neutral in TASKS.items()}
RULES = Rules(takes=frozenset({"dimensions", "task", "title"}))


def text_of(content: object, where: str) -> str:
    """The words of one content. Raises WrongType when there is more than words."""
    contents = Contents()
    contents.take(content, where)
    parts = [part for message in contents.messages for part in message.parts]
    if not all(isinstance(part, Text) for part in parts):
        raise wrong(f"{where}.parts", "text alone, unless the model is one of Google's")
    return "\n".join(part.text for part in parts if isinstance(part, Text))


def content_object(text: str) -> dict[str, Any]:
    """A text as a content."""
    return {"parts": [{"text": text}]}


def floats_of(vector: Sequence[float] | str) -> list[float]:
    """A vector as numbers: Google's callers know no packed ones. Raises UnreadableReply."""
    if not isinstance(vector, str):
        return list(vector)
    unpacked = array("f")
    try:
        unpacked.frombytes(base64.b64decode(vector, validate=True))
    except (binascii.Error, ValueError) as error:
        message = "The provider's reply holds a vector that cannot be unpacked."
        raise UnreadableReply(message) from error
    return unpacked.tolist()
