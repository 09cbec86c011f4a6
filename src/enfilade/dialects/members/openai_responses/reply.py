"""A provider's whole reply in the neutral form."""

from collections.abc import Callable, Iterable
from typing import Any

from enfilade.core.messages import Completion, Finish, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import as_object
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.openai_responses.annotations import read_citations, read_logprobs
from enfilade.dialects.members.openai_responses.carriers import made
from enfilade.dialects.members.openai_responses.tools import ORIGIN
from enfilade.dialects.members.openai_responses.wire import WHOLE, WholeReply, finish_of

SUMMARY_BREAK = "\n\n"
"""Between the parts of a summary, which are one text in the neutral form."""


def read(body: bytes) -> Completion:
    """See `Codec.read`."""
    try:
        reply = WHOLE.decode(body)
    except UNREADABLE as error:
        if (sound := without_nan(body)) is not None:
            return read(sound)
        message = "The provider's reply is not a response."
        raise UnreadableReply(message) from error
    if reply.output is None:
        message = "The provider's reply holds no response."
        raise UnreadableReply(message)
    if reply.status == "failed":
        message = "The provider reports that the response failed."
        raise UnreadableReply(message)
    parts = tuple(part for item in reply.output for part in parts_of(item))
    return Completion(
        reply.id or "",
        reply.model or "",
        int(reply.created_at or 0),
        parts,
        finish(reply, parts),
        reply.reported(),
        service_tier=reply.service_tier,
    )


def finish(reply: WholeReply, parts: Iterable[Part]) -> Finish:
    """Why it ended; a response in which the model declined is a completed one."""
    ended = finish_of(reply.status, reply.incomplete_details, {kind_of(item) for item in reply.output or ()})
    if ended is Finish.STOP and any(isinstance(part, Refusal) for part in parts):
        return Finish.REFUSAL
    return ended


def kind_of(item: dict[str, Any]) -> str:
    """The item's type."""
    return text_of(item, "type")


def parts_of(item: dict[str, Any]) -> list[Part]:
    """What an item of the output holds."""
    return _PARTS.get(kind_of(item), _opaque)(item)


def _message(item: dict[str, Any]) -> list[Part]:
    content = item.get("content")
    entries = content if isinstance(content, list) else []
    return [content_part(as_object(entry)) for entry in entries]


def content_part(entry: dict[str, Any]) -> Part:
    """One part of a message."""
    kind = kind_of(entry)
    if kind == "refusal":
        return Refusal(text_of(entry, "refusal"))
    if kind != "output_text":
        return Opaque(ORIGIN, kind, entry)
    text = text_of(entry, "text")
    return Text(text, citations=read_citations(entry.get("annotations")), logprobs=read_logprobs(entry.get("logprobs")))


def function_call(item: dict[str, Any]) -> ToolCall:
    """A call of a function."""
    return ToolCall(
        text_of(item, "call_id") or text_of(item, "id"),
        text_of(item, "name"),
        text_of(item, "arguments"),
        item_id=text_of(item, "id") or None,
    )


def custom_call(item: dict[str, Any]) -> ToolCall:
    """A call of a tool that takes free text."""
    return ToolCall(
        text_of(item, "call_id") or text_of(item, "id"),
        text_of(item, "name"),
        text_of(item, "input"),
        custom=True,
        item_id=text_of(item, "id") or None,
    )


def reasoning(item: dict[str, Any]) -> Reasoning:
    """Thoughts: their summary, or themselves where a model shows them, and what is sealed."""
    identifier = text_of(item, "id") or None
    seal = made(identifier, item.get("encrypted_content"))
    text = SUMMARY_BREAK.join(_words(item, "summary") or _words(item, "content"))
    return Reasoning(text, seal, redacted=not text and seal is not None, id=identifier)


def _words(item: dict[str, Any], name: str) -> list[str]:
    given = item.get(name)
    return [text_of(as_object(entry), "text") for entry in given] if isinstance(given, list) else []


def text_of(fields: dict[str, Any], name: str) -> str:
    """A field's text, empty for everything else."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _opaque(item: dict[str, Any]) -> list[Part]:
    return [Opaque(ORIGIN, kind_of(item), item)]


_PARTS: dict[str, Callable[[dict[str, Any]], list[Part]]] = {
    "message": _message,
    "function_call": lambda item: [function_call(item)],
    "custom_tool_call": lambda item: [custom_call(item)],
    "reasoning": lambda item: [reasoning(item)],
}
