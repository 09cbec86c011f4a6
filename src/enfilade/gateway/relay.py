"""Passing the answer on: whole, streamed, or from the cache. Its last byte waits until the call is settled."""

from typing import Protocol

import msgspec

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.core.messages import Finish
from enfilade.core.money import format_usd
from enfilade.costs.holds.meters import WindowMeter
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.types import LimitHeaders, Request, StreamFacts, StreamReader
from enfilade.gateway.admission import Admission
from enfilade.gateway.answers import Answer, failure_in, given_up
from enfilade.gateway.cache import GivenAnswer, ReplyCache
from enfilade.gateway.counting import estimated_count
from enfilade.gateway.keeping import Kept
from enfilade.gateway.outcomes import answered, cut, repeated
from enfilade.providers.errors import ConnectionBroken
from enfilade.providers.types import Provider

JSON = b"application/json"
EVENT_STREAM = b"text/event-stream; charset=utf-8"

CONTENT_TYPES = {False: (b"content-type", JSON), True: (b"content-type", EVENT_STREAM)}

HeaderList = list[tuple[bytes, bytes]]


class Outlet(Protocol):
    """Where the answer goes."""

    started: bool

    async def reply(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Send a whole answer."""
        ...

    async def start(self, status: int, headers: HeaderList) -> None:
        """Begin a streamed answer."""
        ...

    async def write(self, data: bytes) -> None:
        """Send a part of it, at the caller's pace."""
        ...

    async def finish(self, data: bytes) -> None:
        """Send its end."""
        ...


class Copies(msgspec.Struct):
    """What remains of an answer when it has been given."""

    key: bytes | None = None
    """Under which it answers identical requests."""
    kept: Kept | None = None
    """How it is kept to be continued."""


class Relay:
    """Sends answers to their callers."""

    def __init__(self, clock: Clock, cache: ReplyCache) -> None:
        """Keep answers in `cache`."""
        self._clock = clock
        self._cache = cache

    async def reply(self, admission: Admission, answer: Answer, outlet: Outlet, copies: Copies) -> None:
        """Pass on a whole reply. Raises ProviderError, UnreadableReply."""
        call = admission.call
        body = await answer.incoming.read()
        admission.first_byte = self._clock.monotonic()
        try:
            facts, body = answer.passage.read_reply(body)
        except UnreadableReply as unreadable:
            raise answer.candidate.target.provider.reported_failure(body) or unreadable from unreadable
        if facts.finish is Finish.ERROR and answer.passage.is_translated:
            # Most dialects have no word for it but an error; what it cost is known all the same.
            admission.stream_facts = StreamFacts(facts.usage, facts.model, facts.finish, facts.service_tier)
            raise given_up()
        written = admission.settle(answered(call, answer.candidate, facts, len(body)))
        headers = self._headers(admission, answer)
        headers.append((b"x-enfilade-cost-usd", format_usd(admission.cost_nano).encode()))
        await written
        if copies.kept is not None:
            await copies.kept.keep(facts.whole)
        if copies.key is not None:
            given = GivenAnswer(JSON, body, facts.finish, answer.passage.dropped, admission.cost_nano)
            self._cache.keep(copies.key, call, given)
        await outlet.reply(200, headers, body)

    async def stream(self, admission: Admission, answer: Answer, outlet: Outlet, copies: Copies) -> None:
        """Pass on a stream as it comes. Raises ProviderError; the caller may have got a part by then."""
        incoming = answer.incoming
        reader, data = answer.reader, answer.head
        assert reader is not None, "a stream's beginning was read when its provider was found"
        facts = reader.facts
        copy: list[bytes] | None = None if copies.key is None else []
        most = admission.max_events(answer.candidate)
        while True:
            if data:
                if not outlet.started:
                    admission.first_byte = self._clock.monotonic()
                    await outlet.start(200, self._headers(admission, answer))
                if copy is not None:
                    copy.append(data)
                await outlet.write(data)
            if facts.events > most:
                # The hold is used up and the provider goes on: end the stream as if it had reached its length.
                await self._cut(admission, answer, outlet, reader, copies)
                return
            if facts.done or not (chunk := await incoming.next_chunk()):
                break
            data = reader.feed(chunk)
        if not reader.finish():
            raise _broken(reader, answer.candidate.target.provider)
        tail = await self._settle_stream(admission, answer, reader, copies, copy)
        if not outlet.started:
            await outlet.start(200, self._headers(admission, answer))
        await outlet.finish(tail)

    async def _cut(
        self, admission: Admission, answer: Answer, outlet: Outlet, reader: StreamReader, copies: Copies
    ) -> None:
        await admission.settle(cut(admission.call, answer.candidate, reader.facts))
        end = reader.length_end()
        if copies.kept is not None:
            await copies.kept.keep(reader.facts.whole)
        await outlet.finish(end)

    async def _settle_stream(
        self, admission: Admission, answer: Answer, reader: StreamReader, copies: Copies, copy: list[bytes] | None
    ) -> bytes:
        """Post what a whole stream came to; returns its end once everything is written."""
        call, facts = admission.call, reader.facts
        written = admission.settle(answered(call, answer.candidate, facts))
        tail = reader.tail(format_usd(admission.cost_nano))
        await written
        if copies.kept is not None:
            await copies.kept.keep(facts.whole)
        if copy is not None and copies.key is not None:
            # Whoever is answered from the cache pays nothing, and the stream says so.
            body = b"".join([*copy, reader.tail(format_usd(0))])
            content_type = _content_type(call.request)[1]
            given = GivenAnswer(content_type, body, facts.finish, answer.passage.dropped, admission.cost_nano)
            self._cache.keep(copies.key, call, given)
        return tail

    async def count(self, admission: Admission, outlet: Outlet) -> None:
        """Answer how many tokens a request has by an estimate, for models whose providers do not count."""
        call = admission.call
        codec = call.dialect.codec
        assert codec is not None, "whatever counts can be translated"
        body = codec.render(estimated_count(call), call.request)
        written = admission.settle(repeated(None))
        headers = [
            (b"content-type", JSON),
            (b"x-request-id", call.id.encode()),
            (b"x-enfilade-model", admission.hold.model.encode("ascii", "replace")),
            (b"x-enfilade-estimated", b"input_tokens"),
            (b"x-enfilade-cost-usd", format_usd(0).encode()),
            *self._limit_headers(admission),
        ]
        await written
        await outlet.reply(200, headers, body)

    async def repeat(self, admission: Admission, kept: GivenAnswer, outlet: Outlet) -> None:
        """Answer from the cache: nothing goes upstream and nothing is charged."""
        call = admission.call
        admission.cached, admission.dropped = True, kept.dropped
        admission.first_byte = self._clock.monotonic()
        written = admission.settle(repeated(kept.finish, kept.cost_nano))
        headers = [
            (b"content-type", kept.content_type),
            *request_id_headers(call.id),
            (b"x-enfilade-model", admission.hold.model.encode("ascii", "replace")),
            (b"x-enfilade-cache", b"hit"),
            *self._limit_headers(admission),
            *_dropped(kept.dropped),
        ]
        await written
        if call.request.stream:
            await outlet.start(200, headers)
            await outlet.finish(kept.body)
        else:
            headers.append((b"x-enfilade-cost-usd", format_usd(0).encode()))
            await outlet.reply(200, headers, kept.body)

    def _headers(self, admission: Admission, answer: Answer) -> HeaderList:
        headers = [
            _content_type(admission.call.request),
            *request_id_headers(admission.call.id),
            *answer.candidate.target.headers,
            *self._limit_headers(admission),
        ]
        if answer.passage.dropped:
            headers += _dropped(answer.passage.dropped)
        return headers

    def _limit_headers(self, admission: Admission) -> HeaderList:
        meters = admission.meters
        if not meters.requests and not meters.tokens:
            return []
        now_ns = self._clock.now_ns()
        limits = LimitHeaders(_tightest(meters.requests, now_ns), _tightest(meters.tokens, now_ns), now_ns)
        return admission.call.dialect.limit_headers(limits)


def request_id_headers(call_id: str) -> HeaderList:
    """What names a call: OpenAI's SDK reads the one, Anthropic's the other."""
    name = call_id.encode()
    return [(b"x-request-id", name), (b"request-id", name)]


def _dropped(names: tuple[str, ...]) -> HeaderList:
    """The fields of the request that were left out, if there were any."""
    return [(b"x-enfilade-dropped", ", ".join(names).encode("ascii", "replace"))] if names else []


def _content_type(request: Request) -> tuple[bytes, bytes]:
    return CONTENT_TYPES[request.stream and not request.as_array]


def _tightest(meters: tuple[WindowMeter, ...], now_ns: int) -> tuple[int, int, float] | None:
    """The figures of the limit that has the least left."""
    if not meters:
        return None
    if len(meters) == 1:
        return meters[0].figures(now_ns)
    return min((meter.figures(now_ns) for meter in meters), key=lambda figures: figures[1])


def _broken(reader: StreamReader, provider: Provider) -> EnfiladeError:
    if reader.facts.error is not None:
        return failure_in(reader.facts.error, provider)
    message = "The provider ended its answer before it was whole."
    return ConnectionBroken(message)
