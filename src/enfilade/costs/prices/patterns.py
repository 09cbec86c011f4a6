"""Names of models and providers with `*`, and which of two patterns says more."""

WILD = ("*", "?", "[")


def is_pattern(text: str) -> bool:
    """Whether a text stands for more than one name."""
    return any(sign in text for sign in WILD)


def specificity(pattern: str) -> tuple[bool, int]:
    """How much a pattern says: a plain name most, else the one with the longest beginning before its first `*`."""
    positions = [position for sign in WILD if (position := pattern.find(sign)) >= 0]
    return (True, len(pattern)) if not positions else (False, min(positions))
