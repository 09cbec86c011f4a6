"""What has to be known of models by their names."""

import re

import msgspec

from enfilade.dialects.bodies import NOTHING, as_object, is_given, read_any

ENCRYPTED = "reasoning.encrypted_content"
"""Asks for sealed reasoning. Models that do not reason refuse it."""
_REASONS = re.compile(r"(?:.*[/.:])?(?:o\d|gpt-(?:[5-9]|\d\d)|codex|computer-use)(?!.*-chat).*", re.ASCII)


def may_reason(model: str, reasoning: msgspec.Raw = NOTHING) -> bool:
    """Whether sealed reasoning can be asked of the model: by its name, or because the caller asks it to reason."""
    if is_given(reasoning):
        return as_object(read_any(reasoning, "reasoning")).get("effort") != "none"
    return _REASONS.fullmatch(model) is not None
