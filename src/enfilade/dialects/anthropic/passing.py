"""Bodies on their way through, freed of the envelopes that only we can read.

An earlier turn may have been answered by a provider of another family, whose seals the caller sends back in the place
of Anthropic's own. They are found by their mark, so a body without any is not looked into.
"""

from typing import Any

import msgspec

from enfilade.dialects.anthropic.carriers import FOREIGN_CITATION, ORIGIN
from enfilade.dialects.bodies import ENCODER, as_object, raw_json, read_any
from enfilade.dialects.seals import MARK, opened

MARK_BYTES = MARK.encode()
_PLACES = {"thinking": "signature", "redacted_thinking": "data"}


def without_envelopes(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The fields of a request as Anthropic takes them. Raises WrongType for messages that cannot be read."""
    if MARK_BYTES not in bytes(fields["messages"]):
        return fields
    messages = read_any(fields["messages"], "messages")
    turns = [turn for message in messages if (turn := _turn(message)) is not None]
    freed = fields | {"messages": msgspec.Raw(ENCODER.encode(turns))}
    thinking = as_object(read_any(fields["thinking"], "thinking")) if "thinking" in fields else {}
    if thinking.get("type") == "enabled" and _lacks_thoughts(turns):
        # With a budget, a turn that called tools has to begin with thoughts, and these were another provider's.
        freed["thinking"] = raw_json({"type": "disabled"})
    return freed


def _turn(message: Any) -> Any:
    """The message; None when nothing is left of it."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return message
    blocks = [freed for block in content if (freed := _block(block)) is not None]
    if not blocks and content:
        return None
    return message | {"content": blocks}


def _block(block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    place = _PLACES.get(str(block.get("type")))
    value = block.get(place) if place is not None else None
    if place is not None and isinstance(value, str) and value.startswith(MARK):
        seal = opened(value, ORIGIN)
        return block | {place: seal.value} if seal is not None and seal.origin == ORIGIN else None
    citations = block.get("citations")
    if isinstance(citations, list):
        own = [entry for entry in citations if as_object(entry).get("encrypted_index") != FOREIGN_CITATION]
        if len(own) < len(citations):
            return block | {"citations": own or None}
    return block


def _lacks_thoughts(turns: list[Any]) -> bool:
    for turn in reversed(turns):
        if isinstance(turn, dict) and turn.get("role") == "assistant":
            content = turn.get("content")
            kinds = [as_object(block).get("type") for block in content] if isinstance(content, list) else []
            return "tool_use" in kinds and kinds[0] not in _PLACES
    return False
