"""Whole replies, read and written."""

from typing import Any

from enfilade.core.messages import (
    Completion,
    Finish,
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Sealed,
    Text,
    ToolCall,
)
from enfilade.dialects.bodies import ENCODER, is_given
from enfilade.dialects.codec import Upstream
from enfilade.dialects.collecting import Collector
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.gemini.contents import DIALECT, UNPARSED
from enfilade.dialects.gemini.media import media_part
from enfilade.dialects.gemini.usage import usage_object
from enfilade.dialects.json_text import arguments_object
from enfilade.dialects.members.gemini_generate.decode import Parts, decoded
from enfilade.dialects.members.gemini_generate.evidence import citation_metadata, logprobs_result
from enfilade.dialects.members.gemini_generate.wire import FINISH_REASONS, Chunk, Consumption, finish_of, is_blocked
from enfilade.dialects.types import ReplyFacts


def checked(body: bytes) -> Chunk:
    """A reply that answers. Raises UnreadableReply."""
    chunk = decoded(body)
    if is_given(chunk.error) or (chunk.candidates is None and chunk.prompt_feedback is None):
        message = "The provider's reply holds no candidates."
        raise UnreadableReply(message)
    return chunk


def read_facts(body: bytes) -> ReplyFacts:
    """What a reply says of itself. Raises UnreadableReply."""
    chunk = checked(body)
    finish = None
    for candidate in chunk.candidates or ():
        parts = (candidate.content.parts if candidate.content is not None else None) or ()
        calls = any(part.function_call is not None for part in parts)
        finish = finish or finish_of(candidate.finish_reason, calls=calls)
    if is_blocked(chunk):
        finish = Finish.CONTENT_FILTER
    return ReplyFacts(Consumption().take(chunk), chunk.model_version, finish)


def read_completion(body: bytes, upstream: Upstream) -> Completion:
    """The whole answer. Raises UnreadableReply."""
    chunk = checked(body)
    parts, collector = Parts(upstream), Collector()
    collector.take(parts.take(chunk, body))
    collector.take(parts.close())
    return collector.completion()


def render_completion(completion: Completion) -> bytes:
    """A completion as a whole reply."""
    candidate: dict[str, Any] = {
        "content": {"parts": [entry for part in completion.parts if (entry := part_object(part))], "role": "model"},
        "finishReason": FINISH_REASONS[completion.finish],
        "index": 0,
    }
    texts = [part for part in completion.parts if isinstance(part, Text)]
    candidate |= evidence_fields(texts)
    reply: dict[str, Any] = {"candidates": [candidate]}
    if completion.usage is not None:
        reply["usageMetadata"] = usage_object(completion.usage)
    return ENCODER.encode(reply | {"modelVersion": completion.model, "responseId": completion.id})


def evidence_fields(texts: list[Text]) -> dict[str, Any]:
    """What a candidate says beside its parts."""
    fields: dict[str, Any] = {}
    citations = [entry for text in texts for entry in text.citations]
    if citations and (metadata := citation_metadata(citations, "".join(text.text for text in texts))):
        fields["citationMetadata"] = metadata
    if logprobs := [entry for text in texts for entry in text.logprobs]:
        fields["logprobsResult"] = logprobs_result(logprobs)
    return fields


def part_object(part: Part) -> dict[str, Any] | None:
    """A part as a caller gets it; nothing for what has a meaning only in another dialect."""
    entry: dict[str, Any]
    if isinstance(part, Text | Refusal):
        entry = {"text": part.text}
    elif isinstance(part, Reasoning):
        entry = {"text": part.text, "thought": True}
    elif isinstance(part, ToolCall):
        entry = {"functionCall": {"id": part.id, "name": part.name, "args": arguments_object(part.arguments, UNPARSED)}}
    elif isinstance(part, Media):
        entry = media_part(part)
    elif isinstance(part, Opaque) and part.origin == DIALECT:
        return part.value
    else:
        return None
    return sealed(entry, part)


def sealed(entry: dict[str, Any], part: Part) -> dict[str, Any]:
    """A part's object with its signature, if it has one."""
    seal: Sealed | None = getattr(part, "seal", None)
    if seal is not None:
        entry["thoughtSignature"] = seal.value
    return entry
