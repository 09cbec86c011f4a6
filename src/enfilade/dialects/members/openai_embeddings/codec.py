"""Embeddings to and from the neutral form. See `dialects.codec`."""

import base64
import binascii
import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from enfilade.core.messages import Embeddings, Question
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER, NOTHING, read_any
from enfilade.dialects.checks import is_void, text, whole, wrong
from enfilade.dialects.codec import Rules, Upstream
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.openai.usage import EMBEDDINGS
from enfilade.dialects.types import Request

FLOAT = 4
"""Bytes of a packed float."""
INPUTS = "a string, or an array of strings, of tokens, or of arrays of tokens"
_TASKS = {"search_query": "query", "search_document": "document"}
_ELSEWHERE = frozenset({"model", "stream"})


class Vector(msgspec.Struct, gc=False):
    """One embedding, in floats or packed."""

    embedding: tuple[float, ...] | str
    index: int | None = None


class Reply(msgspec.Struct, gc=False):
    """A provider's reply."""

    data: list[Vector]
    model: str | None = None
    usage: msgspec.Raw = NOTHING


_REPLY = msgspec.json.Decoder(Reply)


class EmbeddingsCodec:
    """See `Codec`."""

    rules = Rules(takes=frozenset({"dimensions", "user", "token_inputs"}))
    origin = "openai"
    field_names: Mapping[str, str] = {"inputs": "input", "token_inputs": "input", "task": "input_type"}

    def question(self, request: Request) -> Question:
        """See `Codec.question`."""
        settings: dict[str, Any] = {}
        foreign = []
        for name, raw in request.fields.items():
            if name in _ELSEWHERE:
                continue
            value = read_any(raw, name)
            if value is None:
                continue
            if (reader := _READERS.get(name)) is not None:
                reader(value, name, settings)
            elif not is_void(name, value):
                foreign.append(name)
        settings.setdefault("inputs", ())
        return Question(foreign=tuple(foreign), **settings)

    def write(self, question: Question, upstream: Upstream) -> bytes:
        """See `Codec.write`."""
        body: dict[str, object] = {"model": upstream.model, "input": question.token_inputs or question.inputs}
        if question.dimensions is not None:
            body["dimensions"] = question.dimensions
        if question.user is not None:
            body["user"] = question.user
        if question.base64 and "base64" not in upstream.traits.lacks:
            body["encoding_format"] = "base64"
        return ENCODER.encode(body)

    def read(self, body: bytes, upstream: Upstream) -> Embeddings:
        """See `Codec.read`."""
        try:
            reply = _REPLY.decode(body)
        except UNREADABLE as error:
            if (sound := without_nan(body)) is not None:
                return self.read(sound, upstream)
            message = "The provider's reply holds no embeddings."
            raise UnreadableReply(message) from error
        if not reply.data:
            message = "The provider's reply holds no embeddings."
            raise UnreadableReply(message)
        vectors = reply.data
        if all(vector.index is not None for vector in vectors):
            vectors = sorted(vectors, key=lambda vector: vector.index or 0)
        usage = EMBEDDINGS.read(reply.usage)
        return Embeddings(tuple(vector.embedding for vector in vectors), reply.model or upstream.model, usage)

    def render(self, answer: Embeddings, asked: Request) -> bytes:
        """See `Codec.render`. Raises UnreadableReply for packed floats that are none."""
        shown = packed if _wants_packed(asked) else unpacked
        tokens = answer.usage.input_tokens if answer.usage is not None else 0
        return ENCODER.encode(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": shown(vector)}
                    for index, vector in enumerate(answer.vectors)
                ],
                "model": answer.model,
                # The SDK knows no reply without usage; some providers report none.
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )


def packed(vector: tuple[float, ...] | str) -> str:
    """The vector as the SDK asks for it: little-endian floats of four bytes in base64."""
    if isinstance(vector, str):
        return vector
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (struct.error, OverflowError) as error:
        message = "The provider's reply holds a figure that is too large for an embedding."
        raise UnreadableReply(message) from error


def unpacked(vector: tuple[float, ...] | str) -> tuple[float, ...]:
    """The vector in floats."""
    if not isinstance(vector, str):
        return vector
    try:
        data = base64.b64decode(vector, validate=True)
        return struct.unpack(f"<{len(data) // FLOAT}f", data)
    except (binascii.Error, ValueError, struct.error) as error:
        message = "The provider's reply holds an embedding that cannot be unpacked."
        raise UnreadableReply(message) from error


def _wants_packed(asked: Request) -> bool:
    raw = asked.fields.get("encoding_format")
    return raw is not None and read_any(raw, "encoding_format") == "base64"


def _input(value: object, name: str, settings: dict[str, Any]) -> None:
    if isinstance(value, str):
        settings["inputs"] = (value,)
        return
    if not isinstance(value, list) or not value:
        wrong(name, INPUTS)
    first = value[0]
    if isinstance(first, str):
        settings["inputs"] = tuple(text(entry, f"{name}[{position}]") for position, entry in enumerate(value))
    elif isinstance(first, list):
        settings["token_inputs"] = tuple(_tokens(entry, f"{name}[{position}]") for position, entry in enumerate(value))
    elif isinstance(first, int):
        settings["token_inputs"] = (_tokens(value, name),)
    else:
        wrong(f"{name}[0]", "a string, a token, or an array of tokens")


def _tokens(value: object, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        wrong(where, "an array of tokens")
    return tuple(whole(token, f"{where}[{position}]") for position, token in enumerate(value))


def _dimensions(value: object, name: str, settings: dict[str, Any]) -> None:
    if whole(value, name) < 1:
        wrong(name, "at least 1")
    settings["dimensions"] = value


def _user(value: object, name: str, settings: dict[str, Any]) -> None:
    settings["user"] = text(value, name)


def _task(value: object, name: str, settings: dict[str, Any]) -> None:
    """What for: not OpenAI's own, but many services that speak the dialect have it."""
    settings["task"] = _TASKS.get(text(value, name), value)


def _form(value: object, name: str, settings: dict[str, Any]) -> None:
    if value not in ("float", "base64"):
        wrong(name, "`float` or `base64`")
    settings["base64"] = value == "base64"


_READERS: dict[str, Callable[[Any, str, dict[str, Any]], None]] = {
    "input": _input,
    "dimensions": _dimensions,
    "user": _user,
    "input_type": _task,
    "encoding_format": _form,
}

CODEC = EmbeddingsCodec()
