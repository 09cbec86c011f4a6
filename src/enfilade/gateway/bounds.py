"""What a call can cost at most, before it is made; and what it probably cost, when nobody says."""

from collections.abc import Sequence

import msgspec

from enfilade.core.errors import EnfiladeError
from enfilade.core.money import price_bound
from enfilade.core.usage import Usage
from enfilade.costs.errors import UnpricedModel
from enfilade.costs.holds.hold import Demand
from enfilade.costs.ledger.postings import Posting, worst_posting
from enfilade.costs.prices.sheet import PriceSheet
from enfilade.dialects.types import MEDIA_TOKENS, Request, StreamFacts
from enfilade.gateway.errors import TokensPerRequestExceeded
from enfilade.gateway.types import Call, Target

DEFAULT_MAX_OUTPUT = 16_384
"""The output bound of a model whose maximum nobody declared; it is then also sent to the provider."""
BYTES_PER_TOKEN = 4
"""What English text comes to; only for estimates, which are marked as such."""


class Candidate(msgspec.Struct):
    """A deployment with the price and the bounds that this call has there."""

    target: Target
    base: PriceSheet
    """The price of the deployment for this tenant, with those of all service tiers."""
    sheet: PriceSheet
    """The one of the service tier that was asked for."""
    input_bound: int
    output_bound: int
    """For all choices together."""
    choices: int
    worst_input: int
    output_rate: int
    caching: bool
    """Whether the request may write to the provider's cache."""
    searches: int
    """The most searches that the provider may make for it."""
    sets_output: bool
    """Whether the bound must be sent to the provider, because the caller's or the model's own is missing or larger."""

    @property
    def worst(self) -> int:
        """The most that the call can cost here, in nano-dollars."""
        return self.worst_input + price_bound(self.output_bound, self.output_rate)

    def worst_posting(self) -> Posting:
        """The same, line by line."""
        return worst_posting(
            self.sheet, self.input_bound, self.output_bound, caching=self.caching, searches=self.searches
        )

    @property
    def least(self) -> int:
        """The least for which starting makes sense: the input, and one token of output for each choice."""
        return self.worst_input + price_bound(min(self.choices, self.output_bound), self.output_rate)


def input_bound(request: Request, target: Target, text: int | None) -> int:
    """The most input tokens: bytes (or the tighter `text`), or the context window where parts are not text."""
    if request.is_free:
        return 0
    bound = request.size if text is None else text
    if request.media:
        # What an image or a document comes to has nothing to do with its bytes.
        return max(bound, target.context_window or bound + request.media * MEDIA_TOKENS)
    return bound


def output_bound(request: Request, target: Target, most: int | None) -> tuple[int, bool]:
    """The most output tokens of all choices, and whether the provider must be told."""
    if not request.makes_output:
        return 0, False
    own = (request.max_output, target.max_output)
    bounds = [bound for bound in (*own, most) if bound is not None]
    if own == (None, None):
        bounds.append(DEFAULT_MAX_OUTPUT)
    bound = min(bounds)
    # A caller's own bound is sent as it came, and a model keeps to its own maximum without being told.
    return bound * request.choices, bound not in own


def candidate_for(call: Call, target: Target, sheet: PriceSheet, text: int | None) -> Candidate:
    """The bounds of a call at one deployment. Raises TokensPerRequestExceeded, UnpricedServiceTier."""
    request = call.request
    most = None
    bound = input_bound(request, target, text)
    allowed = call.principal.tenant.spec.max_tokens_per_request
    if allowed is not None:
        most = _allowed_output(call, target, allowed, bound)
    outputs, tell = output_bound(request, target, most)
    chosen = sheet.for_service_tier(request.service_tier)
    return Candidate(
        target=target,
        base=sheet,
        sheet=chosen,
        input_bound=bound,
        output_bound=outputs,
        choices=request.choices,
        worst_input=chosen.worst_input(bound, caching=request.caching, searches=request.searches),
        output_rate=chosen.worst_output_rate(bound),
        caching=request.caching,
        searches=request.searches,
        sets_output=tell,
    )


