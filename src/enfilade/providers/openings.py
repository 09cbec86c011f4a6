"""How a reply of status 200 begins: the last moment at which another attempt can still be made.

Nothing has reached the caller yet. What begins as an error, as a web page or as nothing at all is a failure of this
attempt like any other. Looking costs no time: whoever reads the reply would wait for the same bytes.
"""

from collections.abc import Callable
from typing import Protocol

from enfilade.dialects.event_stream import CONTENT_TYPE
from enfilade.dialects.sse import BYTE_ORDER_MARK, event_data, split_events
from enfilade.providers.errors import ProviderError, UnreadableResponse

ENOUGH = 64
"""Where an error is the whole reply, it shows in this many bytes."""
MAX_LOOK = 64_000
PING = b'"ping"'
STREAM_LINES = (b"data:", b"event:", b"id:", b"retry:", b":")

ReportedFailure = Callable[[bytes], ProviderError | None]


class Opening(Protocol):
    """A reply that is arriving."""

    headers: list[tuple[bytes, bytes]]

    async def peek(self, least: int) -> bytes:
        """What has come, and stays to be read: at least so many bytes, unless it ends before."""
        ...


async def check_opening(reply: Opening, reported: ReportedFailure, *, stream: bool) -> None:
    """Raise the failure as which a reply begins: what it reports, or UnreadableResponse if it is not what was asked."""
    if _begins_well(await reply.peek(1), stream=stream) or (b"content-type", CONTENT_TYPE) in reply.headers:
        return
    seen = await _seen(reply, 1)
    if not seen:
        raise UnreadableResponse("The provider's reply is empty.")
    first = seen[:1]
    if first == b"<":
        raise UnreadableResponse("The provider answered with a web page: its address may be wrong.")
    if stream:
        await (_refuse_whole if first in b"{[" else _check_first_event)(reply, reported)
    elif first in b"{[":
        if b"error" in await _seen(reply, ENOUGH):
            await _check_whole(reply, reported)
    elif first in b"deir:" and (await _seen(reply, 6)).startswith(STREAM_LINES):
        raise UnreadableResponse("The provider answered with a stream of events although none was asked for.")


def _begins_well(seen: bytes, *, stream: bool) -> bool:
    """What is seen at a glance of nearly every reply. False means: look closer."""
    if stream:
        end = seen.find(b"\n\n")
        return end > 0 and seen[0] in b"de" and b"error" not in seen[:end] and PING not in seen[:end]
    return len(seen) >= ENOUGH and seen[0] in b"{" and b"error" not in seen[:ENOUGH]


async def _seen(reply: Opening, least: int) -> bytes:
    """What has come beside white space, which some services send while they work."""
    wanted = least
    while True:
        came = await reply.peek(wanted)
        seen = came.removeprefix(BYTE_ORDER_MARK).lstrip()
        if len(seen) >= least or len(came) < wanted:
            return seen
        if len(came) > MAX_LOOK:
            return came  # Nothing but blanks, and no end: the reader bounds it.
        wanted = len(came) + least - len(seen)


async def _check_first_event(reply: Opening, reported: ReportedFailure) -> None:
    """Judge the first event that says anything; comments and pings before it only show that somebody is there."""
    wanted = 1
    while True:
        came = await reply.peek(wanted)
        whole = split_events(came)
        if not came.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
            del whole[-1:]
        for event in whole:
            if (data := event_data(event)) and PING not in event:
                if b"error" in event:
                    _raise(reported(data))
                return
        if len(came) < wanted or len(came) > MAX_LOOK:
            return
        wanted = len(came) + 1


async def _check_whole(reply: Opening, reported: ReportedFailure) -> None:
    body = await reply.peek(MAX_LOOK)
    if len(body) < MAX_LOOK:
        _raise(reported(body))


async def _refuse_whole(reply: Opening, reported: ReportedFailure) -> None:
    await _check_whole(reply, reported)
    raise UnreadableResponse("The provider answered in one piece although a stream was asked for.")


def _raise(failure: ProviderError | None) -> None:
    if failure is not None:
        raise failure
