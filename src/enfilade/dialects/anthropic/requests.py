"""What is read of every request to Claude before it passes."""

from typing import TypeVar

import msgspec

from enfilade.dialects.anthropic.passing import MARK_BYTES
from enfilade.dialects.bodies import (
    ModelName,
    conversation_bound,
    count_media,
    decode_fields,
    decode_object,
    may_name,
    require_entries,
)
from enfilade.dialects.types import Request

MEDIA_TYPES = frozenset({"image", "document", "container_upload"})
NO_TOKENS = frozenset({"model", "stream", "max_tokens"})
"""Fields that no template shows the model."""


class CommonFields(msgspec.Struct, gc=False):
    """The fields that every request has."""

    model: ModelName
    messages: msgspec.Raw


F = TypeVar("F", bound=CommonFields)


def read_request(body: bytes, decoder: "msgspec.json.Decoder[F]") -> tuple[Request, F]:
    """The request, as far as all kinds of it are alike, and what the decoder reads of it besides.

    Raises MalformedBody, MissingField, WrongType.
    """
    fields = decode_object(body)
    known = decode_fields(decoder, body)
    messages = require_entries(known.messages, "messages")
    request = Request(
        fields=fields,
        model=known.model,
        stream=False,
        size=len(body),
        caching=may_name(body, b"cache_control"),
        envelopes=MARK_BYTES in body,
    )
    if may_name(body, b"image", b"document", b"container_upload"):
        request.media = count_media(messages, MEDIA_TYPES)
    return request, known


def request_bound(request: Request) -> int:
    """See `Dialect.text_bound`."""
    return conversation_bound(request.fields, NO_TOKENS)
