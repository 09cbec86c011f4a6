"""A deployment's answer that has begun, and is not yet the caller's."""

import msgspec

from enfilade.dialects.translation.passage import Passage
from enfilade.dialects.types import StreamReader
from enfilade.gateway.admission import Admission
from enfilade.gateway.bounds import Candidate
from enfilade.providers.errors import ProviderError, ProviderFault, StreamFailed
from enfilade.providers.types import Incoming, Provider


class Answer(msgspec.Struct):
    """A deployment has begun to answer."""

    candidate: Candidate
    incoming: Incoming
    passage: Passage
    reader: StreamReader | None = None
    """What reads a stream; it has read the beginning."""
    head: bytes = b""
    """The stream's beginning, for the caller."""


async def begin(admission: Admission, answer: Answer) -> None:
    """Read a stream until there is something for the caller: up to then, another deployment can be tried.

    Raises ProviderError, also when the stream begins with an error.
    """
    reader = answer.reader = answer.passage.stream_reader()
    admission.stream_facts = reader.facts
    try:
        await _read_head(answer, reader)
    except ProviderError:
        if reader.facts.usage is None:
            admission.stream_facts = None  # Nothing tells what it may have cost.
        answer.incoming.abort()
        raise
    except BaseException:
        answer.incoming.abort()
        raise


async def _read_head(answer: Answer, reader: StreamReader) -> None:
    while not (answer.head or reader.facts.done):
        chunk = await answer.incoming.next_chunk()
        if not chunk:
            return
        answer.head = reader.feed(chunk)
    if reader.facts.error is not None and not answer.head:
        provider = answer.candidate.target.provider
        raise reported(reader.facts.error, provider) or _unknown_failure()


def failure_in(said: str, provider: Provider) -> ProviderError:
    """The error that a provider reports inside a stream that the caller has begun to read."""
    known = reported(said, provider)
    # Something was produced before a fault in the middle, so it is not one that cost nothing.
    return _unknown_failure() if known is None or isinstance(known, ProviderFault) else known


def reported(said: str, provider: Provider) -> ProviderError | None:
    """What a provider's words inside a stream mean; None when they tell nothing that we know."""
    return provider.reported_failure(b'{"error":%b}' % said.encode())


def _unknown_failure() -> StreamFailed:
    message = "The provider reported an error while it was answering."
    return StreamFailed(message)


def given_up() -> StreamFailed:
    """The provider ended an answer that cannot be used."""
    message = "The model gave up its answer before it could be used."
    return StreamFailed(message)
