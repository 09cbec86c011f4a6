"""What became of a call: usage, cost and status, however it ended. Pure; the admission posts it."""

import asyncio

import msgspec

from enfilade.core.errors import EnfiladeError
from enfilade.core.messages import Finish
from enfilade.core.usage import Usage
from enfilade.costs.ledger.postings import (
    ESTIMATED_USAGE,
    NO_POSTING,
    USAGE_IMPOSSIBLE,
    USAGE_MISSING,
    Posting,
)
from enfilade.dialects.types import ReplyFacts, StreamFacts
from enfilade.gateway.bounds import Candidate, estimated_usage
from enfilade.gateway.charging import posting_for
from enfilade.gateway.errors import ClientGone, Interrupted
from enfilade.gateway.types import Call


class Outcome(msgspec.Struct, gc=False):
    """How a call ended."""

    status: str
    http_status: int
    usage: Usage
    posting: Posting = NO_POSTING
    estimated: bool = False
    error: str | None = None
    finish: Finish | None = None
    upstream_model: str | None = None
    flags: tuple[str, ...] = ()
    """What is odd about its bill; see `costs.ledger.postings`."""

    @property
    def nano(self) -> int:
        """What it is charged."""
        return self.posting.nano


def answered(call: Call, candidate: Candidate, facts: ReplyFacts, body_bytes: int = 0) -> Outcome:
    """A complete answer; its usage is estimated when the provider reports none, or something impossible."""
    if call.request.is_free:
        return Outcome("ok", 200, Usage(), finish=facts.finish, upstream_model=facts.model)
    usage = facts.usage
    flags: tuple[str, ...] = ()
    if usage is None or not usage.is_plausible():
        flags = (ESTIMATED_USAGE, USAGE_MISSING if usage is None else USAGE_IMPOSSIBLE)
        usage = estimated_usage(call, candidate, facts if isinstance(facts, StreamFacts) else None, body_bytes)
    outcome = Outcome("ok", 200, usage, finish=facts.finish)
    return _charge(outcome, call, candidate, facts, flags)


def cut(call: Call, candidate: Candidate, facts: StreamFacts) -> Outcome:
    """A stream that we ended because its hold was used up."""
    outcome = Outcome("cut", 200, estimated_usage(call, candidate, facts), finish=Finish.LENGTH)
    return _charge(outcome, call, candidate, facts, (ESTIMATED_USAGE,))


def _charge(
    outcome: Outcome, call: Call, candidate: Candidate, facts: ReplyFacts | StreamFacts, flags: tuple[str, ...]
) -> Outcome:
    """Post what an outcome's usage costs."""
    outcome.upstream_model = facts.model
    outcome.posting, odd = posting_for(call, candidate, outcome.usage, facts.service_tier, facts.model)
    outcome.flags = flags + odd
    outcome.estimated = bool(flags)
    return outcome


def repeated(finish: Finish | None, saved_nano: int = 0) -> Outcome:
    """An answer from the cache: it cost nothing, and saved what the first one had cost."""
    return Outcome("ok", 200, Usage(), Posting(saved_nano=saved_nano) if saved_nano else NO_POSTING, finish=finish)


def refused(call: Call, error: EnfiladeError) -> Outcome:
    """A call that was not admitted."""
    return Outcome("refused", call.dialect.error_status(error), Usage(), error=error.code)


def failed(call: Call, candidate: Candidate | None, facts: StreamFacts | None, error: BaseException | None) -> Outcome:
    """A call that ended without a complete answer.

    `candidate` is the deployment to which bytes went without a word that nothing was spent: what came of it is
    charged, or, if nothing came, its worst case.
    """
    outcome = _ending(call, error)
    if candidate is None:
        return outcome
    if facts is not None:
        outcome.usage = estimated_usage(call, candidate, facts)
        return _charge(outcome, call, candidate, facts, (ESTIMATED_USAGE,))
    outcome.usage = Usage(candidate.input_bound, output_tokens=candidate.output_bound)
    outcome.posting = candidate.worst_posting()
    outcome.estimated, outcome.flags = True, (ESTIMATED_USAGE,)
    return outcome


def _ending(call: Call, error: BaseException | None) -> Outcome:
    if isinstance(error, asyncio.CancelledError):
        if error.args and error.args[0] == Interrupted.code:
            return Outcome("interrupted", Interrupted.status, Usage(), error=Interrupted.code)
        return Outcome("abandoned", ClientGone.status, Usage(), error=ClientGone.code)
    if isinstance(error, EnfiladeError):
        return Outcome("failed", call.dialect.error_status(error), Usage(), error=error.code)
    return Outcome("failed", 500, Usage(), error="internal_error")
