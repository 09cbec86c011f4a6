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
_REDACTED = "redacted "
"""Stands before the family in an envelope of thoughts without a text. The caller's own form may not tell those from
thoughts whose text is empty, and their provider does."""
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


def opened_thought(seal: Sealed, *, redacted: bool) -> tuple[Sealed | None, bool]:
    """The seal of a thought, and whether the seal is all there is of it: `redacted` is how the caller's form has it."""
    found = opened(seal.value, seal.origin)
    if found is None or not seal.value.startswith(MARK):
        return found, redacted
    return Sealed(found.origin.removeprefix(_REDACTED), found.value), found.origin.startswith(_REDACTED)


def carried(seal: Sealed, own: str, *, redacted: bool = False) -> Sealed:
    """The seal as a caller of the family `own` can carry it."""
    if seal.origin == own:
        return seal
    return Sealed(own, envelope(Sealed(_REDACTED + seal.origin, seal.value) if redacted else seal))
