"""A provider's stream on its way to a caller of another dialect."""

from collections.abc import Iterable

from enfilade.core.happenings import Began, Ended, Failed, Happening, PartGrew, Reported
from enfilade.core.messages import Finish
from enfilade.core.usage import Usage
from enfilade.dialects.codec import EventWriter, StreamDecoder
from enfilade.dialects.translation.restoring import Restorer
from enfilade.dialects.translation.types import Memo
from enfilade.dialects.types import StreamFacts

GIVEN_UP = '{"message":"The model gave up its answer."}'


class TranslatedReader:
    """See `StreamReader`."""

    __slots__ = ("_decoder", "_ended", "_held", "_restorer", "_writer", "facts")

    def __init__(self, decoder: StreamDecoder, memo: Memo, writer: EventWriter) -> None:
        """Read by `decoder`, write by `writer`, undo by `memo` what was done to the question."""
        self.facts = StreamFacts()
        self._decoder = decoder
        self._restorer = Restorer(memo)
        self._writer = writer
        self._ended: Ended | None = None
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """See `StreamReader.feed`. Raises UnreadableReply."""
        if self.facts.done:
            return b""
        written = self._take(self._decoder.feed(data))
        if self._decoder.done:
            self.facts.done = True
        return written

    def _take(self, happenings: Iterable[Happening]) -> bytes:
        facts, written = self.facts, []
        for happening in self._restorer.restore(happenings):
            if isinstance(happening, PartGrew):
                if happening.text:
                    facts.events += 1
                    facts.output_bytes += len(happening.text)
                written.append(self._writer.write(happening))
            elif isinstance(happening, Reported):
                facts.usage = happening.usage
            elif isinstance(happening, Ended):
                if happening.finish is Finish.ERROR:
                    # The model's answer cannot be used, and most dialects have no word for that but an error.
                    facts.error, facts.done = GIVEN_UP, True
                    break
                self._ended = happening
                facts.finish = happening.finish
                facts.service_tier = happening.service_tier
            elif isinstance(happening, Failed):
                facts.error = happening.error
                facts.done = True
                break
            else:
                if isinstance(happening, Began):
                    facts.model = happening.model
                written.append(self._writer.write(happening))
        return b"".join(written)

    def finish(self) -> bool:
        """See `StreamReader.finish`."""
        if self.facts.error is None:
            self._held = self._take(self._decoder.close())
        if self._ended is None or self.facts.error is not None:
            return False
        self.facts.done = True
        return True

    def length_end(self) -> bytes:
        """See `StreamReader.length_end`."""
        return self._end(Ended(Finish.LENGTH), self.facts.usage or Usage(output_tokens=self.facts.events))

    def tail(self, cost_usd: str | None) -> bytes:
        """See `StreamReader.tail`."""
        ended = self._ended or Ended(Finish.ERROR)
        return self._held + self._end(ended, self.facts.usage, cost_usd)

    def _end(self, ended: Ended, usage: Usage | None, cost_usd: str | None = None) -> bytes:
        written = self._writer.end(ended, usage, cost_usd)
        # Writers of answers that can be kept have them whole by now.
        self.facts.whole = getattr(self._writer, "whole", None)
        return written
