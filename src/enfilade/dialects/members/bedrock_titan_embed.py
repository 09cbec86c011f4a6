"""Embeddings by Amazon Titan, through Bedrock's InvokeModel.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html.
"""

from typing import Any

import msgspec

from enfilade.core.messages import Embeddings, Question
from enfilade.dialects.bedrock.embedding import EmbeddingCodec, decoded
from enfilade.dialects.bedrock.usage import invoked_usage
from enfilade.dialects.bodies import ENCODER, NOTHING
from enfilade.dialects.codec import Operation, Rules, Upstream
from enfilade.dialects.errors import NotTranslatable
from enfilade.dialects.upstream_only import UpstreamOnly

FIRST = "titan-embed-text-v1"
"""It knows nothing but the text."""


class TitanReply(msgspec.Struct, rename="camel"):
    """As much of a reply as we act on."""

    embedding: list[float]
    input_text_token_count: msgspec.Raw = NOTHING


_REPLY = msgspec.json.Decoder(TitanReply)


class TitanCodec(EmbeddingCodec):
    """See `Codec`."""

    rules = Rules(takes=frozenset({"dimensions"}))

    def write(self, question: Question, upstream: Upstream) -> bytes:
        """See `Codec.write`. Raises NotTranslatable."""
        if len(question.inputs) != 1:
            message = "Titan makes the embedding of one text at a time; `input` must be one text."
            raise NotTranslatable(message, param="input")
        body: dict[str, Any] = {"inputText": question.inputs[0]}
        if question.dimensions is not None:
            if FIRST in upstream.model:
                message = f"{upstream.model} has one size of embeddings; `dimensions` must be left out."
                raise NotTranslatable(message, param="dimensions")
            body["dimensions"] = question.dimensions
        return ENCODER.encode(body)

    def read(self, body: bytes, upstream: Upstream) -> Embeddings:
        """See `Codec.read`."""
        reply = decoded(_REPLY, body)
        usage = invoked_usage(reply.input_text_token_count)
        return Embeddings((tuple(reply.embedding),), upstream.model, usage)


class BedrockTitanEmbed(UpstreamOnly):
    """See `Dialect`."""

    name = "bedrock_titan_embed"
    operation = Operation.EMBED
    codec = TitanCodec()


DIALECT = BedrockTitanEmbed()
