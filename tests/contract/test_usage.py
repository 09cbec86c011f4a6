"""What services really report comes to disjoint figures: passed through or translated, in a reply or in a stream."""

from typing import Any

import pytest

from enfilade.core.happenings import Reported
from enfilade.core.usage import Usage
from enfilade.costs.prices.kinds import INPUT_KINDS, KINDS, OUTPUT_KINDS
from enfilade.dialects.codec import Upstream
from enfilade.dialects.upstream_only import UpstreamOnly
from tests.contract.usage_cases import DIALECTS, MISSING, STREAMED, Case, recorded, reply_of, request_of, stream_of

CASES = recorded()
IN_STREAMS = [case for case in CASES if case.dialect in STREAMED]


def by_kind(usage: Usage | None) -> dict[str, int] | str:
    if usage is None:
        return MISSING
    assert usage.is_plausible()
    quantities = usage.quantities()
    assert all(quantity > 0 for _, quantity in quantities)
    assert len({number for number, _ in quantities}) == len(quantities)
    for numbers, total in ((INPUT_KINDS, usage.input_tokens), (OUTPUT_KINDS, usage.output_tokens)):
        assert sum(quantity for number, quantity in quantities if number in numbers) == total
    return {KINDS[number]: quantity for number, quantity in quantities}


def names(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", CASES, ids=names)
def test_a_reported_usage_is_read_as_disjoint_kinds(case: Case) -> None:
    dialect = DIALECTS[case.dialect]
    if not isinstance(dialect, UpstreamOnly):
        assert by_kind(dialect.read_reply(reply_of(case)).usage) == case.expected
    assert by_kind(dialect.codec.read(reply_of(case), Upstream(case.model, call_id="c")).usage) == case.expected


@pytest.mark.parametrize("case", IN_STREAMS, ids=names)
@pytest.mark.parametrize("piece", [1, 1 << 20], ids=["byte by byte", "at once"])
def test_a_stream_says_the_same(case: Case, piece: int) -> None:
    dialect, stream = DIALECTS[case.dialect], stream_of(case)
    pieces = [stream[start : start + piece] for start in range(0, len(stream), piece)]
    if not isinstance(dialect, UpstreamOnly):
        reader = dialect.stream_reader(request_of(case.dialect))
        for part in pieces:
            reader.feed(part)
        assert reader.finish()
        assert by_kind(reader.facts.usage) == case.expected
    assert by_kind(translated(dialect, case, pieces)) == case.expected


def translated(dialect: Any, case: Case, pieces: list[bytes]) -> Usage | None:
    decoder = dialect.codec.decoder(Upstream(case.model, call_id="c"))
    happened = [happening for part in pieces for happening in decoder.feed(part)]
    happened += decoder.close()
    found = [happening.usage for happening in happened if isinstance(happening, Reported)]
    return found[-1] if found else None


def test_every_dialect_with_usage_and_every_kind_that_can_be_recorded_is_among_the_cases() -> None:
    assert {case.dialect for case in CASES} == set(DIALECTS)
    found = {kind for case in CASES if isinstance(case.expected, dict) for kind in case.expected}
    # No recorded reply with sound as its answer was found, and the rest belongs to other operations.
    assert set(KINDS) - found == {"audio_output", "requests", "characters", "pages", "seconds"}
