"""Marks and seals that stand beside what they belong to."""

from typing import Any

from enfilade.core.messages import CacheLife, Sealed
from enfilade.dialects.checks import obj, text_or_none, wrong

FAMILY = "openai"
"""The family of seals that are no envelopes. OpenAI's chat makes none; services that speak it do."""
MARKS = frozenset({"cache_control", "prompt_cache_breakpoint"})
_LIVES: dict[str | None, CacheLife] = {None: "5m", "5m": "5m", "1h": "1h", "30m": "1h", "12h": "1h"}


def cache_of(value: dict[str, Any], where: str) -> CacheLife | None:
    """The mark for the provider's cache: OpenAI's own, or the one in Anthropic's form that many services take."""
    for name in MARKS:
        mark = value.get(name)
        if mark is not None:
            life = text_or_none(obj(mark, f"{where}.{name}").get("ttl"), f"{where}.{name}.ttl")
            if life not in _LIVES:
                wrong(f"{where}.{name}.ttl", "`5m`, `30m`, `1h` or `12h`")
            return _LIVES[life]
    return None


def seal_of(value: object) -> Sealed | None:
    """The seal in an `extra_content`, which is Google's form; anything else there means nothing to us."""
    google = value.get("google") if isinstance(value, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return Sealed(FAMILY, signature) if isinstance(signature, str) and signature else None


def sealed(seal: Sealed) -> dict[str, Any]:
    """An `extra_content` that holds the seal."""
    return {"google": {"thought_signature": seal.value}}
