"""The dialect as the line sees it."""

from collections.abc import Mapping
from typing import Any

from enfilade.core.messages import Completion, Conversation
from enfilade.dialects.codec import EventWriter, Operation, Upstream
from enfilade.dialects.members.bedrock_converse.decode import ConverseDecoder
from enfilade.dialects.members.bedrock_converse.reply import read_reply
from enfilade.dialects.members.bedrock_converse.rules import ORIGIN, RULES
from enfilade.dialects.members.bedrock_converse.write import write_question
from enfilade.dialects.types import Request
from enfilade.dialects.upstream_only import NotSpoken, UpstreamOnly

NOBODY = "Nobody calls in the dialect bedrock_converse: only providers speak it."


class ConverseCodec:
    """See `StreamingCodec`."""

    rules = RULES
    origin = ORIGIN
    field_names: Mapping[str, str] = {}

    def question(self, request: Request) -> Conversation:
        """See `Codec.question`."""
        raise NotSpoken(NOBODY)

    def write(self, question: Conversation, upstream: Upstream) -> bytes:
        """See `Codec.write`."""
        return write_question(question, upstream)

    def read(self, body: bytes, upstream: Upstream) -> Completion:
        """See `Codec.read`."""
        return read_reply(body, upstream)

    def render(self, answer: Completion, asked: Any) -> bytes:
        """See `Codec.render`."""
        raise NotSpoken(NOBODY)

    def decoder(self, upstream: Upstream) -> ConverseDecoder:
        """See `StreamingCodec.decoder`."""
        return ConverseDecoder(upstream)

    def writer(self, asked: Any, call_id: str, created_s: int) -> EventWriter:
        """See `StreamingCodec.writer`."""
        raise NotSpoken(NOBODY)


class BedrockConverse(UpstreamOnly):
    """See `Dialect`."""

    name = "bedrock_converse"
    operation = Operation.GENERATE
    codec = ConverseCodec()
