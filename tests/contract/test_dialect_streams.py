"""Every dialect: streams, cut into pieces anywhere."""

import json
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Completion, Finish, Part, Text, ToolCall
from enfilade.dialects.codec import EventWriter
from enfilade.dialects.types import StreamReader
from tests.contract.conftest import SAMPLES, STREAMS
from tests.contract.shapes import DialectSample, StreamSample
from tests.contract.test_dialect_bodies import JSON, codec_of, places
from tests.support.properties import examples

OBJECT = b'data: {"'
STREAMED = "/v1beta/models/m:streamGenerateContent?alt=sse"
"""Some dialects say in their address that they want events."""
CUTS = st.lists(st.integers(0, 5000), max_size=30)


def reader_of(sample: DialectSample, *, asked: bool) -> StreamReader:
    """A reader for a caller who asked for usage, or did not."""
    options = {"stream_options": {"include_usage": True}} if asked else {}
    body = json.dumps(dict(sample.plain) | {"stream": True} | options).encode()
    return sample.dialect.stream_reader(sample.dialect.parse(body))


def pieces_of(wire: bytes, cuts: list[int]) -> list[bytes]:
    """The bytes in pieces."""
    places = sorted({cut % (len(wire) + 1) for cut in cuts})
    return [wire[start:end] for start, end in zip([0, *places], [*places, len(wire)], strict=True)]


def check(sample: DialectSample, stream: StreamSample, cuts: list[int], *, asked: bool) -> None:
    """Read the stream in those pieces and compare all that can be known of it."""
    reader = reader_of(sample, asked=asked)
    passed = b"".join(reader.feed(piece) for piece in pieces_of(stream.wire, cuts))
    complete = reader.finish()
    facts = reader.facts
    assert complete is stream.complete
    assert facts.usage == stream.usage
    assert facts.finish is stream.finish
    assert facts.model == stream.model
    assert facts.events == stream.events
    assert (facts.error is None) is (stream.error is None)
    assert (stream.error or "") in (facts.error or "")
    expected = stream.asked if asked else stream.unasked
    if expected is None:
        expected = stream.wire if stream.asked is None else stream.asked
    if complete:
        passed += reader.tail(None)
    assert passed == expected


def test_a_stream_is_read_and_passed_on_as_it_came(sample: DialectSample, stream: StreamSample) -> None:
    for asked in (True, False):
        check(sample, stream, [], asked=asked)


def test_a_stream_may_come_byte_by_byte(sample: DialectSample, stream: StreamSample) -> None:
    for asked in (True, False):
        check(sample, stream, list(range(len(stream.wire))), asked=asked)


@examples(200)
@given(data=st.data(), cuts=CUTS, asked=st.booleans())
def test_where_the_pieces_end_does_not_matter(data: st.DataObject, cuts: list[int], asked: bool) -> None:
    name, stream = data.draw(st.sampled_from(STREAMS))
    check(SAMPLES[name], stream, cuts, asked=asked)


def test_nothing_is_held_back_that_could_go_on(sample: DialectSample, stream: StreamSample) -> None:
    """Each event leaves with its last byte, save those that end the stream."""
    reader = reader_of(sample, asked=True)
    gap = b"\r\n\r\n" if b"\r\n" in stream.wire else b"\n\n"
    events = [piece + gap for piece in stream.wire.split(gap) if piece]
    going_on = (
        len(events) - 3 if stream.complete else (stream.wire if stream.asked is None else stream.asked).count(gap)
    )
    assert all(reader.feed(event) == event for event in events[:going_on])


def test_the_end_waits_for_the_settlement(sample: DialectSample, stream: StreamSample) -> None:
    if not stream.complete:
        return
    reader = reader_of(sample, asked=True)
    passed = reader.feed(stream.wire)
    assert reader.finish()
    last = [event for event in (stream.asked or stream.wire).replace(b"\r\n", b"\n").split(b"\n\n") if event][-1]
    assert last not in passed.replace(b"\r\n", b"\n")
    assert last in reader.tail(None).replace(b"\r\n", b"\n")


def test_what_comes_after_the_end_is_dropped(sample: DialectSample, stream: StreamSample) -> None:
    reader = reader_of(sample, asked=True)
    reader.feed(stream.wire)
    if reader.facts.done:
        assert reader.feed(stream.wire) == b""
        assert reader.facts.usage == stream.usage


def test_garbage_in_a_stream_breaks_nothing(sample: DialectSample) -> None:
    if not sample.streams:
        return
    reader = reader_of(sample, asked=False)
    junk = b"\x00\xff\xfe<html>\r\n\r\ndata: {\n\ndata: [1]\n\ndata: \xff\n\ndata: {" + b'"choices":[' * 3000 + b"\n\n"
    assert reader.feed(junk + b"error message_ content_block_st finish_reason\n\n")
    assert not reader.finish()
    assert reader.facts.usage is None


