"""What has to be known of models by their names."""

import msgspec

from enfilade.dialects.bodies import NOTHING, as_object, is_given, read_any
from enfilade.dialects.openai.models import reasons

ENCRYPTED = "reasoning.encrypted_content"
"""Asks for sealed reasoning. Models that do not reason refuse it."""


def may_reason(model: str, reasoning: msgspec.Raw = NOTHING) -> bool:
    """Whether sealed reasoning can be asked of the model: by its name, or because the caller asks it to reason."""
    if is_given(reasoning):
        return as_object(read_any(reasoning, "reasoning")).get("effort") != "none"
    return reasons(model)
