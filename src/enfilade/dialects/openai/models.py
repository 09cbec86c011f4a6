"""What has to be known of OpenAI's models by their names."""

import re

_REASONS = re.compile(r"(?:.*[/.:])?(?:o\d|gpt-(?:[5-9]|\d\d)|codex|computer-use)(?!.*-chat).*", re.ASCII)


def reasons(model: str) -> bool:
    """Whether a model of this name reasons, and so refuses to be told how to sample."""
    return _REASONS.fullmatch(model) is not None
