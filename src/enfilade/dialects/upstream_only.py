"""What dialects have in common that only providers speak: callers are translated into them, and none calls in them."""

from typing import Any, NoReturn

from enfilade.core.errors import EnfiladeError, NotFound
from enfilade.core.messages import Completion, Embeddings
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.codec import Codec, Operation, Upstream
from enfilade.dialects.types import LimitHeaders, ReplyFacts, Request, StreamReader


class NotSpoken(NotFound):
    """Nobody can call in this dialect."""

    code = "dialect_not_spoken"
    remedy = "Use one of the documented addresses."


class UpstreamOnly:
    """See `Dialect`. Whoever reaches one of the methods for callers gets an error, not a translation."""

    name: str
    operation: Operation
    codec: Codec | None
    path = ""
    more_paths: tuple[str, ...] = ()
    forwarded_headers: frozenset[bytes] = frozenset()

    def _nobody(self) -> NoReturn:
        message = f"Nobody calls in the dialect {self.name}: only providers speak it."
        raise NotSpoken(message)

    def parse(self, body: bytes, target: str = "") -> Request:
        """See `Dialect.parse`."""
        self._nobody()

    def text_bound(self, request: Request) -> int:
        """See `Dialect.text_bound`."""
        return request.size

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """See `Dialect.render_request`."""
        self._nobody()

    def read_reply(self, body: bytes) -> ReplyFacts:
        """See `Dialect.read_reply`."""
        codec: Any = self.codec
        answer: Completion | Embeddings = codec.read(body, Upstream(""))
        finish = answer.finish if isinstance(answer, Completion) else None
        return ReplyFacts(answer.usage, answer.model or None, finish)

    def stream_reader(self, request: Request) -> StreamReader:
        """See `Dialect.stream_reader`."""
        self._nobody()

    def error_status(self, error: EnfiladeError) -> int:
        """See `Dialect.error_status`."""
        return error.status

    def render_error(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error`."""
        return ENCODER.encode({"message": error.message, "code": error.code, "request_id": request_id})

    def render_error_event(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error_event`."""
        return self.render_error(error, request_id)

    def limit_headers(self, limits: LimitHeaders) -> list[tuple[bytes, bytes]]:
        """See `Dialect.limit_headers`."""
        del limits
        return []
