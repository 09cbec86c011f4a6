"""The half of translation: one content, or several requests in one body."""

from collections.abc import Mapping
from typing import Any

import msgspec

from enfilade.core.messages import Embeddings, Question
from enfilade.core.unreadable import UNREADABLE
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import ENCODER, NOTHING, is_given
from enfilade.dialects.codec import Rules, Upstream
from enfilade.dialects.errors import MissingField, UnreadableReply, WrongType
from enfilade.dialects.gemini.addresses import full_name
from enfilade.dialects.gemini.contents import ORIGIN
from enfilade.dialects.gemini.embedding import RULES, TASKS, WORDS, content_object, floats_of, text_of
from enfilade.dialects.gemini.fields import camelled, object_at, text_at, whole_at, wrong
from enfilade.dialects.gemini.usage import EMBED
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.types import Request

_OF_ALL = ("taskType", "title", "outputDimensionality")
"""What the neutral form has once for all inputs."""
_SETTINGS = "embedContentConfig"


class Vector(msgspec.Struct, gc=False):
    """One embedding."""

    values: tuple[float, ...] | None = None


class EmbedReply(msgspec.Struct, gc=False, rename="camel"):
    """As much of a reply as we act on: one vector, or one for each request."""

    embedding: Vector | None = None
    embeddings: list[Vector] | None = None
    usage_metadata: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


_REPLY = msgspec.json.Decoder(EmbedReply)


class EmbedCodec:
    """See `Codec`."""

    rules: Rules = RULES
    origin: str = ORIGIN
    field_names: Mapping[str, str] = {"dimensions": "outputDimensionality", "task": "taskType"}

    def question(self, request: Request) -> Question:
        """See `Codec.question`."""
        try:
            fields = camelled(msgspec.json.decode(ENCODER.encode(request.fields)), "request")
            return _Reader().read(fields)
        except (RecursionError, msgspec.DecodeError):
            message = "The body is nested too deeply."
            raise WrongType(message) from None

    def write(self, question: Question, upstream: Upstream) -> bytes:
        """See `Codec.write`: a batch, of one if need be."""
        settings: dict[str, Any] = {"model": full_name(upstream.model)}
        if question.task is not None:
            settings["taskType"] = WORDS.get(question.task, question.task)
        if question.title is not None:
            settings["title"] = question.title
        if question.dimensions is not None:
            settings["outputDimensionality"] = question.dimensions
        return ENCODER.encode({"requests": [settings | {"content": content_object(text)} for text in question.inputs]})

    def read(self, body: bytes, upstream: Upstream) -> Embeddings:
        """See `Codec.read`."""
        vectors, usage = vectors_in(body)
        return Embeddings(tuple(vector.values or () for vector in vectors), upstream.model, usage)

    def render(self, answer: Embeddings, asked: Request) -> bytes:
        """See `Codec.render`: as many as were asked for."""
        vectors = [{"values": floats_of(vector)} for vector in answer.vectors]
        if "requests" in asked.fields:
            return ENCODER.encode({"embeddings": vectors})
        return ENCODER.encode({"embedding": vectors[0] if vectors else {"values": []}})


class _Reader:
    """Reads one request."""

    def __init__(self) -> None:
        self._foreign: list[str] = []
        self._harmless: list[str] = []
        self._settings: dict[str, Any] | None = None
        self._inputs: list[str] = []

    def read(self, fields: dict[str, Any]) -> Question:
        """All of it. Raises WrongType, MissingField."""
        if "requests" in fields:
            requests = fields["requests"]
            if not isinstance(requests, list) or not requests:
                raise wrong("requests", "an array with at least one entry")
            for index, entry in enumerate(requests):
                where = f"requests[{index}]"
                self._one(object_at(entry, where), f"{where}.")
            self._leave({name: value for name, value in fields.items() if name not in {"requests", "model"}}, "")
        else:
            self._one(fields, "")
        settings = self._settings or {}
        task = text_at(settings, "taskType", "")
        task = None if task in {None, "", "TASK_TYPE_UNSPECIFIED"} else TASKS.get(task or "", task)
        return Question(
            inputs=tuple(self._inputs),
            dimensions=whole_at(settings, "outputDimensionality", "request"),
            task=task,
            title=text_at(settings, "title", ""),
            harmless=tuple(self._harmless),
            foreign=tuple(self._foreign),
        )

    def _one(self, fields: dict[str, Any], where: str) -> None:
        if "content" not in fields:
            message = f"`{where}content` is required."
            raise MissingField(message, param=f"{where}content")
        self._inputs.append(text_of(fields["content"], f"{where}content"))
        given = fields | object_at(fields.get(_SETTINGS, {}), f"{where}{_SETTINGS}")
        settings = {name: given[name] for name in _OF_ALL if name in given}
        if self._settings is None:
            self._settings = settings
        elif settings != self._settings:
            self._foreign += [f"{where}{name}" for name in _OF_ALL if settings.get(name) != self._settings.get(name)]
        known = {*_OF_ALL, "content", "model", _SETTINGS}
        self._leave({name: value for name, value in given.items() if name not in known}, where)

    def _leave(self, fields: dict[str, Any], where: str) -> None:
        for name, value in fields.items():
            if name.startswith("x_"):
                self._harmless.append(f"{where}{name}")
            elif value is not False:
                self._foreign.append(f"{where}{name}")


def vectors_in(body: bytes) -> tuple[list[Vector], Usage | None]:
    """The vectors of a reply, and what was used where Google says it. Raises UnreadableReply."""
    message = "The provider's reply holds no embeddings."
    try:
        reply = _REPLY.decode(body)
    except UNREADABLE as error:
        if (sound := without_nan(body)) is not None:
            return vectors_in(sound)
        raise UnreadableReply(message) from error
    vectors = [reply.embedding] if reply.embedding is not None else reply.embeddings
    if vectors is None or is_given(reply.error):
        raise UnreadableReply(message)
    return vectors, EMBED.read(reply.usage_metadata)


CODEC = EmbedCodec()
