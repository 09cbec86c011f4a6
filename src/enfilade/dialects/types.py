"""What the line needs of every dialect."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import msgspec

from enfilade.core.errors import EnfiladeError
from enfilade.core.messages import Finish
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Codec, Operation

MEDIA_TOKENS = 50_000
"""A bound for one image, document or sound when the model's context window is not known."""


class Request(msgspec.Struct):
    """A caller's request: the fields we act on, and all of them as they came."""

    fields: dict[str, msgspec.Raw]
    model: str
    stream: bool
    size: int
    """Bytes of the body. A byte-level tokenizer never makes more tokens than bytes, so this bounds the input."""
    max_output: int | None = None
    choices: int = 1
    wants_usage: bool = True
    service_tier: str | None = None
    media: int = 0
    """How many parts are not text; their tokens have nothing to do with their bytes."""
    searches: int = 0
    """The most web searches that the provider may make for it, over all choices; they cost money of their own."""
    caching: bool = False
    """Whether the request asks the provider to write its cache, which costs more than plain input."""
    makes_output: bool = True
    """Whether output tokens are charged at all; embeddings have none."""
    is_free: bool = False
    """Whether providers charge nothing for it, as for counting tokens."""
    previous: str | None = None
    """An earlier response, or a conversation, that is kept here and goes before this request's input."""
    envelopes: bool = False
    """Whether the body may hold envelopes, which our translation made (see `seals`) and no provider reads."""
    as_array: bool = False
    """Whether the caller wants a stream as the entries of one JSON array instead of events: other ends, other type."""
    keeps: bool | None = None
    """Whether the caller wants the answer kept; None when not said, or when the dialect keeps nothing."""
    answer_id: str | None = None
    """Under which id the answer will be kept here: set by the line before the answer is read or written."""


class ReplyFacts(msgspec.Struct, gc=False):
    """What we read from a reply, whole or streamed."""

    usage: Usage | None = None
    model: str | None = None
    finish: Finish | None = None
    service_tier: str | None = None
    whole: bytes | None = None
    """The whole answer, in dialects whose answers can be kept; of a stream, once it has ended."""


class StreamFacts(ReplyFacts, gc=False):
    """What is known of a stream so far."""

    events: int = 0
    """Events that carried output; with no usage reported, each counts as at least one token."""
    output_bytes: int = 0
    """A rough size of the output's text, for the estimate of a stream that was cut."""
    error: str | None = None
    """The provider's words, when it reported an error inside the stream. For the log only."""
    done: bool = False
    envelope: int = 1 << 30
    """The bytes of the smallest event with output so far: what every one of them has beside its text."""

    def saw_output(self, events: int, size: int) -> None:
        """Some events with output have come, of so many bytes together."""
        self.events += events
        self.envelope = min(self.envelope, size // events)
        self.output_bytes += size - events * self.envelope


class StreamReader(Protocol):
    """Reads a stream on its way through."""

    facts: StreamFacts

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came from the provider, return those to pass on now.

        What ends the stream (the last usage, the last event) is held back for `tail`.
        """
        ...

    def finish(self) -> bool:
        """The provider has ended the stream; tell whether it was complete."""
        ...

    def length_end(self) -> bytes:
        """The end of a stream that is cut by us: as if it had reached its length."""
        ...

    def tail(self, cost_usd: str | None) -> bytes:
        """The held back end, to be sent after the settlement is committed."""
        ...


class Dialect(Protocol):
    """One way to write requests and replies."""

    name: str
    path: str
    """Where callers send it, with `{model}` for a part that names the model; empty for a dialect that only providers
    speak."""
    more_paths: tuple[str, ...]
    """Other addresses of the same dialect."""
    operation: Operation
    codec: Codec | None
    """How it is translated; None for one that only passes through."""
    forwarded_headers: frozenset[bytes]
    """Request headers, beside the body, that belong to the dialect and go upstream."""

    def parse(self, body: bytes, target: str = "") -> Request:
        """Read a request that came to `target`, its path and query as they stood in the request line.

        Raises MalformedBody, MissingField, WrongType.
        """
        ...

    def text_bound(self, request: Request) -> int:
        """A tighter bound of the input's tokens than the size of the body; slower to find."""
        ...

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """The body for the provider: its name for the model, an output bound if one must be set, usage asked for."""
        ...

    def read_reply(self, body: bytes) -> ReplyFacts:
        """What a whole reply says of itself. Raises UnreadableReply."""
        ...

    def stream_reader(self, request: Request) -> StreamReader:
        """A reader for the stream that answers `request`."""
        ...

    def error_status(self, error: EnfiladeError) -> int:
        """The HTTP status under which this dialect's SDKs expect the error."""
        ...

    def render_error(self, error: EnfiladeError, request_id: str) -> bytes:
        """An error as a whole reply."""
        ...

    def render_error_event(self, error: EnfiladeError, request_id: str) -> bytes:
        """An error inside a stream."""
        ...

    def limit_headers(self, limits: "LimitHeaders") -> list[tuple[bytes, bytes]]:
        """The headers from which this dialect's SDKs read how much is left."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A dialect whose answers can be kept here and continued."""

    name: str

    def with_input(self, request: Request, items: list[Any]) -> Request:
        """The request with earlier items before its own; its input is then an array, even without any."""
        ...

    def restate(self, reply: bytes, request: Request) -> bytes:
        """A whole reply as its caller must see it: kept by us, whatever the provider was told."""
        ...


class LimitHeaders(msgspec.Struct, gc=False):
    """What is left of the tightest limits: (limit, left, seconds until it is clear)."""

    requests: tuple[int, int, float] | None = None
    tokens: tuple[int, int, float] | None = None
    now_ns: int = 0


class Registry:
    """The dialects by name."""

    def __init__(self, dialects: Iterator[Dialect]) -> None:
        """Collect them."""
        self._by_name = {dialect.name: dialect for dialect in dialects}

    def get(self, name: str) -> Dialect:
        """The dialect of that name."""
        return self._by_name[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._by_name)
