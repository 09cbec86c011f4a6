"""How Anthropic messages are translated."""

from collections.abc import Mapping

from enfilade.core.messages import Completion, Conversation
from enfilade.dialects.anthropic.carriers import ORIGIN
from enfilade.dialects.anthropic.question import FIELD_NAMES, read_question
from enfilade.dialects.anthropic.write import RULES, write_question
from enfilade.dialects.codec import Upstream
from enfilade.dialects.members.anthropic_messages.decode import MessageDecoder
from enfilade.dialects.members.anthropic_messages.events import MessageWriter
from enfilade.dialects.members.anthropic_messages.reply import read_reply, render_reply
from enfilade.dialects.types import Request


class MessagesCodec:
    """See `StreamingCodec`."""

    rules = RULES
    origin = ORIGIN
    field_names: Mapping[str, str] = FIELD_NAMES

    def question(self, request: Request) -> Conversation:
        """See `Codec.question`."""
        return read_question(request.fields, request.max_output)

    def write(self, question: Conversation, upstream: Upstream) -> bytes:
        """See `Codec.write`."""
        return write_question(question, upstream)

    def read(self, body: bytes, upstream: Upstream) -> Completion:
        """See `Codec.read`."""
        del upstream
        return read_reply(body)

    def render(self, answer: Completion, asked: Request) -> bytes:
        """See `Codec.render`."""
        del asked
        return render_reply(answer)

    def decoder(self, upstream: Upstream) -> MessageDecoder:
        """See `StreamingCodec.decoder`."""
        del upstream
        return MessageDecoder()

    def writer(self, asked: Request, call_id: str, created_s: int) -> MessageWriter:
        """See `StreamingCodec.writer`."""
        del created_s  # Messages do not say when they were made.
        return MessageWriter(asked.model, call_id)


CODEC = MessagesCodec()
