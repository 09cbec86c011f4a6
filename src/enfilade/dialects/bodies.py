"""Reading JSON bodies: what all dialects check alike."""

import json
import re
from typing import Annotated, Any, TypeVar

import msgspec

from enfilade.core.errors import InvalidRequest, MalformedBody
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.errors import MissingField, WrongType

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY = msgspec.json.Decoder()
ENCODER = msgspec.json.Encoder()

_COMMON: tuple[str, ...] = (
    "model",
    "messages",
    "input",
    "max_tokens",
    "max_completion_tokens",
    "stream",
    "stream_options",
)
_COMMON += ("temperature", "top_p", "tools", "tool_choice", "system", "n", "stop", "user", "seed", "response_format")
_QUOTED = {name: f'"{name}"'.encode() for name in _COMMON}

NOTHING = msgspec.Raw()
"""A raw field that is not there. (`Raw | None` is no type for one: msgspec takes nothing but null for it.)"""

TOKENS_PER_MESSAGE = 16
"""More than any template adds around a message."""

MAX_CHOICES = 128
MAX_ERROR = 4_000
"""How much is kept of an error inside a stream, in bytes: far more than providers write, since half of it is no JSON."""
MAX_CHECKED_FOR_DUPLICATES = 256_000
MAX_OUTPUT = 1_000_000_000

# Types of fields that all dialects have alike. A model's name stands in headers and logs: printable ASCII only.
ModelName = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,200}$")]
OutputBound = Annotated[int, msgspec.Meta(ge=1, le=MAX_OUTPUT)]
Choices = Annotated[int, msgspec.Meta(ge=1, le=MAX_CHOICES)]
NAMES_OF_TYPES: dict[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "an array",
    dict: "an object",
}


def error_text(error: bytes) -> str:
    """A provider's error object, told inside a stream, as it is kept: whole, unless it is of no sensible length."""
    return error[:MAX_ERROR].decode(errors="replace")


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
    if len(body) > MAX_CHECKED_FOR_DUPLICATES:
        # Of two fields of one name the last counts, for us and, since we write what goes upstream, for the provider too.
        return fields
    for name in fields:
        quoted = _QUOTED.get(name) or b'"%b"' % name.encode()
        if body.count(quoted) > 1 and _names_twice(body, quoted):
            _refuse_duplicates(body)
            break
    return fields


def _names_twice(body: bytes, quoted: bytes) -> bool:
    """Whether a colon follows the name more than once: `user` is a field, and the commonest value of `role`."""
    return sum(after.lstrip().startswith(b":") for after in body.split(quoted)[1:]) > 1


def _refuse_duplicates(body: bytes) -> None:
    """The slow way, for bodies in which a field's name occurs more than once, if only inside another field."""
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


def decode_fields(decoder: "msgspec.json.Decoder[S]", body: bytes) -> S:
    """The fields that a dialect acts on, each of its type, in one pass. Raises WrongType, MissingField."""
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        raise _field_error(str(error)) from None


_FIELD_ERROR = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")


def _field_error(text: str) -> InvalidRequest:
    """msgspec's words in ours, with the field that they name."""
    found = _FIELD_ERROR.fullmatch(text)
    what, where = (found["what"], found["where"] or None) if found else (text, None)
    if missing := _MISSING.match(what):
        message = f"`{missing['name']}` is required."
        return MissingField(message, param=missing["name"])
    message = f"`{where}`: {what}." if where else f"{what}."
    return WrongType(message, param=where)


