"""What dialects have in common whose answers are never streamed: embeddings, and counts of tokens."""

from enfilade.core.errors import InternalError
from enfilade.dialects.types import Request, StreamReader


class Unstreamed:
    """See `Dialect`."""

    name: str = ""

    def stream_reader(self, request: Request) -> StreamReader:
        """Never called: no request that `parse` has read wants a stream."""
        raise InternalError(f"{self.name} has no streams")
