"""Would a draft have decided otherwise about what was really asked? Each combination is asked once."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from enfilade.access.decisions import Place, Seat, TenantAccess
from enfilade.access.types import Caller, Circumstances, Decision, Resource

MOST_COMBINATIONS = 5_000
MOST_DAYS = 400


class PastUse(msgspec.Struct, frozen=True):
    """A combination that was asked for, and what came of it."""

    caller: Caller
    action: str
    resources: tuple[Resource, ...]
    """The deployment that answered; of refused calls, those that could have."""
    use_case: str | None
    now_ns: int
    approvals: frozenset[str]
    calls: int
    denied: int
    latest: datetime


class Difference(msgspec.Struct, frozen=True):
    """A combination that the draft decides otherwise."""

    use: PastUse
    allowed: bool
    """By the draft."""
    decision: Decision
    calls: int
    """How many of the calls it would have changed."""


class WhatIf(msgspec.Struct, frozen=True):
    """What publishing the draft would have changed."""

    combinations: int
    calls: int
    newly_denied: int
    newly_allowed: int
    differences: tuple[Difference, ...]
    is_complete: bool
    """Whether all combinations were asked, not only the most frequent ones."""
    unknown: tuple[str, ...]
    """Circumstances that the draft looks at and the records do not hold."""


def replay(draft: TenantAccess, uses: Iterable[PastUse], *, is_complete: bool) -> WhatIf:
    """Ask the draft about each of these."""
    differences, combinations, calls = [], 0, 0
    for use in uses:
        combinations += 1
        calls += use.calls
        decision = _ask(draft, use)
        changed = use.denied if decision.allowed else use.calls - use.denied
        if changed:
            differences.append(Difference(use, decision.allowed, decision, changed))
    differences.sort(key=lambda difference: -difference.calls)
    return WhatIf(
        combinations=combinations,
        calls=calls,
        newly_denied=sum(difference.calls for difference in differences if not difference.allowed),
        newly_allowed=sum(difference.calls for difference in differences if difference.allowed),
        differences=tuple(differences),
        is_complete=is_complete,
        unknown=tuple(name for name in ("network", "minute") if name in draft.table.mentions),
    )


def _ask(draft: TenantAccess, use: PastUse) -> Decision:
    """The first deployment's yes, or else the first one's no."""
    context = Circumstances(use.use_case, None, None, use.now_ns, use.approvals, bool(use.approvals))
    seat: Seat = draft.find_seat(use.caller) or draft.seat(use.caller, use.caller)
    first: Decision | None = None
    for resource in use.resources:
        place: Place = draft.find_place(resource) or draft.place(resource, resource)
        decision = draft.decide(seat, use.action, place, context)
        if decision.allowed:
            return decision
        first = first or decision
    return first or Decision(allowed=False, reason="no_permit")
