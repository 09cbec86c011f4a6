"""What Gemini's dialects that are neither streamed nor completions have alike."""

from enfilade.core.errors import EnfiladeError, InternalError
from enfilade.core.messages import Completion
from enfilade.dialects.gemini import errors
from enfilade.dialects.types import LimitHeaders, Request, StreamReader, StreamWriter


class Unstreamed:
    """Their errors, and the methods that nobody calls."""

    name = ""
    forwarded_headers: frozenset[bytes] = frozenset()

    def stream_reader(self, request: Request) -> StreamReader:
        """Never called: there are no such addresses."""
        raise InternalError(f"{self.name} has no streams")

    def stream_writer(self, completion: Completion) -> StreamWriter:
        """Never called: there are no such addresses."""
        raise InternalError(f"{self.name} has no streams")

    def render_completion(self, completion: Completion) -> bytes:
        """Never called: the answer is no completion."""
        raise InternalError(f"{self.name} has no completions")

    def error_status(self, error: EnfiladeError) -> int:
        """See `Dialect.error_status`."""
        return error.status

    render_error = staticmethod(errors.render_error)
    render_error_event = staticmethod(errors.render_error_event)

    def limit_headers(self, limits: LimitHeaders) -> list[tuple[bytes, bytes]]:
        """See `Dialect.limit_headers`: Google has none."""
        del limits
        return []
