"""Seals on their way through a caller of another family.

A caller of one dialect may be answered by a provider of another, whose signatures and sealed reasoning have to come
back with the next turn. They travel in the place that the caller's dialect has for its own, as an envelope that says
whose they are. Envelopes are base64, because Gemini's SDK decodes its signatures, and begin with a constant, so that
they are found in a body without reading it.
"""

import base64
import binascii

import msgspec

from enfilade.core.messages import Sealed

_PREFIX = b"enfilade1"
MARK = base64.b64encode(_PREFIX).decode()
"""How every envelope begins. The prefix fills whole groups of base64, so what follows does not change it."""
_PAIR = msgspec.json.Decoder(tuple[str, str])


def envelope(seal: Sealed) -> str:
    """The seal as a text that another family's callers can carry."""
    return base64.b64encode(_PREFIX + msgspec.json.encode((seal.origin, seal.value))).decode()


def opened(value: str, own: str) -> Sealed | None:
    """The seal in a text that stood in the place for seals of the family `own`; None for a damaged envelope."""
    if not value.startswith(MARK):
        return Sealed(own, value)
    # SDKs that decode and encode again may change to the alphabet of addresses, and leave the padding out.
    text = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        return Sealed(*_PAIR.decode(content[len(_PREFIX) :]))
    except (binascii.Error, msgspec.DecodeError):
        return None


def carried(seal: Sealed, own: str) -> Sealed:
    """The seal as a caller of the family `own` can carry it."""
    return seal if seal.origin == own else Sealed(own, envelope(seal))
