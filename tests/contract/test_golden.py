"""The golden cases: for each, what every dialect makes of the same neutral question and answer.

The files are written from the vendors' public specifications, and their types judge them here; what the program does is
compared with them. A dialect that is new has to say something in every case of its operation.
"""

import json
from typing import Any

import pytest

from enfilade.core.happenings import Ended
from enfilade.dialects.codec import Operation
from enfilade.dialects.errors import NotTranslatable
from enfilade.dialects.translation.passage import Asked, Passage, Translator
from enfilade.dialects.translation.restoring import restore
from enfilade.dialects.translation.types import Memo
from tests.contract.golden_files import (
    PLAIN_QUESTION,
    PLAIN_REQUESTS,
    Case,
    Side,
    dialects_of,
    is_spoken,
    load,
    parsed,
    patched,
)
from tests.contract.golden_reading import heard, heard_streamed, opened_question, seals_in
from tests.contract.neutral import (
    CALL_ID,
    CREATED_S,
    DIALECTS,
    Exchange,
    destination,
    happenings_of,
    normal,
    question_from,
    said,
)
from tests.contract.wires import WIRES
from tests.contract.wires.wire import compact

CASES = load()
SHORT_STREAM = 4000


def sides(*sections: str) -> list[Any]:
    """Every dialect of every case that has one of these sections."""
    return [
        pytest.param(case, side, id=f"{case.name}: {side.dialect}")
        for case in CASES.values()
        for side in case.sides.values()
        if any(side.has(section) for section in sections)
    ]


def pairs() -> list[Any]:
    """Every caller with every provider of another dialect, for each case."""
    return [
        pytest.param(case, caller, provider, id=f"{case.name}: {caller.dialect} to {provider.dialect}")
        for case in CASES.values()
        for caller in case.sides.values()
        if is_spoken(caller.dialect) and case.request(caller.dialect) is not None
        for provider in case.sides.values()
        if provider is not caller and (provider.has("sent") or provider.has("refused") or not case.asks)
    ]


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_every_dialect_has_its_say(case: Case) -> None:
    assert case.neutral["about"].endswith(".")
    assert set(case.sides) == set(dialects_of(case.operation))
    for name, side in case.sides.items():
        needed = set()
        if case.asks and not side.has("refused"):
            needed.add("sent")
        if case.asks and is_spoken(name):
            needed.add("request")
        if case.answers:
            needed.add("reply")
            needed |= {"rendered"} if is_spoken(name) else set()
            if case.operation is Operation.GENERATE:
                needed |= {"stream"} if side.has("reply") else set()
                needed |= {"rendered_stream"} if is_spoken(name) else set()
        assert not side.missing(needed)
        absent = side.held.get("absent", {})
        assert not set(absent) & set(side.held)
        assert all(absent.values())


def test_every_dialect_has_a_wire() -> None:
    found = {name for operation in (Operation.GENERATE, Operation.EMBED) for name in dialects_of(operation)}
    assert set(WIRES) == found


@pytest.mark.parametrize(("case", "side"), sides("request"))
def test_a_callers_request_asks_the_question(case: Case, side: Side) -> None:
    request = side.held["request"]
    WIRES[side.dialect].check_request(request)
    codec: Any = DIALECTS.get(side.dialect).codec
    read = normal(codec.question(parsed(side.dialect, request)))
    assert said(read) == patched(said(normal(case.question())), side.held.get("request_reads_as", {}))


@pytest.mark.parametrize(("case", "side"), sides("sent", "refused"))
def test_a_provider_gets_the_question_as_it_takes_it(case: Case, side: Side) -> None:
    if side.has("refused"):
        with pytest.raises(NotTranslatable) as refusal:
            Exchange(case.question(), side.dialect, side.to)
        assert refusal.value.param == side.held["refused"]
        return
    passage = Exchange(case.question(), side.dialect, side.to).passage
    assert json.loads(passage.body) == side.held["sent"]
    assert sorted(passage.dropped) == side.held.get("dropped", [])
    WIRES[side.dialect].check_request(side.held["sent"])


@pytest.mark.parametrize(("case", "side"), sides("mapped"))
def test_what_is_mapped_is_said_otherwise(case: Case, side: Side) -> None:
    assert side.held["mapped"]
    if is_spoken(side.dialect) and case.operation is Operation.GENERATE:
        codec: Any = DIALECTS.get(side.dialect).codec
        assert normal(codec.question(parsed(side.dialect, side.held["sent"]))) != normal(case.question())


@pytest.mark.parametrize(("case", "side"), sides("reply"))
def test_a_providers_reply_is_the_answer(case: Case, side: Side) -> None:
    wire = WIRES[side.dialect]
    wire.check_reply(side.held["reply"])
    answer = exchange(case, side).whole(compact(side.held["reply"]))
    assert told(answer, side) == expected(case, side)


@pytest.mark.parametrize(("case", "side"), sides("stream"))
def test_a_providers_stream_is_the_answer_wherever_it_is_cut(case: Case, side: Side) -> None:
    wire = WIRES[side.dialect]
    wire.check_stream(side.held["stream"])
    whole = wire.to_bytes(side.held["stream"])
    sizes = [len(whole), 7, 64, 1000]
    if len(whole) < SHORT_STREAM:
        sizes.append(1)
    for size in sizes:
        pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
        assert told(exchange(case, side).streamed(pieces), side) == expected(case, side)


@pytest.mark.parametrize(("case", "side"), sides("rendered"))
def test_callers_get_the_answer(case: Case, side: Side) -> None:
    codec: Any = DIALECTS.get(side.dialect).codec
    request = parsed(side.dialect, case.request(side.dialect) or PLAIN_REQUESTS[side.dialect])
    assert json.loads(codec.render(answer_for(case, codec), request)) == side.held["rendered"]
    WIRES[side.dialect].check_reply(side.held["rendered"])


