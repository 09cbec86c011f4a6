"""What a call can cost at most: never less than what is charged, whatever usage the provider reports within it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.usage import Usage
from enfilade.costs.errors import UnpricedModel
from enfilade.dialects.types import MEDIA_TOKENS, ReplyFacts, StreamFacts
from enfilade.gateway.bounds import (
    DEFAULT_MAX_OUTPUT,
    affordable_output,
    candidate_for,
    candidates_for,
    demand_of,
    estimated_usage,
    output_bound,
    tight_input,
)
from enfilade.gateway.errors import TokensPerRequestExceeded
from enfilade.gateway.outcomes import answered, failed
from enfilade.identity.types import TenantSpec
from tests.support.properties import examples
from tests.unit.gateway.parts import Provider, call, priced, principal, target

PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.invalid/i.png"}}]}]


# The input.


def test_the_input_is_bounded_by_the_bytes_of_the_body() -> None:
    asked = call(messages=[{"role": "user", "content": "é" * 500}])

    (candidate,) = candidates_for(asked, [target()])

    assert candidate.input_bound == asked.request.size >= 1000


def test_what_is_no_text_is_bounded_by_the_context_window_or_a_fixed_figure() -> None:
    asked = call(messages=PICTURE)
    known, unknown = candidates_for(asked, [target(context_window=200_000), target()])

    assert known.input_bound == 200_000
    assert unknown.input_bound == asked.request.size + MEDIA_TOKENS


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages", "openai_embeddings"])
def test_the_tighter_bound_of_a_text_is_no_larger_than_its_bytes_and_no_smaller_than_its_words(dialect: str) -> None:
    text = "word " * 200
    field: dict[str, Any] = (
        {"input": text} if dialect == "openai_embeddings" else {"messages": [{"role": "user", "content": text}]}
    )
    more: dict[str, Any] = {"max_tokens": 5} if dialect == "anthropic_messages" else {}
    asked = call(dialect=dialect, **field, **more, user="x" * 50)

    assert len(text) <= tight_input(asked, [target()]) <= asked.request.size


def test_a_provider_that_counts_exactly_gives_the_tightest_bound() -> None:
    exact, other = target(Provider(exact=7)), target(Provider(exact=9))

    assert tight_input(call(), [exact]) == 7
    assert tight_input(call(), [exact, other]) == 9
    assert tight_input(call(), [exact, target()]) > 9


# The output.


@pytest.mark.parametrize(
    ("asked", "model", "tenant", "expected"),
    [
        (None, None, None, (DEFAULT_MAX_OUTPUT, True)),
        (50, None, None, (50, False)),
        (None, 100, None, (100, False)),
        (50, 100, None, (50, False)),
        (500, 100, None, (100, False)),
        (50, 100, 30, (30, True)),
        (50, 100, 60, (50, False)),
        (None, None, 30, (30, True)),
        (None, None, 100_000, (DEFAULT_MAX_OUTPUT, True)),
    ],
)
def test_the_output_is_bounded_by_the_smallest_maximum_which_is_sent_when_nobody_else_keeps_it(
    asked: int | None, model: int | None, tenant: int | None, expected: tuple[int, bool]
) -> None:
    fields: dict[str, Any] = {} if asked is None else {"max_tokens": asked}

    assert output_bound(call(**fields).request, target(max_output=model), tenant) == expected


def test_each_choice_has_the_output_bound_of_its_own() -> None:
    assert output_bound(call(n=4, max_tokens=10).request, target(), None) == (40, False)


def test_embeddings_have_no_output() -> None:
    (candidate,) = candidates_for(call(dialect="openai_embeddings"), [target()])

    assert candidate.output_bound == 0
    assert candidate.worst == candidate.least == candidate.worst_input


# The tenant's bound for one request.


def test_a_tenants_bound_leaves_for_the_output_what_the_input_does_not_take() -> None:
    asked = call(principal(TenantSpec("acme", max_tokens_per_request=300)))

    candidate = candidate_for(asked, target(max_output=1000), priced().at(0), None)  # type: ignore[arg-type]

    assert candidate.output_bound == 300 - candidate.input_bound
    assert candidate.sets_output


def test_a_request_beyond_the_tenants_bound_is_refused() -> None:
    caller = principal(TenantSpec("acme", max_tokens_per_request=300))
    beyond: list[dict[str, Any]] = [{"max_tokens": 300}, {"messages": [{"role": "user", "content": "x" * 400}]}]
    for fields in beyond:
        with pytest.raises(TokensPerRequestExceeded) as refusal:
            candidates_for(call(caller, **fields), [target()])
        assert refusal.value.details["limit"] == 300


def test_the_text_is_counted_before_the_tenants_bound_refuses_a_request() -> None:
    caller = principal(TenantSpec("acme", max_tokens_per_request=300))
    long = call(caller, messages=[{"role": "user", "content": "x" * 290}], max_tokens=5)
    assert long.request.size > 300

    with pytest.raises(TokensPerRequestExceeded):
        candidates_for(long, [target()])
    assert candidates_for(long, [target(Provider(exact=200))])


# Money.


def test_a_call_needs_at_least_one_priced_deployment() -> None:
    unpriced = target(price=priced(model="other"))
    unpriced.price = type(unpriced.price)("chat", lambda _: [], None)

    with pytest.raises(UnpricedModel):
        candidates_for(call(), [unpriced])
    assert len(candidates_for(call(), [unpriced, target()])) == 1


def test_the_demand_is_the_worst_of_all_deployments() -> None:
    cheap, dear = target(), target(price=priced({"input": 10**9, "output": 50 * 10**9}), max_output=20)
    candidates = candidates_for(call(), [cheap, dear])

    demand = demand_of(candidates)

    assert demand.nano == max(candidate.worst for candidate in candidates)
    assert demand.tokens == candidates[0].input_bound + 100
    assert demand.minimum_nano == candidates[1].worst_input + 50_000


def test_a_call_with_several_choices_needs_a_token_for_each_to_start() -> None:
    (candidate,) = candidates_for(call(n=5), [target()])

    assert candidate.least == candidate.worst_input + 5 * 2000
    assert demand_of([candidate]).minimum_nano == candidate.least
    assert affordable_output(candidate, candidate.least, 5) == 1
    assert affordable_output(candidate, candidate.worst, 5) == 100


@given(
    st.integers(0, 5_000_000),
    st.integers(1, 5_000_000),
    st.integers(1, 5),
    st.integers(0, 200),
)
@examples(150)
def test_what_is_affordable_costs_no_more_than_there_is(rate_in: int, rate_out: int, choices: int, more: int) -> None:
    asked = call(n=choices)
    (candidate,) = candidates_for(asked, [target(price=priced({"input": rate_in, "output": rate_out}))])
    nano = min(candidate.worst, candidate.least + more)

    tokens = affordable_output(candidate, nano, choices) * choices

    assert choices <= tokens <= candidate.output_bound
    assert candidate.sheet.cost(Usage(candidate.input_bound, output_tokens=tokens)) <= nano


@given(st.data())
@examples(200)
def test_no_answer_within_its_bounds_costs_more_than_its_worst_case(data: st.DataObject) -> None:
    rate = st.integers(0, 3_000_000)
    rates = {kind: data.draw(rate) for kind in ("input", "cached_input", "output", "reasoning")}
    asked = call(n=data.draw(st.integers(1, 3)), max_tokens=data.draw(st.integers(1, 200)))
    (candidate,) = candidates_for(asked, [target(price=priced(rates))])
    inputs = data.draw(st.integers(0, candidate.input_bound))
    outputs = data.draw(st.integers(0, candidate.output_bound))
    usage = Usage(inputs, data.draw(st.integers(0, inputs)), 0, 0, outputs, data.draw(st.integers(0, outputs)))

    assert answered(asked, candidate, ReplyFacts(usage)).nano <= candidate.worst


@given(st.integers(0, 2000), st.integers(0, 100_000), st.booleans())
@examples(150)
def test_no_estimate_exceeds_the_worst_case(events: int, output_bytes: int, streamed: bool) -> None:
    asked = call()
    (candidate,) = candidates_for(asked, [target(price=priced({"input": 1_500_000, "output": 2_500_000}))])
    facts: Any = StreamFacts(events=events, output_bytes=output_bytes) if streamed else ReplyFacts()

    outcome = answered(asked, candidate, facts, output_bytes)

    assert outcome.estimated
    assert 0 <= outcome.nano <= candidate.worst
    assert outcome.usage.is_plausible()


# Estimates.


def test_every_event_of_a_stream_counts_as_a_token_at_least() -> None:
    (candidate,) = candidates_for(call(), [target()])

    assert estimated_usage(call(), candidate, StreamFacts(events=30, output_bytes=40)).output_tokens == 30
    assert estimated_usage(call(), candidate, StreamFacts(events=3, output_bytes=41)).output_tokens == 11
    assert estimated_usage(call(), candidate, None, 41).output_tokens == 11
    assert estimated_usage(call(), candidate, StreamFacts(events=3000)).output_tokens == 100


def test_what_the_provider_has_told_so_far_is_used() -> None:
    (candidate,) = candidates_for(call(), [target()])
    told = Usage(40, 10, 0, 0, 5, 0)

    usage = estimated_usage(call(), candidate, StreamFacts(usage=told, events=12))

    assert usage == Usage(40, 10, 0, 0, 12, 0)


@pytest.mark.parametrize(
    "told",
    [
        Usage(10, 20),
        Usage(-1),
        Usage(10, output_tokens=-5),
        Usage(2 * 10**9),
        Usage(5, output_tokens=1, reasoning_tokens=2),
    ],
)
def test_usage_that_cannot_be_is_replaced_by_an_estimate(told: Usage) -> None:
    (candidate,) = candidates_for(call(), [target(Provider(exact=6))])

    outcome = answered(call(), candidate, StreamFacts(usage=told, events=4))

    assert outcome.estimated
    assert outcome.usage == Usage(6, output_tokens=4)


def test_a_call_of_which_nothing_came_back_is_charged_its_worst_case() -> None:
    asked = call()
    (candidate,) = candidates_for(asked, [target()])

    outcome = failed(asked, candidate, None, None)

    assert (outcome.nano, outcome.estimated) == (candidate.worst, True)
    assert outcome.usage.total_tokens == candidate.input_bound + candidate.output_bound
