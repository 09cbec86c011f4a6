"""Server-sent events, cut out of bytes and read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.dialects import sse
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.sse import EventCutter, event_data, split_events
from tests.support.properties import examples

LINE_END = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINE = st.sampled_from(
    [
        b"data: one",
        b"data:two",
        b"data:  three",
        b"data",
        b"data:",
        b"event: x",
        b": note",
        b"id: 7",
        b"retry: 5",
        b"odd",
    ]
) | st.binary(max_size=12).map(lambda data: b"data: " + data.replace(b"\r", b"").replace(b"\n", b""))
BLANK = re.compile(rb"\r\n|\n|\r")


def lines_of(wire: bytes) -> list[bytes]:
    """The lines of the standard: ended by CRLF, LF or CR."""
    return BLANK.split(wire)


def reference(wire: bytes) -> list[bytes]:
    """The data of each event by the letter of the standard: gather `data` lines until a blank one."""
    found: list[bytes] = []
    data: list[bytes] = []
    for line in lines_of(wire)[:-1]:
        name, _, value = line.partition(b":")
        if not line:
            if data and any(data):
                found.append(b"\n".join(data))
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    return found


@st.composite
def wires(draw: st.DrawFn) -> bytes:
    """Events with one kind of line end throughout, as every server writes them."""
    end = draw(LINE_END)
    events = draw(st.lists(st.lists(LINE, min_size=1, max_size=4), max_size=6))
    return b"".join(end.join(lines) + end + end for lines in events)


def cut_up(wire: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(wire) + 1) for cut in cuts})
    return [wire[start:stop] for start, stop in zip([0, *places], [*places, len(wire)], strict=True)]


@examples(200)
@given(wire=wires(), cuts=st.lists(st.integers(0, 400), max_size=12))
def test_events_are_found_wherever_the_bytes_are_cut(wire: bytes, cuts: list[int]) -> None:
    cutter = EventCutter()
    regions = [cutter.feed(piece) for piece in cut_up(wire, cuts)]
    assert b"".join(regions) + cutter.rest == wire
    found = [event_data(event) for region in regions for event in split_events(region)]
    assert [data for data in found if data.strip(b"\n")] == reference(wire)
    assert BLANK.sub(b"", cutter.rest) == b""


@examples(200)
@given(
    lines=st.lists(st.tuples(LINE | st.just(b""), LINE_END), max_size=12), cuts=st.lists(st.integers(0, 99), max_size=9)
)
def test_mixed_line_ends_lose_no_byte_and_no_event(lines: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    # What follows settles whether a CR at the end was half of a CRLF.
    wire = b"".join(line + end for line, end in lines) + b":"
    cutter = EventCutter()
    regions = [cutter.feed(piece) for piece in cut_up(wire, cuts)]
    assert b"".join(regions) + cutter.rest == wire
    events = [event for region in regions for event in split_events(region)]
    assert b"".join(events) == b"".join(regions)
    assert [data for event in events if (data := event_data(event)).strip(b"\n")] == reference(wire)


@examples(200)
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=12))
def test_any_bytes_pass_whole(data: bytes, cuts: list[int]) -> None:
    cutter = EventCutter()
    assert b"".join(cutter.feed(piece) for piece in cut_up(data, cuts)) + cutter.rest == data


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data: a\r\n\r\n", b"a"),
        (b"data: a\r\r", b"a"),
        (b"data: a\nb\n\n", b"a"),
        (b"data: a\rb\n\n", b"a"),
        (b"data: a\nid: 1\n\n", b"a"),
        (b"data: \n\n", b""),
        (b"data:a\n\n", b"a"),
        (b"data:  a \n\n", b" a "),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"event: x\r\ndata: a\r\nid: 1\r\n\r\n", b"a"),
        (b"data: a\rdata: b\r\r", b"a\nb"),
        (b": ping\n\n", b""),
        (b"\n\n", b""),
        (b"data: \xff\xfe\n\n", b"\xff\xfe"),
        (b"database: a\n\n", b""),
        (b"\xef\xbb\xbfdata: a\n\n", b"a"),
    ],
)
def test_the_data_of_an_event(event: bytes, data: bytes) -> None:
    assert event_data(event) == data


@pytest.mark.parametrize(
    ("region", "events"),
    [
        (b"data: a\r\n\r\n", [b"data: a\r\n\r\n"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"data: a\r\n\r\n", b"data: b\r\n\r\n"]),
        (b"data: a\n\r\ndata: b\r\n\r\n", [b"data: a\n\r\n", b"data: b\r\n\r\n"]),
        (b"data: a\n\ndata: b\r\n\r\n", [b"data: a\n\n", b"data: b\r\n\r\n"]),
        (b"data: a\r\rdata: b\r\n\r\n", [b"data: a\r\r", b"data: b\r\n\r\n"]),
        (b"data: a\r\n\r\n\r\ndata: b\r\n\r\n", [b"data: a\r\n\r\n", b"\r\ndata: b\r\n\r\n"]),
    ],
)
def test_a_region_is_split_where_its_events_end(region: bytes, events: list[bytes]) -> None:
    assert split_events(region) == events
    assert EventCutter().feed(region) == region


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_an_event_may_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 10_000)
    cutter = EventCutter()
    for _ in range(10_000 // size):
        assert cutter.feed(b"x" * size) == b""
    with pytest.raises(UnreadableReply, match="10000"):
        cutter.feed(b"x" * size)


def test_a_long_event_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work grows with the bytes that come, not with their square."""
    searched = 0
    search = sse._end_of_last

    def count(data: bytes) -> int:
        nonlocal searched
        searched += len(data)
        return search(data)

    monkeypatch.setattr(sse, "_end_of_last", count)
    cutter = EventCutter()
    for _ in range(2000):
        assert cutter.feed(b"y" * 1000) == b""
    assert cutter.feed(b"\n\n") == b"y" * 2_000_000 + b"\n\n"
    assert searched < 5_000_000
