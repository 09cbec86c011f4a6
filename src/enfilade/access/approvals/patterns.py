"""Names with `*`: what they match, and how two such patterns lie to each other."""

import re
from collections.abc import Callable
from functools import lru_cache


@lru_cache(maxsize=4096)
def matcher(pattern: str) -> Callable[[str], object]:
    """Tells, of a name, whether the pattern matches it. Only `*` stands for something else than itself."""
    if "*" not in pattern:
        return pattern.__eq__
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL).fullmatch


def matches(pattern: str, name: str) -> bool:
    """Whether the pattern matches the name."""
    return bool(matcher(pattern)(name))


def contains(outer: str, inner: str) -> bool:
    """Whether everything that `inner` matches, `outer` matches too; never true of others, now and then false of such."""
    # A star of the inner pattern can only be swallowed by one of the outer, which would swallow any text in its place.
    return matches(outer, inner)


def overlap(one: str, other: str) -> bool:
    """Whether there is a name that both match."""
    reached = [[False] * (len(other) + 1) for _ in range(len(one) + 1)]
    reached[0][0] = True
    for i in range(len(one) + 1):
        for j in range(len(other) + 1):
            if not reached[i][j]:
                continue
            star, twin = one[i : i + 1] == "*", other[j : j + 1] == "*"
            if star:
                reached[i + 1][j] = True
            if twin:
                reached[i][j + 1] = True
            if i < len(one) and j < len(other) and (star or twin or one[i] == other[j]):
                reached[i + (not star)][j + (not twin)] = True
    return reached[-1][-1]
