"""The methods of a Gemini model, as its paths end: the same with an API key and on Vertex AI."""

import msgspec

from enfilade.providers.http_provider import PathMaker
from enfilade.providers.types import Outgoing, ProviderSpec

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def generating(place: PathMaker) -> PathMaker:
    """Events are asked for as such: without `alt=sse` a stream is one array, which ends when the answer does."""

    def path(outgoing: Outgoing, spec: ProviderSpec) -> str:
        return place(outgoing, spec) + (":streamGenerateContent?alt=sse" if outgoing.stream else ":generateContent")

    return path


def embedding(place: PathMaker) -> PathMaker:
    """One content, or several at once."""

    def path(outgoing: Outgoing, spec: ProviderSpec) -> str:
        fields = fields_of(outgoing.body)
        if "instances" in fields:
            return place(outgoing, spec) + ":predict"
        return place(outgoing, spec) + (":batchEmbedContents" if "requests" in fields else ":embedContent")

    return path


def counting(place: PathMaker) -> PathMaker:
    """Counting tokens."""

    def path(outgoing: Outgoing, spec: ProviderSpec) -> str:
        return place(outgoing, spec) + ":countTokens"

    return path


def is_embedding(model: str) -> bool:
    """Whether a model makes embeddings, by its name: all of Google's say so."""
    return "embedding" in model


def fields_of(body: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a body that a dialect has written, their values unread."""
    return _FIELDS.decode(body)
