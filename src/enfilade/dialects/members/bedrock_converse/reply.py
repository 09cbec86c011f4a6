"""A whole reply of Converse, and what its parts share with those of a stream."""

from typing import Any

import msgspec

from enfilade.core.messages import Completion, Finish, Part, Reasoning, Sealed, Text, ToolCall
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bedrock.families import ANTHROPIC, family
from enfilade.dialects.bedrock.usage import converse_usage
from enfilade.dialects.bodies import NOTHING
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.json_text import text_in_reply, without_nan
from enfilade.dialects.members.bedrock_converse.rules import CLAUDES, ORIGIN

FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "tool_use": Finish.TOOL_CALLS,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "guardrail_intervened": Finish.CONTENT_FILTER,
    "content_filtered": Finish.CONTENT_FILTER,
    "malformed_model_output": Finish.ERROR,
    "malformed_tool_use": Finish.ERROR,
}
HOSTED = "server_tool_use"


class Tier(msgspec.Struct, gc=False):
    """How the call was served."""

    type: str | None = None


class ToolUse(msgspec.Struct, rename="camel", gc=False):
    """A call of a tool; one of a tool that the service runs itself has a type."""

    tool_use_id: str
    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")
    type: str | None = None


class ReasoningText(msgspec.Struct, gc=False):
    """Thoughts."""

    text: str = ""
    signature: str | None = None


class ReasoningContent(msgspec.Struct, rename="camel", gc=False):
    """Thoughts, or their sealed form."""

    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class Words(msgspec.Struct, gc=False):
    """A piece of a cited text."""

    text: str = ""


class CitationsContent(msgspec.Struct, gc=False):
    """A text with its sources."""

    content: list[Words] = []
    citations: list[dict[str, Any]] = []


class ContentBlock(msgspec.Struct, rename="camel", gc=False):
    """One of these."""

    text: str | None = None
    tool_use: ToolUse | None = None
    reasoning_content: ReasoningContent | None = None
    citations_content: CitationsContent | None = None


class ReplyMessage(msgspec.Struct, gc=False):
    """The assistant's turn."""

    content: list[ContentBlock]


class Output(msgspec.Struct, gc=False):
    """What holds it."""

    message: ReplyMessage


class ConverseReply(msgspec.Struct, rename="camel", gc=False):
    """As much of a reply as we act on."""

    output: Output
    stop_reason: str | None = None
    usage: msgspec.Raw = NOTHING
    service_tier: Tier | None = None
    additional_model_response_fields: Any = None


_REPLY = msgspec.json.Decoder(ConverseReply)


def read_reply(body: bytes, upstream: Upstream) -> Completion:
    """The completion. Raises UnreadableReply."""
    try:
        reply = _REPLY.decode(body)
    except UNREADABLE as error:
        if (sound := without_nan(body)) is not None:
            return read_reply(sound, upstream)
        message = "The provider's reply is no reply of Converse."
        raise UnreadableReply(message) from error
    parts = [part for block in reply.output.message.content for part in _parts(block, upstream.model)]
    return Completion(
        id=upstream.call_id,
        model=upstream.model,
        created_s=0,
        parts=tuple(parts),
        finish=FINISHES.get(reply.stop_reason or "", Finish.STOP),
        usage=converse_usage(reply.usage, upstream.model),
        stop_sequence=stop_sequence(reply.additional_model_response_fields),
        service_tier=reply.service_tier.type if reply.service_tier is not None else None,
    )


def stop_sequence(fields: Any) -> str | None:
    """The stop sequence that ended the answer, where the model says so."""
    found = fields.get("stop_sequence") if isinstance(fields, dict) else None
    return found if isinstance(found, str) else None


def signature_origin(model: str) -> str:
    """Whose signatures the model's thoughts carry."""
    return CLAUDES if family(model) in {ANTHROPIC, None} else ORIGIN


def _parts(block: ContentBlock, model: str) -> list[Part]:
    """What the block says; nothing for one that nobody is shown."""
    if block.text is not None:
        return [Text(block.text)]
    if block.tool_use is not None:
        call = block.tool_use
        # A tool that the service runs has been run: it must not look like one for the caller.
        return [] if call.type == HOSTED else [ToolCall(call.tool_use_id, call.name, text_in_reply(call.input))]
    if block.citations_content is not None:
        cited = block.citations_content
        text = "".join(piece.text for piece in cited.content)
        return [Text(text, citations=tuple(citation(entry) for entry in cited.citations))]
    return [] if block.reasoning_content is None else [_thoughts(block.reasoning_content, model)]


def _thoughts(thoughts: ReasoningContent, model: str) -> Reasoning:
    if thoughts.redacted_content is not None:
        return Reasoning(seal=Sealed(ORIGIN, thoughts.redacted_content), redacted=True)
    said = thoughts.reasoning_text or ReasoningText()
    return Reasoning(said.text, Sealed(signature_origin(model), said.signature) if said.signature else None)


def citation(entry: dict[str, Any]) -> dict[str, Any]:
    """A citation in the neutral form."""
    location = entry.get("location")
    web = location.get("web") if isinstance(location, dict) else None
    pieces = entry.get("sourceContent")
    cited = [piece["text"] for piece in pieces if "text" in piece] if isinstance(pieces, list) else []
    found = {
        "url": web.get("url") if isinstance(web, dict) else None,
        "title": entry.get("title"),
        "cited_text": "".join(map(str, cited)) or None,
    }
    return {name: value for name, value in found.items() if isinstance(value, str)}
