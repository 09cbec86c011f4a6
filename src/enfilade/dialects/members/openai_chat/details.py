"""Reasoning in `reasoning_details`, the form that OpenRouter documents: OpenAI's chat itself has none.

    {"type": "reasoning.text", "text": …, "signature": …, "format": …, "id": …, "index": …}
    {"type": "reasoning.encrypted", "data": …, …}
    {"type": "reasoning.summary", "summary": …, …}

What a service says beside text and seal (its `format`, its own index) has to come back as it was. It becomes part of
the seal, which nobody else reads anyway.
"""

from typing import Any

import msgspec

from enfilade.core.messages import Reasoning, Sealed
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.checks import text_or_none
from enfilade.dialects.members.openai_chat.marks import FAMILY
from enfilade.dialects.seals import MARK

FORMAT = "openai-responses-v1"
TEXT, SUMMARY, ENCRYPTED = "reasoning.text", "reasoning.summary", "reasoning.encrypted"
POSITION = "at"
"""Ours: after how many characters of the content, and how many tool calls, the reasoning stands. Left out at the front,
where nearly all reasoning is."""
TEXTS = {TEXT: "text", SUMMARY: "summary"}
_SECRETS = {TEXT: "signature", ENCRYPTED: "data"}
_OURS = frozenset({"type", "text", "data", "signature", "format", "id", "index", POSITION})
_OBJECT = msgspec.json.Decoder(dict[str, Any])


def read_detail(detail: dict[str, Any], where: str = "reasoning_details") -> Reasoning:
    """What one entry holds. Raises WrongType."""
    kind = detail.get("type")
    kind = kind if isinstance(kind, str) else TEXT
    words = text_or_none(detail.get(TEXTS.get(kind, "text")), f"{where}.text") or ""
    name = _SECRETS.get(kind, "signature")
    secret = text_or_none(detail.get(name), f"{where}.{name}")
    identifier = text_or_none(detail.get("id"), f"{where}.id")
    is_ours = _OURS.issuperset(detail) and detail.get("format") in (None, FORMAT) and kind in _SECRETS
    if is_ours or (secret is not None and secret.startswith(MARK)):
        seal = Sealed(FAMILY, secret) if secret else None
    else:
        kept = {key: value for key, value in detail.items() if key not in {TEXTS.get(kind), "id", POSITION}}
        seal = Sealed(FAMILY, ENCODER.encode(kept).decode())
    return Reasoning(words, seal, redacted=kind == ENCRYPTED, id=identifier)


def written_detail(part: Reasoning, index: int) -> dict[str, Any]:
    """Reasoning as an entry."""
    seal = part.seal
    detail = _own_form(seal.value) if seal is not None else None
    if detail is None:
        kind = ENCRYPTED if part.redacted else TEXT
        detail = {"type": kind}
        if seal is not None:
            detail[_SECRETS[kind]] = seal.value
        detail |= {"format": FORMAT, "index": index}
    elif "index" not in detail:
        detail["index"] = index
    if (name := TEXTS.get(str(detail.get("type")))) is not None:
        detail[name] = part.text
    if part.id is not None:
        detail["id"] = part.id
    return detail


def _own_form(value: str) -> dict[str, Any] | None:
    """The entry that `read_detail` kept in a seal, if it is one of those."""
    if not value.startswith('{"'):
        return None
    try:
        detail = _OBJECT.decode(value)
    except UNREADABLE:
        return None
    return detail if str(detail.get("type", TEXT)).startswith("reasoning.") else None
