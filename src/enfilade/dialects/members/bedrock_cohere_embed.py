"""Embeddings by Cohere, through Bedrock's InvokeModel.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html. How many tokens there were,
Bedrock says in a header; the adapter puts it into the body as `inputTextTokenCount`, where Titan has it.
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

TASKS = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
    "similarity": "clustering",
}
UNSAID = "search_document"
THIRD = "embed-english-v3", "embed-multilingual-v3"
"""They have one size of embeddings."""


class ByType(msgspec.Struct):
    """The vectors of each type that was asked for."""

    float: list[list[float]]


class CohereReply(msgspec.Struct, rename="camel"):
    """As much of a reply as we act on: the vectors by their type where a type was asked for, else alone."""

    embeddings: ByType | list[list[float]]
    input_text_token_count: msgspec.Raw = NOTHING


_REPLY = msgspec.json.Decoder(CohereReply)


class CohereCodec(EmbeddingCodec):
    """See `Codec`."""

    rules = Rules(takes=frozenset({"task", "dimensions"}))

    def write(self, question: Question, upstream: Upstream) -> bytes:
        """See `Codec.write`. Raises NotTranslatable."""
        task = question.task
        body: dict[str, Any] = {
            "texts": list(question.inputs),
            "input_type": UNSAID if task is None else TASKS.get(task, task),
            "embedding_types": ["float"],
        }
        if question.dimensions is not None:
            if any(name in upstream.model for name in THIRD):
                message = f"{upstream.model} has one size of embeddings; `dimensions` must be left out."
                raise NotTranslatable(message, param="dimensions")
            body["output_dimension"] = question.dimensions
        return ENCODER.encode(body)

    def read(self, body: bytes, upstream: Upstream) -> Embeddings:
        """See `Codec.read`."""
        reply = decoded(_REPLY, body)
        found = reply.embeddings
        vectors = found.float if isinstance(found, ByType) else found
        usage = invoked_usage(reply.input_text_token_count)
        return Embeddings(tuple(tuple(vector) for vector in vectors), upstream.model, usage)


class BedrockCohereEmbed(UpstreamOnly):
    """See `Dialect`."""

    name = "bedrock_cohere_embed"
    operation = Operation.EMBED
    codec = CohereCodec()


DIALECT = BedrockCohereEmbed()
