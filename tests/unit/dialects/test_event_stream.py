"""AWS event streams: frames cut anywhere, checked, and the same as botocore's."""

import struct
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from enfilade.dialects import event_stream
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.event_stream import Frame, FrameCutter, read_headers
from tests.support import event_frames
from tests.support.event_frames import Header, frame, sealed
from tests.support.properties import examples

NAME = st.text(min_size=1, max_size=12).filter(lambda name: 0 < len(name.encode()) <= 255)


def whole(bits: int) -> st.SearchStrategy[int]:
    """Signed numbers of so many bits."""
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


VALUE = st.one_of(
    st.just((event_frames.TRUE, True)),
    st.just((event_frames.FALSE, False)),
    st.tuples(st.just(event_frames.BYTE), whole(8)),
    st.tuples(st.just(event_frames.SHORT), whole(16)),
    st.tuples(st.just(event_frames.INTEGER), whole(32)),
    st.tuples(st.just(event_frames.LONG), whole(64)),
    st.tuples(st.just(event_frames.BYTES), st.binary(max_size=40)),
    st.tuples(st.just(event_frames.STRING), st.text(max_size=20)),
    st.tuples(st.just(event_frames.TIMESTAMP), whole(64)),
    st.tuples(st.just(event_frames.UUID), st.binary(min_size=16, max_size=16)),
)
HEADERS = st.dictionaries(NAME, VALUE, max_size=5).map(
    lambda found: [(name, kind, value) for name, (kind, value) in found.items()]
)
FRAMES = st.lists(st.tuples(HEADERS, st.binary(max_size=200)), max_size=5)


@given(FRAMES, st.data())
@examples(200)
def test_any_cut_gives_the_same_frames(frames: list[tuple[list[Header], bytes]], data: st.DataObject) -> None:
    """Headers of every type of value, and payloads, however the bytes are cut."""
    wire = b"".join(frame(headers, payload) for headers, payload in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    cutter = FrameCutter()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        found += cutter.feed(wire[start:end])
    assert cutter.unfinished == 0
    assert found == [Frame({name: value for name, _, value in headers}, payload) for headers, payload in frames]


@given(FRAMES)
@examples(150)
def test_botocore_reads_the_same(frames: list[tuple[list[Header], bytes]]) -> None:
    """What our tests write is what botocore reads, and what it reads is what we read."""
    wire = b"".join(frame(headers, payload) for headers, payload in frames)
    reference: Any = EventStreamBuffer()
    reference.add_data(wire)
    expected = [Frame(dict(message.headers), message.payload) for message in reference]
    assert FrameCutter().feed(wire) == expected


@given(HEADERS, st.binary(max_size=60), st.data())
@examples(300)
def test_a_changed_byte_never_passes(headers: list[Header], payload: bytes, data: st.DataObject) -> None:
    """Whatever byte is changed: no frame comes out."""
    wire = bytearray(frame(headers, payload))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnreadableReply):
        FrameCutter().feed(bytes(wire))


@given(st.binary(max_size=64))
@examples(300)
def test_odd_headers_are_refused_or_read(data: bytes) -> None:
    """Nothing else than headers or UnreadableReply comes of any bytes; what is read, botocore reads alike."""
    try:
        found = read_headers(data)
    except UnreadableReply:
        return
    buffer: Any = EventStreamBuffer()
    buffer.add_data(sealed(struct.pack(">II", 16 + len(data), len(data)), data))
    assert dict(buffer.next().headers) == found


def test_a_lying_length_is_found_before_its_bytes_have_come() -> None:
    """The prelude is checked as soon as it is there: nobody waits for what will never come."""
    wire = bytearray(event_frames.event("messageStart", b"{}"))
    wire[3] ^= 1
    with pytest.raises(UnreadableReply, match="beginning of a frame"):
        FrameCutter().feed(bytes(wire[:12]))


@pytest.mark.parametrize(
    ("total", "headers"),
    [(15, 0), (0, 0), (20, 5), (16, 4_000_000_000), (200_000, 131_073)],
)
def test_lengths_that_cannot_be_are_refused(total: int, headers: int) -> None:
    """Though the checksum agrees."""
    with pytest.raises(UnreadableReply, match="lengths that cannot be"):
        FrameCutter().feed(sealed(struct.pack(">II", total, headers), b""))


def test_a_frame_has_a_largest_size() -> None:
    """It is refused by its length, before memory is spent on it."""
    with pytest.raises(UnreadableReply, match=f"{event_stream.MAX_FRAME_BYTES} are the most"):
        FrameCutter().feed(sealed(struct.pack(">II", event_stream.MAX_FRAME_BYTES + 1, 0), b""))


def test_the_largest_frame_passes_in_pieces() -> None:
    """Just at the bound, in reads of 64 KB."""
    payload = b"x" * (event_stream.MAX_FRAME_BYTES - 16)
    wire = frame([], payload)
    cutter = FrameCutter()
    found = []
    for start in range(0, len(wire), 65_536):
        found += cutter.feed(wire[start : start + 65_536])
    assert [len(one.payload) for one in found] == [len(payload)]


@pytest.mark.parametrize(
    "headers",
    [
        b"\x01a\x0a",
        b"\x00\x00",
        b"\x01a\x00\x01a\x01",
        b"\x02a",
        b"\x01a\x07\x00\x05abc",
        b"\x01a\x09abc",
        b"\x01a\x04\x00",
        b"\x01\xff\x00",
        b"\x01a\x07\x00\x01\xff",
        b"\x01a",
    ],
)
def test_headers_that_cannot_be_read_are_refused(headers: bytes) -> None:
    """An unknown type, no name, a name twice, what is cut off, what is no UTF-8."""
    with pytest.raises(UnreadableReply, match="headers of a frame"):
        FrameCutter().feed(sealed(struct.pack(">II", 16 + len(headers), len(headers)), headers))


def test_what_is_left_over_is_told() -> None:
    """A stream that ends inside a frame was cut."""
    cutter = FrameCutter()
    wire = event_frames.event("messageStop", b"{}")
    assert cutter.feed(wire + wire[:20])
    assert cutter.unfinished == 20


def test_only_a_text_is_a_headers_text() -> None:
    """A number under a known name is not taken for one."""
    (found,) = FrameCutter().feed(frame([(":event-type", event_frames.INTEGER, 7), ("b", event_frames.STRING, "x")]))
    assert found.header(":event-type") is None
    assert found.header("b") == "x"
    assert found.header("c") is None