@examples(200)
@given(cuts=CUTS, data=st.data())
@example(cuts=[], data=None)
def test_a_completion_is_streamed_and_read_back(cuts: list[int], data: st.DataObject | None) -> None:
    pairs = [(sample, completion) for sample in SAMPLES.values() for completion in sample.completions]
    for sample, completion in pairs if data is None else [data.draw(st.sampled_from(pairs))]:
        wire = written(sample, completion)
        reader = reader_of(sample, asked=True)
        passed = b"".join(reader.feed(piece) for piece in pieces_of(wire, cuts))
        assert reader.finish()
        assert passed + reader.tail(None) == wire
        facts = reader.facts
        assert facts.finish is completion.finish
        assert facts.model == completion.model
        if completion.usage is not None:
            assert facts.usage is not None
            assert facts.usage.output_tokens == completion.usage.output_tokens
            assert facts.usage.input_tokens == completion.usage.input_tokens


@examples(300)
@given(data=st.data(), junk=JSON, cuts=CUTS, asked=st.booleans())
def test_no_value_in_any_event_breaks_the_reading(data: st.DataObject, junk: Any, cuts: list[int], asked: bool) -> None:
    name, stream = data.draw(st.sampled_from([entry for entry in STREAMS if OBJECT in entry[1].wire]))
    lines = stream.wire.replace(b"\r\n", b"\n").split(b"\n")
    position = data.draw(st.sampled_from([at for at, line in enumerate(lines) if line.startswith(OBJECT)]))
    event = json.loads(lines[position][6:])
    holder, key = data.draw(st.sampled_from(list(places(event))))
    holder[key] = junk
    lines[position] = b"data: " + json.dumps(event).encode()
    reader = reader_of(SAMPLES[name], asked=asked)
    wire = b"\n".join(lines)
    passed = b"".join(reader.feed(piece) for piece in pieces_of(wire, cuts))
    reader.length_end()
    if reader.finish():
        passed += reader.tail("0.000000001")
    assert len(passed) <= len(wire) + 200


def test_a_stream_that_we_cut_ends_as_if_it_had_reached_its_length(sample: DialectSample, stream: StreamSample) -> None:
    """A second reader, in the caller's place, finds a whole stream that ran out of tokens."""
    gap = b"\r\n\r\n" if b"\r\n" in stream.wire else b"\n\n"
    events = [piece + gap for piece in stream.wire.split(gap) if piece]
    for count in range(1, max(2, len(events) - 3)):
        reader = reader_of(sample, asked=True)
        passed = b"".join(reader.feed(event) for event in events[:count])
        if reader.facts.done:
            break
        caller = reader_of(sample, asked=True)
        caller.feed(passed + reader.length_end())
        assert caller.finish()
        assert caller.facts.finish is Finish.LENGTH


def test_what_it_cost_stands_beside_the_usage_that_was_asked_for(sample: DialectSample, stream: StreamSample) -> None:
    if not (stream.complete and sample.asks_for_usage):
        return
    for asked in (True, False):
        reader = reader_of(sample, asked=asked)
        passed = reader.feed(stream.wire)
        assert reader.finish()
        tail = reader.tail("0.000001000")
        told = asked and stream.usage is not None and b'"usage": {' not in passed.replace(b'"usage":{', b'"usage": {')
        assert (b'"enfilade":{"cost_usd":"0.000001000"}' in tail) is told
        assert b"cost_usd" not in passed


def written(sample: DialectSample, completion: Completion) -> bytes:
    """A completion as a caller gets it who asked for usage."""
    body = json.dumps(dict(sample.plain) | {"stream": True, "stream_options": {"include_usage": True}}).encode()
    writer: EventWriter = codec_of(sample).writer(sample.dialect.parse(body, STREAMED), "call-1", completion.created_s)
    events = [writer.write(Began(completion.id, completion.model, completion.created_s))]
    for index, part in enumerate(completion.parts):
        events += [writer.write(happening) for happening in happenings_of(index, part)]
    return b"".join([*events, writer.end(Ended(completion.finish), completion.usage)])


def happenings_of(index: int, part: Part) -> list[Happening]:
    """How a part comes, three characters at a time."""
    empty: Part = Text("")
    if isinstance(part, ToolCall):
        text, empty = part.arguments, msgspec.structs.replace(part, arguments="")
    else:
        assert isinstance(part, Text)
        text = part.text
    pieces = [text[start : start + 3] for start in range(0, len(text), 3)]
    return [PartBegan(index, empty), *(PartGrew(index, piece) for piece in pieces), PartEnded(index)]
