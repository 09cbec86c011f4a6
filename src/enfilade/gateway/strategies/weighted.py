"""Each deployment first in proportion to its weight; the others follow, by the same rule, if it fails."""

from collections.abc import Sequence
from random import Random  # noqa: TID251 - the type of what the caller passes in

from enfilade.gateway.types import Target


def order(targets: Sequence[Target], random: Random) -> list[Target]:
    """See `Strategy`. A weight of 0 is used only when all others fail."""
    if len(targets) == 1:
        return list(targets)
    # Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006): the keys u^(1/w) sort into a
    # weighted random order.
    keyed = [(random.random() ** (1 / target.weight) if target.weight else -1.0, target) for target in targets]
    return [target for _, target in sorted(keyed, key=lambda entry: entry[0], reverse=True)]


STRATEGY = order
