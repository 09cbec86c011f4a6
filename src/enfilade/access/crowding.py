"""How many policies one call can concern at the most: so many the engine evaluates for each that is asked anew."""

from collections.abc import Iterator
from dataclasses import dataclass

from enfilade.access.table import Index, PolicyTable
from enfilade.access.types import ActionName

MOST_TOGETHER = 1_000
"""They are evaluated in a millisecond or two, and parsed in thirty."""
MOST_LOOKED_AT = 200_000


@dataclass(frozen=True, slots=True)
class Crowd:
    """More policies than may concern one call."""

    name: str
    """One of them."""
    others: int
    question: str
    """What they concern together."""


def crowd(table: PolicyTable, most: int) -> Crowd | None:
    """The first crowd that is found. Of a caller, one thing is looked at: their department, or a role, or a name."""
    if len(table.policies) <= most:
        return None
    looked_at = 0
    for action in ActionName:
        of_action = table.by_action[None] | table.by_action.get(action, 0)
        for who, of_principal in _narrowed(table.by_principal, of_action, most):
            for what, of_resource in _narrowed(table.by_resource, of_principal, most):
                for purpose, found in _narrowed(table.by_use_case, of_resource, most):
                    policy = next(table.at(found))
                    named = [f'`{kind}::"{name}"`' for kind, _, name in (n.partition("::") for n in (who, what) if n)]
                    named += [f"the use case {purpose!r}"] if purpose else []
                    return Crowd(policy.name, found.bit_count() - 1, ", ".join([f"`{action}`", *named]))
                looked_at += len(table.by_use_case)
                if looked_at > MOST_LOOKED_AT:
                    return None
            looked_at += len(table.by_resource)
    return None


def _narrowed(index: Index, within: int, most: int) -> Iterator[tuple[str | None, int]]:
    """Those names of an index that leave more than the most of these policies."""
    if within.bit_count() <= most:
        return
    for name, positions in index.items():
        found = within & (positions | index[None])
        if found.bit_count() > most:
            yield name, found
