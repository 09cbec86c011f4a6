"""Would a draft have decided otherwise about what was really asked? Each combination is asked once."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from enfilade.access.decisions import TenantAccess
from enfilade.access.table import PolicyTable
from enfilade.access.types import Caller, Circumstances, Decision, Resource

MOST_COMBINATIONS = 5_000
MOST_DAYS = 400
NETWORK = "network"
OPEN_REASONS = frozenset({"permitted", "no_permit", "default"})
"""Other policies can change these; what is forbidden stays so."""


class PastUse(msgspec.Struct, frozen=True):
    """A combination that was asked for, and what came of it."""

    caller: Caller
    action: str
    resources: tuple[Resource, ...]
    """The deployment that answered; of refused calls, those that could have."""
    use_case: str | None
    now_ns: int
    approvals: frozenset[str]
    """That stood then."""
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
    undecidable: int
    """How many calls the draft decides by something that no record holds."""
    differences: tuple[Difference, ...]
    is_complete: bool
    """Whether all combinations were asked, not only the most frequent ones."""
    unknown: tuple[str, ...]
    """What that is."""


def replay(draft: TenantAccess, uses: Iterable[PastUse], *, is_complete: bool) -> WhatIf:
    """Ask the draft about each of these."""
    judge = _Judge(draft)
    differences, combinations, calls, undecidable = [], 0, 0, 0
    for use in uses:
        combinations += 1
        calls += use.calls
        decision = judge.ask(use)
        if decision is None:
            undecidable += use.calls
        elif changed := use.denied if decision.allowed else use.calls - use.denied:
            differences.append(Difference(use, decision.allowed, decision, changed))
    differences.sort(key=lambda difference: -difference.calls)
    return WhatIf(
        combinations=combinations,
        calls=calls,
        newly_denied=sum(difference.calls for difference in differences if not difference.allowed),
        newly_allowed=sum(difference.calls for difference in differences if difference.allowed),
        undecidable=undecidable,
        differences=tuple(differences),
        is_complete=is_complete,
        unknown=(NETWORK,) if undecidable else (),
    )


class _Judge:
    """Decides by a draft where the records suffice for it. Where a call came from is not recorded."""

    def __init__(self, draft: TenantAccess) -> None:
        self._draft = draft
        self._of_networks = PolicyTable([policy for policy in draft.table.policies if NETWORK in policy.mentions])
        self._rest = draft
        if draft.needs_address:
            self._rest = draft.with_table(
                PolicyTable([policy for policy in draft.table.policies if NETWORK not in policy.mentions])
            )

    def ask(self, use: PastUse) -> Decision | None:
        """The first deployment's yes, or else the first one's no; None where it depends on what nobody knows."""
        answers = [self._of(use, resource) for resource in use.resources]
        for answer in answers:
            if answer is not None and answer.allowed:
                return answer
        if None in answers:
            return None
        return answers[0] if answers else Decision(allowed=False, reason="no_permit")

    def _of(self, use: PastUse, resource: Resource) -> Decision | None:
        guard = self._rest
        seat = guard.find_seat(use.caller) or guard.seat(use.caller, use.caller)
        place = guard.find_place(resource) or guard.place(resource, resource)
        context = Circumstances(use.use_case, None, None, use.now_ns, use.approvals, bool(use.approvals))
        decision = guard.decide(seat, use.action, place, context)
        others = self._of_networks.concerned(seat.belongs, use.action, place.belongs, use.use_case or "")
        if not others or decision.reason not in OPEN_REASONS:
            return decision
        # What is allowed might be forbidden for some networks; what nothing permits, permitted for some.
        against = "forbid" if decision.allowed else "permit"
        return None if any(policy.effect == against for policy in self._of_networks.at(others)) else decision
