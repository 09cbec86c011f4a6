"""Seals, in the one place that responses have for them: the sealed content of a reasoning item.

A provider takes the sealed content back only under the item's id that it was made for. So the seal that leaves this
dialect holds both. The seal of a call or a text, which Gemini makes, is carried by an item of its own that follows.
"""

from enfilade.core.messages import Sealed

FAMILY = "openai"
_BETWEEN = "#"
_CARRIER = "rs_seal_"


def made(identifier: str | None, content: object) -> Sealed | None:
    """The seal of a provider's reasoning item."""
    if not isinstance(content, str) or not content:
        return None
    return Sealed(FAMILY, f"{identifier}{_BETWEEN}{content}" if identifier else content)


def parted(seal: Sealed) -> tuple[str | None, str]:
    """The id of the item that the seal was made for, where that is known, and the sealed content."""
    identifier, between, content = seal.value.rpartition(_BETWEEN)
    return (identifier or None, content) if between else (None, seal.value)


def is_carrier(identifier: str | None) -> bool:
    """Whether the reasoning item only carries the seal of the part before it."""
    return identifier is not None and identifier.startswith(_CARRIER)


def carrier(base: str, position: int, seal: Sealed) -> dict[str, object]:
    """The reasoning item that carries a seal."""
    return {
        "id": f"{_CARRIER}{base}{position:02x}",
        "type": "reasoning",
        "summary": [],
        "encrypted_content": seal.value,
        "status": "completed",
    }