def _allowed_output(call: Call, target: Target, allowed: int, bound: int) -> int | None:
    request = call.request
    if bound + (request.max_output or 0) * request.choices > allowed:
        exact = target.provider.exact_input(call.dialect, request)
        bound = exact if exact is not None else call.dialect.text_bound(request)
        if bound + (request.max_output or 0) * request.choices > allowed:
            message = f"The tenant allows {allowed} tokens per request; this one has up to {bound} of input" + (
                f" and asks for up to {request.max_output * request.choices} of output." if request.max_output else "."
            )
            raise TokensPerRequestExceeded(message, details={"limit": allowed, "input_bound": bound})
    left = (allowed - bound) // request.choices
    if left < 1 and request.makes_output:
        message = f"The tenant allows {allowed} tokens per request; this one's input alone has up to {bound}."
        raise TokensPerRequestExceeded(message, details={"limit": allowed, "input_bound": bound})
    return left


def candidates_for(call: Call, targets: Sequence[Target], text: int | None = None) -> list[Candidate]:
    """All deployments that have a price. Raises UnpricedModel when none has one."""
    candidates = []
    for target in targets:
        sheet = target.sheet_for(call.scope.tenant, call.started_ns)
        if sheet is not None:
            candidates.append(candidate_for(call, target, sheet, text))
    if not candidates:
        message = f"Nobody has said what {call.request.model!r} costs."
        raise UnpricedModel(message, param="model")
    return candidates


def demand_of(candidates: Sequence[Candidate]) -> Demand:
    """The worst case over all deployments that may come to answer."""
    first = candidates[0]
    if len(candidates) == 1:
        return Demand(first.input_bound + first.output_bound, first.worst, first.least)
    return Demand(
        tokens=max(candidate.input_bound + candidate.output_bound for candidate in candidates),
        nano=max(candidate.worst for candidate in candidates),
        minimum_nano=max(candidate.least for candidate in candidates),
    )


def tight_input(call: Call, targets: Sequence[Target]) -> int:
    """The input's tokens counted as exactly as possible: what to try when the bound by bytes does not fit."""
    exact = [target.provider.exact_input(call.dialect, call.request) for target in targets]
    known = [count for count in exact if count is not None]
    if len(known) == len(exact):
        return max(known)
    return min(call.request.size, max(call.dialect.text_bound(call.request), *known, 0))


def cut_to(candidate: Candidate, nano: int, choices: int) -> Candidate:
    """The candidate when no more than `nano` may be spent: the provider is told what that pays for."""
    bound = max(1, affordable_output(candidate, nano, choices)) * choices
    return msgspec.structs.replace(candidate, output_bound=min(bound, candidate.output_bound), sets_output=True)


def affordable_output(candidate: Candidate, nano: int, choices: int) -> int:
    """How many output tokens per choice `nano` pays for after the input."""
    left = nano - candidate.worst_input
    if candidate.output_rate == 0:
        return candidate.output_bound // choices
    return min(candidate.output_bound, left * 1_000_000 // candidate.output_rate) // choices


def estimated_input(call: Call, candidate: Candidate) -> int:
    """What the input probably came to."""
    try:
        exact = candidate.target.provider.exact_input(call.dialect, call.request)
        text = call.dialect.text_bound(call.request) if exact is None else 0
    except EnfiladeError:
        # What was nested just bearably for the parser can be too deep here, and a settlement must not fail.
        return candidate.input_bound
    return exact if exact is not None else min(candidate.input_bound, -(-text // BYTES_PER_TOKEN))


def estimated_usage(call: Call, candidate: Candidate, facts: StreamFacts | None, output_bytes: int = 0) -> Usage:
    """What a reply without a usable report of its usage probably came to, never beyond the bounds."""
    if facts is None:
        produced = -(-output_bytes // BYTES_PER_TOKEN)
        reported = None
    else:
        produced = max(facts.events, -(-facts.output_bytes // BYTES_PER_TOKEN))
        reported = facts.usage
    tokens = min(produced, candidate.output_bound) if call.request.makes_output else 0
    if reported is not None and reported.is_plausible() and reported.input_tokens:
        # The provider has told the input, and perhaps the output so far.
        return msgspec.structs.replace(reported, output_tokens=max(tokens, reported.output_tokens))
    return Usage(estimated_input(call, candidate), output_tokens=tokens)
