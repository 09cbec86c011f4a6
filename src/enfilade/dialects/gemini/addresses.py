"""Gemini's addresses: the model and the method stand in the path, not in the body."""

from urllib.parse import parse_qs, unquote

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ModelName, raw_json
from enfilade.dialects.errors import MissingField, WrongType

MODELS = "models/"


class Address(msgspec.Struct, frozen=True):
    """What a target says."""

    model: str
    method: str
    sse: bool = False
    """Whether events are wanted: without it a stream is one JSON array."""


def address_of(target: str, fields: dict[str, msgspec.Raw]) -> Address:
    """The model of a target such as `/v1beta/models/m:generateContent?alt=sse`; else that of the body's own `model`.

    Raises MissingField, WrongType.
    """
    path, _, query = target.partition("?")
    _, _, resource = path.partition(f"/{MODELS}")
    model, _, method = unquote(resource).rpartition(":")
    if not model:
        model = own_model(fields)
    try:
        model = msgspec.convert(model, ModelName)
    except msgspec.ValidationError:
        message = "`model` must be 1 to 200 printable characters."
        raise WrongType(message, param="model") from None
    return Address(model, method, "sse" in parse_qs(query).get("alt", ()))


def own_model(fields: dict[str, msgspec.Raw]) -> str:
    """The model that stands in the body. Raises MissingField, WrongType."""
    raw = fields.get("model")
    try:
        model = None if raw is None else msgspec.json.decode(raw, type=str | None)
    except UNREADABLE:
        message = "`model` must be a string."
        raise WrongType(message, param="model") from None
    if not model:
        message = "`model` is required; it stands in the address: /v1beta/models/{model}:generateContent."
        raise MissingField(message, param="model")
    return model.removeprefix(MODELS)


def full_name(model: str) -> str:
    """A model's name with the collection that it stands in, whether the deployment was named with it or without."""
    return f"{MODELS}{model.removeprefix(MODELS)}"


def renamed(raw: msgspec.Raw, model: str) -> msgspec.Raw:
    """The provider's name for the model, written as the body had it: with `models/` before it or without."""
    return raw_json(full_name(model) if bytes(raw).startswith(b'"' + MODELS.encode()) else model)
