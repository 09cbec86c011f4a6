"""Reading JSON bodies: what all dialects check alike."""

import json
from typing import Any, TypeVar

import msgspec

from enfilade.core.errors import MalformedBody
from enfilade.dialects.errors import MissingField, WrongType

T = TypeVar("T")

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY = msgspec.json.Decoder()
ENCODER = msgspec.json.Encoder()

MAX_CHOICES = 128
MAX_CHECKED_FOR_DUPLICATES = 256_000
MAX_OUTPUT = 1_000_000_000
NAMES_OF_TYPES = {str: "a string", bool: "true or false", int: "a whole number"}


def decode_object(body: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a JSON object, their values unread.

    What goes upstream is written from these fields, so a body cannot say one thing to us and another to the provider.
    Raises MalformedBody for invalid UTF-8, invalid JSON, anything but an object, and a field that comes twice.
    """
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            message = f"The body is not valid UTF-8 (byte {error.start})."
            raise MalformedBody(message) from None
    try:
        fields = _OBJECT.decode(body)
    except msgspec.ValidationError:
        message = "The body must be a JSON object."
        raise MalformedBody(message) from None
    except msgspec.DecodeError as error:
        message = f"The body is not valid JSON: {error}."
        raise MalformedBody(message) from None
    except RecursionError:
        message = "The body is nested too deeply."
        raise MalformedBody(message) from None
    for name in fields:
        if body.count(b'"%b"' % name.encode()) > 1:
            _refuse_duplicates(body)
            break
    return fields


def _refuse_duplicates(body: bytes) -> None:
    """The slow way, for bodies in which a field's name occurs more than once, if only inside a text.

    A long body is not looked at: of two fields of one name the last counts, for us and, since we write what goes
    upstream, for the provider too.
    """
    if len(body) > MAX_CHECKED_FOR_DUPLICATES:
        return
    outermost: list[tuple[str, object]] = []

    def remember(pairs: list[tuple[str, object]]) -> None:
        outermost[:] = pairs  # Inner objects come first: the last one stays.

    try:
        json.loads(body, object_pairs_hook=remember, parse_int=str, parse_float=str)
    except RecursionError:
        message = "The body is nested too deeply."
        raise MalformedBody(message) from None
    seen = set()
    for name, _ in outermost:
        if name in seen:
            message = f"The body has the field {name!r} twice."
            raise MalformedBody(message, param=name)
        seen.add(name)


def read(fields: dict[str, msgspec.Raw], name: str, kind: type[T]) -> T | None:
    """A field's value, or None when it is absent or null. Raises WrongType."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=kind | None)
    except (msgspec.DecodeError, RecursionError):
        message = f"`{name}` must be {NAMES_OF_TYPES.get(kind, kind.__name__)}."
        raise WrongType(message, param=name) from None


def require(fields: dict[str, msgspec.Raw], name: str, kind: type[T]) -> T:
    """Like `read`, for a field that must be there. Raises MissingField, WrongType."""
    value = read(fields, name, kind)
    if value is None:
        message = f"`{name}` is required."
        raise MissingField(message, param=name)
    return value


def require_model(fields: dict[str, msgspec.Raw]) -> str:
    """The name of the model that a request asks for."""
    model = require(fields, "model", str)
    if not 0 < len(model) <= 200:
        message = "`model` must be a name of 1 to 200 characters."
        raise WrongType(message, param="model")
    return model


def read_positive(fields: dict[str, msgspec.Raw], name: str, most: int = MAX_OUTPUT) -> int | None:
    """A whole number of at least 1, or None. Raises WrongType for everything else."""
    value = read(fields, name, int)
    if value is not None and not 1 <= value <= most:
        message = f"`{name}` must be between 1 and {most}."
        raise WrongType(message, param=name)
    return value


def require_array(fields: dict[str, msgspec.Raw], name: str) -> msgspec.Raw:
    """An array with something in it, unread. Raises MissingField, WrongType."""
    raw = fields.get(name)
    if raw is None:
        message = f"`{name}` is required."
        raise MissingField(message, param=name)
    text = bytes(raw)
    if not text.startswith(b"[") or not text[1:-1].strip():
        message = f"`{name}` must be an array with at least one entry."
        raise WrongType(message, param=name)
    return raw


def read_any(raw: msgspec.Raw, name: str) -> Any:
    """A field's whole value. Raises WrongType when it cannot be read."""
    try:
        return _ANY.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        message = f"`{name}` cannot be read."
        raise WrongType(message, param=name) from None


def text_size(value: object) -> int:
    """The bytes of all texts and names inside a decoded value; a bound of the tokens that they become."""
    size = 0
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            size += len(item.encode("utf-8", "surrogatepass")) + 1
        elif isinstance(item, dict):
            pending.extend(item.values())
            pending.extend(item.keys())
        elif isinstance(item, list):
            pending.extend(item)
        else:
            size += 24
    return size


def raw_json(value: object) -> msgspec.Raw:
    """A value as it will stand in a body."""
    return msgspec.Raw(ENCODER.encode(value))
