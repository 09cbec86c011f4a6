"""Canonical JSON (RFC 8785): the bytes that are hashed into the audit log.

Exact for what our records hold: text, booleans, null, integers below 2**53 and ASCII keys. Other numbers
are refused by construction: records carry money and token counts as integers.
"""

from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted")


def canonical_json(value: Any) -> bytes:
    """`value` as canonical JSON."""
    return _ENCODER.encode(value)


def canonical_text(value: Any) -> str:
    """`value` as canonical JSON, decoded for drivers that take text."""
    return _ENCODER.encode(value).decode()
