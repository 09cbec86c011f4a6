"""What Claude models take of thinking and sampling, by their generation.

Source: https://platform.claude.com/docs, "thinking", "effort" and the migration guides of each generation. A name that
says no generation is taken for one of generation 4.6, which has both ways to think and takes all settings.
"""

import re
from enum import Enum
from functools import lru_cache


class Thinks(Enum):
    """How a generation is told to think."""

    NEVER = "never"
    """Before 3.7."""
    BUDGET = "budget"
    """3.7 to 4.5: `enabled` with a budget."""
    BOTH = "both"
    """4.6: a budget, or `adaptive` and an effort."""
    ADAPTIVE = "adaptive"
    """From 4.7 on: `adaptive` and an effort only, and no sampling settings. Not all of them take `disabled`."""


_NAMES = re.compile(
    r"claude-(?:(\d)(?:[-.](\d)(?!\d))?-[a-z]|[a-z]+-(\d)(?:[-.](\d)(?!\d))?)|claude-(?:v?(2)|instant)|(mythos)"
)
_UNKNOWN = (4, 6)


@lru_cache(maxsize=1000)
def generation(model: str) -> tuple[int, int]:
    """The generation that a provider's name for a model says, e.g. (4, 5)."""
    found = _NAMES.search(model)
    if found is None:
        return _UNKNOWN
    if found[6]:
        return (5, 0)
    if found[5] or "instant" in found[0]:
        return (2, 0)
    return int(found[1] or found[3]), int(found[2] or found[4] or 0)


def thinks(model: str) -> Thinks:
    """How the model is told to think."""
    said = generation(model)
    if said < (3, 7):
        return Thinks.NEVER
    if said < (4, 6):
        return Thinks.BUDGET
    return Thinks.BOTH if said == (4, 6) else Thinks.ADAPTIVE


def takes_sampling(model: str) -> bool:
    """Whether temperature, top_p and top_k may be given."""
    return generation(model) < (4, 7)


def takes_both_nuclei(model: str) -> bool:
    """Whether temperature and top_p may be given together."""
    return generation(model) < (4, 1)
