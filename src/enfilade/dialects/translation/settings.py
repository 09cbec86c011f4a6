"""Settings: what the target has no place for is dropped where that is harmless, and refused where it is not."""

from typing import Any

import msgspec

from enfilade.core.messages import Conversation
from enfilade.dialects.translation.losses import Losses
from enfilade.dialects.translation.types import Aim

HARMLESS: tuple[str, ...] = (
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "verbosity",
    "service_tier",
    "user",
    "metadata",
    "cache_key",
    "cache_life",
)
"""Without these an answer of the same kind comes: they nudge, or are for the provider's books."""
NEEDED: tuple[str, ...] = ("logit_bias", "logprobs")
"""Without these the caller would get something else than was asked for."""
_FIELDS = HARMLESS + NEEDED


def fit_settings(question: Conversation, aim: Aim, losses: Losses) -> Conversation:
    """The question with such settings only as the aim takes. Raises NotTranslatable."""
    for name in question.foreign:
        losses.refuse(name, "means nothing outside the dialect of the request")
    for name in question.harmless:
        losses.drop(name)
    changes: dict[str, Any] = {}
    takes = aim.takes
    for name in _FIELDS:
        if getattr(question, name) is None or name in takes:
            continue
        if name in NEEDED:
            losses.refuse(name)
        losses.drop(name)
        changes[name] = None
    _fit_sampling(question, aim, losses, changes)
    _fit_thinking(question, aim, losses, changes)
    if question.choices > 1:
        losses.refuse("choices", "must be 1: several answers at once are possible in the model's own dialect only")
    if question.modalities and question.modalities != ("text",):
        losses.refuse("modalities", "may ask for text only")
    if question.stop:
        _check_stop(question, aim, losses)
    return msgspec.structs.replace(question, **changes) if changes else question


def _fit_sampling(question: Conversation, aim: Aim, losses: Losses, changes: dict[str, Any]) -> None:
    temperature = question.temperature
    if temperature is not None and "temperature" in aim.takes:
        low, high = aim.rules.temperature
        if not low <= temperature <= high:
            losses.drop("temperature")
            changes["temperature"] = min(max(temperature, low), high)


def _fit_thinking(question: Conversation, aim: Aim, losses: Losses, changes: dict[str, Any]) -> None:
    thinking = question.thinking
    if thinking is None or "thinking" in aim.takes:
        return
    if thinking.enabled is not False and thinking.effort != "none":
        losses.drop("thinking")
    changes["thinking"] = None


def _check_stop(question: Conversation, aim: Aim, losses: Losses) -> None:
    if "stop" not in aim.takes:
        losses.refuse("stop")
    most = aim.max_stop
    if most is not None and len(question.stop) > most:
        losses.refuse("stop", f"may have {most} entries at most")
    if not aim.rules.blank_stop and any(not entry.strip() for entry in question.stop):
        losses.refuse("stop", "must not be white space alone")
