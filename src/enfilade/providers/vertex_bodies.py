"""What Vertex AI wants otherwise than the dialects that it speaks: bodies on their way there, and one reply back."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.providers.changed_reply import ReplyChange
from enfilade.providers.errors import RequestRefused, UnreadableResponse
from enfilade.providers.gemini_paths import fields_of
from enfilade.providers.types import Outgoing

CLAUDE_VERSION = msgspec.Raw(b'"vertex-2023-10-16"')

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder()
_CONFIGURED = ("taskType", "title", "outputDimensionality", "autoTruncate")
# Google's services take each name in both spellings.
_CAMELS = {
    "task_type": "taskType",
    "output_dimensionality": "outputDimensionality",
    "auto_truncate": "autoTruncate",
    "embed_content_config": "embedContentConfig",
    "generate_content_request": "generateContentRequest",
}


def reshape(outgoing: Outgoing) -> bytes:
    """See `HttpAdapter.reshape`."""
    try:
        return _reshaped(outgoing)
    except UNREADABLE:
        raise RequestRefused("A part of the request has not the form that Vertex AI takes.") from None


def _reshaped(outgoing: Outgoing) -> bytes:
    match outgoing.dialect.name:
        case "anthropic_messages":
            fields = fields_of(outgoing.body)
            fields.pop("model", None)  # The path names it; in the body it is refused.
            fields.setdefault("anthropic_version", CLAUDE_VERSION)
            return _ENCODER.encode(fields)
        case "anthropic_count":
            fields = fields_of(outgoing.body)
            fields["model"] = msgspec.Raw(_ENCODER.encode(outgoing.model.rpartition("/")[2]))
            fields.setdefault("anthropic_version", CLAUDE_VERSION)
            return _ENCODER.encode(fields)
        case "gemini_embed":
            return _embedding(outgoing)
        case "gemini_count":
            return _counting(outgoing.body)
        case _:
            return outgoing.body


def answer(outgoing: Outgoing) -> ReplyChange | None:
    """See `HttpAdapter.answer`."""
    if outgoing.dialect.name != "gemini_embed" or not _is_predicted(outgoing.model):
        return None
    return _several_from_predictions if "requests" in fields_of(outgoing.body) else _one_from_predictions


def _counting(body: bytes) -> bytes:
    """Whole requests to be counted are written without the object around them."""
    inner = _camelled(fields_of(body)).get("generateContentRequest")
    if inner is None:
        return body
    inner_fields = fields_of(bytes(inner))
    inner_fields.pop("model", None)
    return _ENCODER.encode(inner_fields)


# Embeddings.


def _is_predicted(model: str) -> bool:
    """Whether a model has the older method only, with its own bodies: those that are no Gemini (google-genai's rule)."""
    name = model.rpartition("/")[2]
    return "gemini" not in name and "maas" not in name


def _embedding(outgoing: Outgoing) -> bytes:
    fields = fields_of(outgoing.body)
    several = fields.get("requests")
    if _is_predicted(outgoing.model):
        if several is None:
            return _instances([msgspec.json.decode(outgoing.body)])
        return _instances(msgspec.json.decode(several, type=list[dict[str, Any]]))
    if several is None:
        return _ENCODER.encode(_configured(fields))
    requests = msgspec.json.decode(several, type=list[dict[str, msgspec.Raw]])
    return _ENCODER.encode({"requests": [_configured(request) for request in requests]})


def _configured(fields: dict[str, msgspec.Raw]) -> dict[str, Any]:
    """What stands beside the content with an API key stands in an object of its own here."""
    fields = _camelled(fields)
    config = {name: fields[name] for name in _CONFIGURED if name in fields}
    if (given := fields.get("embedContentConfig")) is not None:
        config |= _camelled(fields_of(bytes(given)))
    shown: dict[str, Any] = {"content": fields["content"]} if "content" in fields else {}
    return shown | ({"embedContentConfig": config} if config else {})


def _instances(requests: list[dict[str, Any]]) -> bytes:
    configs = [_flat(request) for request in requests]
    instances = []
    for config in configs:
        instance = {"content": _text(config.get("content"))}
        for name, ours in (("taskType", "task_type"), ("title", "title")):
            if config.get(name) is not None:
                instance[ours] = config[name]
        instances.append(instance)
    parameters = {}
    for name in ("outputDimensionality", "autoTruncate"):
        values = [config.get(name) for config in configs]
        if any(value != values[0] for value in values):
            message = f"Requests to this model that are sent together must agree in {name}."
            raise RequestRefused(message, param=f"requests.{name}")
        if values and values[0] is not None:
            parameters[name] = values[0]
    return _ENCODER.encode({"instances": instances} | ({"parameters": parameters} if parameters else {}))


def _flat(request: dict[str, Any]) -> dict[str, Any]:
    request = _camelled(request)
    config = request.get("embedContentConfig")
    return request | _camelled(config) if isinstance(config, dict) else request


def _camelled(fields: dict[str, T]) -> dict[str, T]:
    return {_CAMELS.get(name, name): value for name, value in fields.items()}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content.get("parts") if isinstance(content, dict) else None
    if isinstance(parts, dict):
        parts = [parts]
    if not isinstance(parts, list) or not all(isinstance(part, dict) and set(part) == {"text"} for part in parts):
        raise RequestRefused("This model makes embeddings of text only.", param="content.parts")
    return "".join(str(part["text"]) for part in parts)


class _Embedding(msgspec.Struct, omit_defaults=True):
    values: msgspec.Raw
    statistics: dict[str, Any] = {}


class _Prediction(msgspec.Struct):
    embeddings: _Embedding


class _Predictions(msgspec.Struct):
    predictions: list[_Prediction]


_PREDICTIONS = msgspec.json.Decoder(_Predictions)


def _read_predictions(body: bytes) -> list[_Embedding]:
    try:
        return [prediction.embeddings for prediction in _PREDICTIONS.decode(body).predictions]
    except UNREADABLE:
        raise UnreadableResponse("The provider's predictions are no embeddings.") from None


def _one_from_predictions(body: bytes) -> bytes:
    found = _read_predictions(body)
    if len(found) != 1:
        raise UnreadableResponse("The provider answered with another number of embeddings than it was asked for.")
    return _ENCODER.encode({"embedding": {"values": found[0].values}} | _usage(found))


def _several_from_predictions(body: bytes) -> bytes:
    found = _read_predictions(body)
    return _ENCODER.encode({"embeddings": [{"values": embedding.values} for embedding in found]} | _usage(found))


def _usage(embeddings: Iterable[_Embedding]) -> dict[str, Any]:
    """What was counted, unless something was not: a sum that leaves one out would be too small."""
    counts = [embedding.statistics.get("token_count") for embedding in embeddings]
    known = [int(count) for count in counts if isinstance(count, int | float)]
    return {"usageMetadata": {"promptTokenCount": sum(known)}} if len(known) == len(counts) else {}
