"""JSON inside of texts and events, which anybody may have written."""

from typing import Any

import msgspec

from enfilade.dialects.bodies import as_object

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def in_one_line(data: bytes) -> bytes:
    """JSON as an event's line can hold it: line ends are only ever between its tokens."""
    if b"\n" not in data and b"\r" not in data:
        return data
    return data.replace(b"\n", b" ").replace(b"\r", b" ")


def object_in(data: bytes | msgspec.Raw) -> dict[str, Any]:
    """The object that stands there; an empty one for anything else."""
    try:
        return as_object(msgspec.json.decode(data))
    except (msgspec.DecodeError, RecursionError):
        return {}


def object_text(text: str) -> msgspec.Raw | None:
    """The text, to be written as it is, if it is an object."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return msgspec.Raw(in_one_line(text.encode()))


def arguments_object(text: str, unreadable: str) -> msgspec.Raw | dict[str, str]:
    """A call's arguments, as services want them that take objects only. Models write anything: what is no object goes
    under the name `unreadable`.
    """
    if not text or text.isspace():
        return {}
    found = object_text(text)
    return {unreadable: text} if found is None else found
