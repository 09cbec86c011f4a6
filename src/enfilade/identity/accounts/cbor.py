"""Reading CBOR (RFC 8949) as authenticators write it: definite lengths, no tags, no floating point."""

from typing import Any

MAX_DEPTH = 8
MAX_ITEMS = 64
_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}
_SIMPLE = {20: False, 21: True, 22: None}


def decode_first(data: bytes) -> tuple[Any, int]:
    """The first item, and how many bytes it takes. Raises ValueError."""
    try:
        return _item(data, 0, 0)
    except (IndexError, UnicodeDecodeError, TypeError):
        message = "this is no CBOR of an authenticator"
        raise ValueError(message) from None


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        message = "CBOR is nested too deeply"
        raise ValueError(message)
    major, argument, at = _head(data, at)
    if major <= 1:
        return (argument if major == 0 else -1 - argument), at
    if major <= 3:
        end = at + argument
        if end > len(data):
            raise IndexError
        return (data[at:end] if major == 2 else data[at:end].decode()), end
    if major <= 5:
        return _entries(data, at, depth, (major, argument))
    if major == 7 and argument in _SIMPLE:
        return _SIMPLE[argument], at
    message = "CBOR holds something that authenticators do not say"
    raise ValueError(message)


def _entries(data: bytes, at: int, depth: int, head: tuple[int, int]) -> tuple[Any, int]:
    """A list or a map."""
    major, count = head
    if count > MAX_ITEMS:
        message = "CBOR holds more than authenticators say"
        raise ValueError(message)
    entries = []
    for _ in range(count * (major - 3)):
        entry, at = _item(data, at, depth + 1)
        entries.append(entry)
    if major == 4:
        return entries, at
    found = dict(zip(entries[::2], entries[1::2], strict=True))
    if len(found) < count:
        message = "CBOR names something twice"
        raise ValueError(message)
    return found, at


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info < 24:
        return major, info, at
    if info not in _SIZES or major == 7:
        message = "CBOR of indefinite length, or with floating point"
        raise ValueError(message)
    size = _SIZES[info]
    if at + size > len(data):
        raise IndexError
    return major, int.from_bytes(data[at : at + size], "big"), at + size