def read(fields: dict[str, msgspec.Raw], name: str, kind: type[T]) -> T | None:
    """A field's value, or None when it is absent or null. Raises WrongType."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=kind | None)
    except UNREADABLE:
        message = f"`{name}` must be {NAMES_OF_TYPES.get(kind, kind.__name__)}."
        raise WrongType(message, param=name) from None


def read_positive(fields: dict[str, msgspec.Raw], name: str, most: int) -> int | None:
    """A whole number of at least 1, or None. Raises WrongType for everything else."""
    value = read(fields, name, int)
    if value is not None and not 1 <= value <= most:
        message = f"`{name}` must be between 1 and {most}."
        raise WrongType(message, param=name)
    return value


def require_entries(raw: msgspec.Raw, name: str) -> msgspec.Raw:
    """An array with something in it, unread. Raises WrongType."""
    text = head(raw)
    if text[:1] != b"[" or (len(text) < 8 and not text[1:-1].strip()):
        message = f"`{name}` must be an array with at least one entry."
        raise WrongType(message, param=name)
    return raw


def read_any(raw: msgspec.Raw, name: str) -> Any:
    """A field's whole value. Raises WrongType when it cannot be read."""
    try:
        return _ANY.decode(raw)
    except UNREADABLE:
        message = f"`{name}` cannot be read."
        raise WrongType(message, param=name) from None


def as_object(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one: what a field holds is the caller's to say."""
    return value if isinstance(value, dict) else {}


_ESCAPED_ASCII = re.compile(rb"\\u00[2-7]")


def may_name(body: bytes, *names: bytes) -> bool:
    """Whether one of the names may stand in the body: as it is, or written with escapes so that it is not found."""
    for name in names:
        if b'"%b"' % name in body:
            return True
    # A search for one byte runs through megabytes of base64 in no time; one for a word does not.
    return b"\\" in body and b"\\u00" in body and _ESCAPED_ASCII.search(body) is not None


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


def head(raw: msgspec.Raw) -> bytes:
    """The first bytes of a value, which may be megabytes long; all of it when there are fewer than eight."""
    return bytes(memoryview(raw)[:8])


class _Entry(msgspec.Struct, gc=False):
    """As much of a message or a block as tells media from text."""

    type: Any = None
    content: msgspec.Raw = NOTHING
    output: msgspec.Raw = NOTHING


_ENTRIES = msgspec.json.Decoder(list[_Entry])
_DEEPEST = 4
"""Messages hold blocks, those hold results, and those hold blocks again."""


def count_media(raw: msgspec.Raw, kinds: frozenset[str], depth: int = 0) -> int:
    """How many blocks among messages or items are of these kinds; their data is not read.

    Raises WrongType for what cannot be read at all.
    """
    start = head(raw)[:1]
    if start not in {b"[", b"{"}:
        return 0
    try:
        if start == b"{" or depth == _DEEPEST:
            return _count_decoded(read_any(raw, "messages"), kinds)
        entries = _ENTRIES.decode(raw)
    except UNREADABLE:
        # Something among them is no block; that hides none of the others.
        return _count_decoded(read_any(raw, "messages"), kinds)
    count = 0
    for entry in entries:
        count += str(entry.type) in kinds
        count += count_media(entry.content, kinds, depth + 1) + count_media(entry.output, kinds, depth + 1)
    return count


def _count_decoded(value: object, kinds: frozenset[str]) -> int:
    count = 0
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            count += str(item.get("type")) in kinds
            pending += [item.get("content"), item.get("output")]
    return count


def is_given(raw: msgspec.Raw) -> bool:
    """Whether a raw field is there, and not null."""
    return head(raw) not in {b"", b"null"}


def conversation_bound(fields: dict[str, msgspec.Raw], ignored: frozenset[str]) -> int:
    """A bound of a conversation's tokens: its texts, and every other field as it stands, but those in `ignored`."""
    messages = read_any(fields["messages"], "messages")
    extra = sum(len(bytes(raw)) for name, raw in fields.items() if name != "messages" and name not in ignored)
    return text_size(messages) + TOKENS_PER_MESSAGE * (len(messages) + 1) + extra


def raw_json(value: object) -> msgspec.Raw:
    """A value as it will stand in a body."""
    return msgspec.Raw(ENCODER.encode(value))
