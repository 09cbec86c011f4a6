"""What services really report comes to disjoint figures: passed through or translated, in a reply or in a stream."""

from typing import Any

import pytest

from enfilade.core.happenings import Reported
from enfilade.core.usage import Usage
from enfilade.costs.prices.kinds import INPUT_KINDS, KINDS, OUTPUT_KINDS
from enfilade.dialects.codec import Upstream
from enfilade.dialects.upstream_only import UpstreamOnly
from tests.contract.usage_cases import (
    DIALECTS,
    MISSING,
    STREAMED,
    Case,
    converse_stream,
    recorded,
    reply_of,
    request_of,
    stream_of,
)

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


FAULTY = {
    "openai_chat": b'{"prompt_tokens":%b,"completion_tokens":7,"total_tokens":7}',
    "openai_embeddings": b'{"prompt_tokens":%b,"total_tokens":7}',
    "openai_responses": b'{"input_tokens":7,"input_tokens_details":{"cached_tokens":%b},"output_tokens":7}',
    "anthropic_messages": b'{"input_tokens":%b,"output_tokens":7}',
    "gemini_generate": b'{"promptTokenCount":7,"cachedContentTokenCount":%b,"candidatesTokenCount":7}',
    "gemini_embed": b'{"promptTokenCount":%b}',
    "bedrock_converse": b'{"inputTokens":7,"outputTokens":%b}',
}
FAULTS = [b"-1", b"-7.5", b"0.5", b"NaN", b"-Infinity", b"1e999", b'"7"', b"true", b"[7]", b'{"a":7}', b"1000000001"]
FAULTS += [b"123456789012345678901234567890"]


def faulty(dialect: str, fault: bytes) -> tuple[bytes, bytes]:
    """A reply and a stream whose usage holds the fault."""
    case = Case(name="faulty", dialect=dialect, model="model-1", usage="HERE")
    report = FAULTY[dialect] % fault
    stream = stream_of(case) if dialect in STREAMED else b""
    if dialect == "bedrock_converse":
        stream = converse_stream(report)
    return reply_of(case).replace(b'"HERE"', report), stream.replace(b'"HERE"', report)


@pytest.mark.parametrize("dialect", FAULTY)
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.decode() for fault in FAULTS])
def test_a_report_that_cannot_be_true_is_told_as_such_and_costs_no_answer(dialect: str, fault: bytes) -> None:
    spoken, (reply, stream) = DIALECTS[dialect], faulty(dialect, fault)
    found = [spoken.codec.read(reply, Upstream("model-1", call_id="c")).usage]
    if not isinstance(spoken, UpstreamOnly):
        found.append(spoken.read_reply(reply).usage)
    if stream:
        case = Case(name="faulty", dialect=dialect, model="model-1", usage=None)
        found.append(translated(spoken, case, [stream]))
        if not isinstance(spoken, UpstreamOnly):
            reader = spoken.stream_reader(request_of(dialect))
            assert b"Hi." in reader.feed(stream) + reader.tail(None)
            assert reader.finish()
            found.append(reader.facts.usage)
    assert [usage is None or usage.is_plausible() for usage in found] == [False] * len(found)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.decode() for fault in FAULTS])
def test_a_first_report_that_cannot_be_true_is_not_forgotten(fault: bytes) -> None:
    usage = {"input_tokens": "HERE", "output_tokens": 1}
    case = Case(name="faulty", dialect="anthropic_messages", model="m", usage={"output_tokens": 7}, begun=usage)
    stream = stream_of(case).replace(b'"HERE"', fault)
    found = [translated(DIALECTS[case.dialect], case, [stream])]
    reader = DIALECTS[case.dialect].stream_reader(request_of(case.dialect))
    reader.feed(stream)
    found.append(reader.facts.usage)
    assert [usage is None or usage.is_plausible() for usage in found] == [False, False]


@pytest.mark.parametrize("dialect", FAULTY)
@pytest.mark.parametrize("report", [b"7", b'"much"', b"[7]", b"true"])
def test_what_is_no_report_costs_no_answer(dialect: str, report: bytes) -> None:
    case = Case(name="faulty", dialect=dialect, model="model-1", usage="HERE")
    usage = DIALECTS[dialect].codec.read(reply_of(case).replace(b'"HERE"', report), Upstream("m", call_id="c")).usage
    assert usage is not None
    assert not usage.is_plausible()
