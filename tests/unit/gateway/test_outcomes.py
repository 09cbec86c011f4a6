"""What became of a call, for its record and its bill."""

import asyncio

import pytest

from enfilade.core.errors import EnfiladeError, Forbidden
from enfilade.core.messages import Finish
from enfilade.core.usage import Usage
from enfilade.costs.ledger.postings import Posting
from enfilade.costs.prices.book import Match, PublishedModel, PublishedPrice, PublishedTier
from enfilade.costs.prices.sheet import Charge
from enfilade.costs.prices.source import PriceSource
from enfilade.dialects.types import ReplyFacts, StreamFacts
from enfilade.gateway.bounds import candidates_for
from enfilade.gateway.errors import Interrupted
from enfilade.gateway.outcomes import Outcome, answered, cut, failed, refused, repeated
from enfilade.providers.errors import ProviderTimeout
from tests.unit.gateway.parts import call, target


def test_an_answer_is_charged_what_the_provider_reports() -> None:
    asked = call()
    (candidate,) = candidates_for(asked, [target()])

    outcome = answered(asked, candidate, ReplyFacts(Usage(10, output_tokens=20), "upstream", Finish.STOP))

    charge = Charge(50_000, ["input", "output"], [10, 20], [1_000_000_000, 2_000_000_000], [10_000, 40_000])
    posting = Posting(charge, candidate.sheet.label)
    assert outcome == Outcome(
        "ok", 200, Usage(10, output_tokens=20), posting, finish=Finish.STOP, upstream_model="upstream"
    )


def test_an_answer_from_the_cache_costs_nothing() -> None:
    assert repeated(Finish.STOP) == Outcome("ok", 200, Usage(), finish=Finish.STOP)


def test_a_refusal_costs_nothing_and_says_why() -> None:
    assert refused(call(), Forbidden("no")) == Outcome("refused", 403, Usage(), error="forbidden")


def test_a_stream_that_we_cut_is_charged_what_came() -> None:
    asked = call()
    (candidate,) = candidates_for(asked, [target()])

    outcome = cut(asked, candidate, StreamFacts(usage=Usage(10), events=7))

    assert (outcome.status, outcome.finish, outcome.nano, outcome.estimated) == ("cut", Finish.LENGTH, 24_000, True)


@pytest.mark.parametrize(
    ("error", "status", "http_status", "code"),
    [
        (ProviderTimeout("late"), "failed", 504, "provider_timeout"),
        (EnfiladeError("bug"), "failed", 500, "internal_error"),
        (ValueError("bug"), "failed", 500, "internal_error"),
        (None, "failed", 500, "internal_error"),
        (asyncio.CancelledError(), "abandoned", 499, "client_gone"),
        (asyncio.CancelledError("client_gone"), "abandoned", 499, "client_gone"),
        (asyncio.CancelledError(Interrupted.code), "interrupted", 503, "interrupted"),
    ],
)
def test_each_end_has_a_status_of_its_own(
    error: BaseException | None, status: str, http_status: int, code: str
) -> None:
    outcome = failed(call(), None, None, error)

    assert (outcome.status, outcome.http_status, outcome.error) == (status, http_status, code)
    assert (outcome.nano, outcome.usage, outcome.estimated) == (0, Usage(), False)


def test_a_stream_that_broke_is_charged_what_came_of_it() -> None:
    asked = call()
    (candidate,) = candidates_for(asked, [target()])

    outcome = failed(asked, candidate, StreamFacts(usage=Usage(10), events=7), ProviderTimeout("late"))

    assert (outcome.status, outcome.nano, outcome.estimated) == ("failed", 24_000, True)


@pytest.mark.parametrize(
    ("asked_for", "reported", "expected"),
    [
        (None, None, 1000),
        (None, "default", 1000),
        (None, "flex", 500),
        (None, "priority", 2000),
        (None, "unheard-of", 1000),
        ("flex", "flex", 500),
        ("flex", None, 500),
        ("flex", "default", 1000),
        ("priority", "default", 1000),
        ("priority", "priority", 2000),
        ("priority", "unheard-of", 2000),
    ],
)
def test_the_service_tier_that_answered_is_charged(asked_for: str | None, reported: str | None, expected: int) -> None:
    tiers = tuple(
        PublishedTier(name, PublishedPrice({"input": nano * 10**6}))
        for name, nano in (("flex", 500), ("priority", 2000))
    )
    published = PublishedModel("m", Match(equals="m"), (PublishedPrice({"input": 10**9}),), tiers)
    price = PriceSource("chat", lambda _: [], ("book", published))
    asked = call(service_tier=asked_for)
    (candidate,) = candidates_for(asked, [target(price=price)])

    outcome = answered(asked, candidate, ReplyFacts(Usage(1), service_tier=reported))

    assert outcome.nano == expected
