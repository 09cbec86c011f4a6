"""What became of a call: usage, cost and status, however it ended. Pure; the admission posts it."""

import asyncio

import msgspec

from enfilade.core.errors import EnfiladeError
from enfilade.core.messages import Finish
from enfilade.core.usage import Usage
from enfilade.costs.prices.sheet import STANDARD_TIERS
from enfilade.dialects.types import ReplyFacts, StreamFacts
from enfilade.gateway.bounds import Candidate, estimated_usage
from enfilade.gateway.errors import ClientGone, Interrupted
from enfilade.gateway.types import Call


class Outcome(msgspec.Struct, gc=False):
    """How a call ended."""

    status: str
    http_status: int
    usage: Usage
    nano: int = 0
    estimated: bool = False
    error: str | None = None
    finish: Finish | None = None
    upstream_model: str | None = None


def cost_of(call: Call, candidate: Candidate, usage: Usage, service_tier: str | None) -> int:
    """What usage costs, by the service tier that the provider reports, if that has a price of its own."""
    sheet = candidate.sheet
    if service_tier is not None and service_tier != call.request.service_tier:
        # The chosen sheet may be a tier's own, which knows nothing of the others.
        base = candidate.target.price.at(call.started_ns) or sheet
        sheet = base if service_tier in STANDARD_TIERS else base.service_tiers.get(service_tier, sheet)
    return sheet.cost(usage)


def answered(call: Call, candidate: Candidate, facts: ReplyFacts, body_bytes: int = 0) -> Outcome:
    """A complete answer; its usage is estimated when the provider reports none, or something impossible."""
    if call.request.is_free:
        return Outcome("ok", 200, Usage(), finish=facts.finish, upstream_model=facts.model)
    usage, estimated = facts.usage, False
    if usage is None or not usage.is_plausible():
        usage = estimated_usage(call, candidate, facts if isinstance(facts, StreamFacts) else None, body_bytes)
        estimated = True
    nano = cost_of(call, candidate, usage, facts.service_tier)
    return Outcome("ok", 200, usage, nano, estimated, finish=facts.finish, upstream_model=facts.model)


def cut(call: Call, candidate: Candidate, facts: StreamFacts) -> Outcome:
    """A stream that we ended because its hold was used up."""
    usage = estimated_usage(call, candidate, facts)
    nano = cost_of(call, candidate, usage, facts.service_tier)
    return Outcome("cut", 200, usage, nano, estimated=True, finish=Finish.LENGTH, upstream_model=facts.model)


def repeated(finish: Finish | None) -> Outcome:
    """An answer from the cache: it cost nothing."""
    return Outcome("ok", 200, Usage(), finish=finish)


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
    outcome.estimated = True
    if facts is None:
        outcome.usage = Usage(candidate.input_bound, output_tokens=candidate.output_bound)
        outcome.nano = candidate.worst
    else:
        outcome.usage = estimated_usage(call, candidate, facts)
        outcome.nano = cost_of(call, candidate, outcome.usage, facts.service_tier)
        outcome.upstream_model = facts.model
    return outcome


def _ending(call: Call, error: BaseException | None) -> Outcome:
    if isinstance(error, asyncio.CancelledError):
        if error.args and error.args[0] == Interrupted.code:
            return Outcome("interrupted", Interrupted.status, Usage(), error=Interrupted.code)
        return Outcome("abandoned", ClientGone.status, Usage(), error=ClientGone.code)
    if isinstance(error, EnfiladeError):
        return Outcome("failed", call.dialect.error_status(error), Usage(), error=error.code)
    return Outcome("failed", 500, Usage(), error="internal_error")
