"""What is near a decision: with which use case, or with an approval, the answer would be yes."""

import msgspec

from enfilade.access.decisions import TenantAccess
from enfilade.access.seats import Place, Seat
from enfilade.access.types import Circumstances

MOST_TRIED = 50
MOST_NAMED = 5


def usual_use_cases(guard: TenantAccess) -> list[str | None]:
    """None, and the use cases of the register and of the matrix: those that a caller may come with."""
    named = dict.fromkeys([*guard.use_cases, *(name for row in guard.content.matrix for name in row.use_cases)])
    return [None, *list(named)[:MOST_TRIED]]


def other_use_cases(
    guard: TenantAccess, seat: Seat, action: str, place: Place, context: Circumstances
) -> tuple[str, ...]:
    """Some use cases with which the same question would be answered by yes."""
    if "use_case" not in guard.table.mentions and context.use_case not in guard.use_cases:
        return ()
    found = []
    for name in usual_use_cases(guard):
        if name is None or name == context.use_case:
            continue
        if guard.content.use_cases != "free" and name not in guard.use_cases:
            continue
        if guard.decide(seat, action, place, msgspec.structs.replace(context, use_case=name)).allowed:
            found.append(name)
            if len(found) == MOST_NAMED:
                break
    return tuple(found)
