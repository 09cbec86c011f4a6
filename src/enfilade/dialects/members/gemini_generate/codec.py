"""Gemini's half of every translation."""

from collections.abc import Mapping

from enfilade.core.messages import Completion, Conversation
from enfilade.dialects.codec import Rules, Upstream
from enfilade.dialects.gemini.contents import ORIGIN
from enfilade.dialects.gemini.question import FIELD_NAMES, read_conversation
from enfilade.dialects.gemini.rules import RULES
from enfilade.dialects.gemini.write import encoded, write_request
from enfilade.dialects.members.gemini_generate.decode import ContentDecoder
from enfilade.dialects.members.gemini_generate.events import ContentWriter
from enfilade.dialects.members.gemini_generate.reply import read_completion, render_completion
from enfilade.dialects.types import Request


class GenerateCodec:
    """See `StreamingCodec`. The model and the wish for a stream stand in the address, which the adapter makes."""

    rules: Rules = RULES
    origin: str = ORIGIN
    field_names: Mapping[str, str] = FIELD_NAMES

    def question(self, request: Request) -> Conversation:
        """See `Codec.question`."""
        return read_conversation(request.fields)

    def write(self, question: Conversation, upstream: Upstream) -> bytes:
        """See `Codec.write`."""
        return encoded(write_request(question, upstream))

    def read(self, body: bytes, upstream: Upstream) -> Completion:
        """See `Codec.read`."""
        return read_completion(body, upstream)

    def render(self, answer: Completion, asked: Request) -> bytes:
        """See `Codec.render`."""
        del asked
        return render_completion(answer)

    def decoder(self, upstream: Upstream) -> ContentDecoder:
        """See `StreamingCodec.decoder`."""
        return ContentDecoder(upstream)

    def writer(self, asked: Request, call_id: str, created_s: int) -> ContentWriter:
        """See `StreamingCodec.writer`."""
        del created_s
        return ContentWriter(call_id, as_array=asked.as_array)


CODEC = GenerateCodec()