@pytest.mark.parametrize(("case", "side"), sides("rendered_stream"))
def test_callers_get_the_stream(case: Case, side: Side) -> None:
    codec: Any = DIALECTS.get(side.dialect).codec
    wire = WIRES[side.dialect]
    request = case.request(side.dialect) or PLAIN_REQUESTS[side.dialect]
    answer = answer_for(case, codec)
    writer = codec.writer(parsed(side.dialect, request, stream=True), CALL_ID, CREATED_S)
    written = b"".join(writer.write(happening) for happening in happenings_of(answer))
    written += writer.end(Ended(answer.finish, answer.stop_sequence, answer.service_tier), answer.usage)
    assert wire.from_bytes(written) == side.held["rendered_stream"]
    wire.check_stream(side.held["rendered_stream"])


@pytest.mark.parametrize(("case", "side"), sides("rendered_stream"))
def test_what_callers_get_says_the_same_whole_and_streamed(case: Case, side: Side) -> None:
    whole = heard(side.dialect, side.held["rendered"])
    streamed = heard_streamed(side.dialect, WIRES[side.dialect].to_bytes(side.held["rendered_stream"]))
    # Some cases give a reason why they cannot.
    assert (streamed == whole) is not side.has("streamed_otherwise")


@pytest.mark.parametrize(("case", "caller", "provider"), pairs())
def test_any_caller_reaches_any_provider(case: Case, caller: Side, provider: Side) -> None:
    request = case.request(caller.dialect)
    assert request is not None
    spoken: Any = DIALECTS.get(caller.dialect)
    asked = Asked(spoken, parsed(caller.dialect, request), CALL_ID, CREATED_S)
    question = spoken.codec.question(asked.request)
    says_all = case.asks and opened_question(question) == case.question()
    alone, refused = asked_alone(question, provider)
    if alone is None:
        assert not says_all or provider.held["refused"] == refused
        with pytest.raises(NotTranslatable) as refusal:
            open_passage(asked, provider)
        assert refusal.value.param == spoken.codec.field_names.get(refused, refused)
        return
    passage = open_passage(asked, provider)
    assert json.loads(passage.body) == (provider.held["sent"] if says_all else json.loads(alone.body))
    assert set(passage.dropped) == {spoken.codec.field_names.get(name, name) for name in alone.dropped}
    WIRES[provider.dialect].check_request(json.loads(passage.body))
    if provider.has("reply"):
        come_back(case, caller, provider, passage)


@pytest.mark.parametrize(
    ("case", "caller", "provider"),
    [entry for entry in pairs() if str(entry.id).startswith("reasoning-loop")],
)
def test_seals_come_home_through_callers_of_other_families(case: Case, caller: Side, provider: Side) -> None:
    spoken: Any = DIALECTS.get(caller.dialect)
    request = case.request(caller.dialect)
    assert request is not None
    passage = open_passage(Asked(spoken, parsed(caller.dialect, request), CALL_ID, CREATED_S), provider)
    assert seals_in(json.loads(passage.body)) == seals_in(provider.held["sent"])


def come_back(case: Case, caller: Side, provider: Side, passage: Passage) -> None:
    """The provider's answer reaches the caller, whole and streamed."""
    _, answered = passage.read_reply(compact(provider.held["reply"]))
    WIRES[caller.dialect].check_reply(json.loads(answered))
    if case.operation is not Operation.GENERATE:
        return
    reader = passage.stream_reader()
    streamed = reader.feed(WIRES[provider.dialect].to_bytes(provider.held["stream"]))
    assert reader.finish()
    streamed += reader.tail(None)
    whole = heard(caller.dialect, json.loads(answered))
    assert (heard_streamed(caller.dialect, streamed) == whole) is not caller.has("streamed_otherwise")
    if provider.dialect.startswith("openai") and not provider.has("reply_reads_as") and caller.has("rendered"):
        assert json.loads(answered) == caller.held["rendered"]


def asked_alone(question: Any, provider: Side) -> tuple[Passage | None, str | None]:
    """What a provider gets for the question, whoever asks; or the field that is refused."""
    try:
        return Exchange(question, provider.dialect, provider.to).passage, None
    except NotTranslatable as refusal:
        return None, refusal.param


def open_passage(asked: Asked, provider: Side) -> Passage:
    """The caller's request on its way to that provider. Raises NotTranslatable."""
    return Translator(DIALECTS).open(asked, destination(provider.dialect, provider.to))


def exchange(case: Case, side: Side) -> Exchange:
    """The case's question on its way; one that says nothing where the case's is refused."""
    try:
        return Exchange(case.question(), side.dialect, side.to)
    except NotTranslatable:
        return Exchange(question_from(PLAIN_QUESTION, case.operation), side.dialect, {})


def answer_for(case: Case, codec: Any) -> Any:
    """The answer as a caller of that dialect gets it: with the seals of others in envelopes."""
    answer = case.answer()
    return restore(answer, Memo(codec.origin)) if case.operation is Operation.GENERATE else answer


def expected(case: Case, side: Side) -> dict[str, Any]:
    """The case's answer as this dialect's provider can say it."""
    changed = patched(said(case.answer()), side.held.get("reply_reads_as", {}))
    return {name: value for name, value in changed.items() if name not in WIRES[side.dialect].unsaid}


def told(answer: Any, side: Side) -> dict[str, Any]:
    """An answer without what its dialect does not say."""
    shown: dict[str, Any] = said(answer)
    unsaid = WIRES[side.dialect].unsaid
    return {name: value for name, value in shown.items() if value is not None and name not in unsaid}
