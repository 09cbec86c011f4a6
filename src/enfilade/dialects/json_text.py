"""JSON inside of texts and events, which anybody may have written."""

import re
from typing import Any

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import as_object
from enfilade.dialects.errors import UnreadableReply

_TEXT_OR_ODD = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?(?:NaN|Infinity)', re.DOTALL)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def without_nan(data: bytes) -> bytes | None:
    """The JSON with figures that are none, NaN and the infinities, as texts, which is how some servers' whole replies
    become readable; None where there are no such figures.
    """
    if b"NaN" not in data and b"Infinity" not in data:
        return None
    sound = _TEXT_OR_ODD.sub(lambda found: found[0] if found[0].startswith(b'"') else b'"%b"' % found[0], data)
    return None if sound == data else sound


def in_one_line(data: bytes) -> bytes:
    """JSON as an event's line can hold it: line ends are only ever between its tokens."""
    if b"\n" not in data and b"\r" not in data:
        return data
    return data.replace(b"\n", b" ").replace(b"\r", b" ")


def object_in(data: bytes | msgspec.Raw) -> dict[str, Any]:
    """The object that stands there; an empty one for anything else."""
    try:
        return as_object(msgspec.json.decode(data))
    except UNREADABLE:
        return {}


def object_text(text: str) -> msgspec.Raw | None:
    """The text, to be written as it is, if it is an object."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        _OBJECT.decode(text)
    except UNREADABLE:
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


def text_in_reply(raw: msgspec.Raw) -> str:
    """JSON in a provider's reply as the text that it is. Raises UnreadableReply for what is no UTF-8."""
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError as error:
        message = "The provider's reply holds text that is no UTF-8."
        raise UnreadableReply(message) from error
