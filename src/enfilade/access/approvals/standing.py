"""How far a request has come: arithmetic over who decided, and who has the right to."""

from collections.abc import Sequence

from enfilade.access.approvals.errors import AlreadyReviewed, NoReviewers, NotReviewer
from enfilade.access.approvals.types import Decision, Request, Rule, Standing


def counts(decision: Decision, stages: Sequence[frozenset[str]], delegations: frozenset[tuple[str, str]]) -> bool:
    """Whether an approval still counts: who has lost the right to decide meanwhile has not decided."""
    if not decision.approves or decision.seat not in stages[decision.stage]:
        return False
    return decision.reviewer == decision.seat or (decision.seat, decision.reviewer) in delegations


def standing_of(
    request: Request, stages: Sequence[frozenset[str]], delegations: frozenset[tuple[str, str]]
) -> Standing:
    """How far a request has come. The database holds at most one decision of each reviewer, and one for each seat."""
    for number, (stage, seats) in enumerate(zip(request.rule.stages, stages, strict=True)):
        got = [entry for entry in request.decisions if entry.stage == number and counts(entry, stages, delegations)]
        if len(got) < stage.needs:
            decided = {entry.seat for entry in request.decisions} | {entry.reviewer for entry in request.decisions}
            return Standing(number, seats - decided, len(got), stage.needs)
    return Standing(None, frozenset(), 0, 0)


def seat_of(reviewer: str, request: Request, seats: frozenset[str], delegations: frozenset[tuple[str, str]]) -> str:
    """Whose right a reviewer decides by: their own, else that of somebody whom they stand in for.

    Raises NotReviewer, AlreadyReviewed.
    """
    taken = {entry.seat for entry in request.decisions}
    if any(entry.reviewer == reviewer for entry in request.decisions):
        message = "You have decided about this request already."
        raise AlreadyReviewed(message)
    if reviewer in seats:
        if reviewer in taken:
            message = "Somebody has decided in your place already."
            raise AlreadyReviewed(message)
        return reviewer
    represented = sorted(seat for seat, delegate in delegations if delegate == reviewer and seat in seats)
    free = [seat for seat in represented if seat not in taken]
    if free:
        return free[0]
    if represented:
        message = "Whoever you stand in for has decided already."
        raise AlreadyReviewed(message)
    message = "This request awaits the decision of others."
    raise NotReviewer(message)


def require_reviewers(rule: Rule, stages: Sequence[frozenset[str]]) -> None:
    """Refuse what nobody could decide. Raises NoReviewers."""
    for number, (stage, seats) in enumerate(zip(rule.stages, stages, strict=True)):
        if len(seats) < stage.needs:
            message = (
                f"Stage {number + 1} of the approval rule {rule.name!r} needs {stage.needs} reviewers, and has "
                f"{len(seats)} beside yourself."
            )
            raise NoReviewers(message, details={"rule": rule.name, "stage": number})
