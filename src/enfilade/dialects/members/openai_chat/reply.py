"""Whole replies: read from a provider, rendered for a caller."""

from typing import Any

from enfilade.core.happenings import Ended, Happening, Reported
from enfilade.core.messages import Completion, Media, Reasoning, Refusal, Text, ToolCall
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.codec import Upstream
from enfilade.dialects.collecting import Collector
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.openai_chat.assembly import Assembly
from enfilade.dialects.members.openai_chat.assistant import annotations
from enfilade.dialects.members.openai_chat.decode import began
from enfilade.dialects.members.openai_chat.details import POSITION, written_detail
from enfilade.dialects.members.openai_chat.marks import sealed
from enfilade.dialects.members.openai_chat.media import written_image
from enfilade.dialects.members.openai_chat.shapes import REPLY, Said, finish_of, reason_of, usage_of
from enfilade.dialects.members.openai_chat.tools import call_object
from enfilade.dialects.openai.usage import usage_object


def completion_of(body: bytes, upstream: Upstream) -> Completion:
    """A provider's whole reply. Raises UnreadableReply."""
    try:
        reply = REPLY.decode(body)
    except UNREADABLE as error:
        if (sound := without_nan(body)) is not None:
            return completion_of(sound, upstream)
        message = "The provider's reply is not a chat completion."
        raise UnreadableReply(message) from error
    if reply.error or not reply.choices:
        message = "The provider's reply holds no completion."
        raise UnreadableReply(message)
    choice = reply.choices[0]
    assembly = Assembly(upstream.call_id, whole=True)
    assembly.take(choice.message or Said(), choice.logprobs)
    assembly.close()
    stop = choice.stop_reason if isinstance(choice.stop_reason, str) else None
    happened: list[Happening] = [began(reply, upstream), *assembly.happened()]
    if (usage := usage_of(reply.usage, reply.x_groq, reply.model)) is not None:
        happened.append(Reported(usage))
    finish = finish_of(choice.finish_reason, refused=assembly.refused)
    happened.append(Ended(finish, stop, reply.service_tier))
    collector = Collector()
    collector.take(happened)
    return collector.completion()


def rendered(completion: Completion, *, older: bool = False) -> bytes:
    """A completion as a whole reply; `older`: with `function_call` instead of `tool_calls`."""
    message = _message(completion, older=older)
    tokens = [entry for part in completion.parts if isinstance(part, Text) for entry in part.logprobs]
    reason = reason_of(completion.finish, refused="refusal" in message, older=older)
    reply: dict[str, object] = {
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created_s,
        "model": completion.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": {"content": tokens, "refusal": None} if tokens else None,
                "finish_reason": reason,
            }
        ],
    }
    if completion.service_tier is not None:
        reply["service_tier"] = completion.service_tier
    if completion.usage is not None:
        reply["usage"] = usage_object(completion.usage)
    return ENCODER.encode(reply)


def _message(completion: Completion, *, older: bool) -> dict[str, Any]:
    parts = completion.parts
    texts = [part for part in parts if isinstance(part, Text)]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    refusals = [part.text for part in parts if isinstance(part, Refusal)]
    images = [part for part in parts if isinstance(part, Media) and part.kind == "image"]
    content = "".join(part.text for part in texts) if texts or not (calls or refusals) else None
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if refusals:
        message["refusal"] = "".join(refusals)
    if (found := _annotations(texts)) is not None:
        message["annotations"] = found
    _add_reasoning(message, completion)
    if calls and older:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments}
    elif calls:
        message["tool_calls"] = [shown_call(call) for call in calls]
    if images:
        message["images"] = [written_image(part) | {"index": index} for index, part in enumerate(images)]
    seals = [part.seal for part in texts if part.seal is not None]
    if seals:
        message["extra_content"] = sealed(seals[-1])
    return message


def shown_call(call: ToolCall) -> dict[str, Any]:
    """A tool call for the caller."""
    return call_object(call, sealing=True)


def _annotations(texts: list[Text]) -> list[dict[str, Any]] | None:
    if not any(part.citations for part in texts):
        return None
    found: list[dict[str, Any]] = []
    offset = 0
    for part in texts:
        found += annotations(part, offset, len(part.text))
        offset += len(part.text)
    return found


def _add_reasoning(message: dict[str, Any], completion: Completion) -> None:
    entries: list[dict[str, Any]] = []
    words: list[str] = []
    needed = False
    characters = calls = 0
    for part in completion.parts:
        if isinstance(part, Text):
            characters += len(part.text)
        elif isinstance(part, ToolCall):
            calls += 1
        elif isinstance(part, Reasoning):
            needed = needed or needs_entry(part, characters, calls) or bool(entries)
            entries.append(entry(part, len(entries), characters, calls))
            words.append(part.text)
    if any(words):
        message["reasoning_content"] = "".join(words)
    if needed:
        message["reasoning_details"] = entries


def needs_entry(part: Reasoning, characters: int, calls: int) -> bool:
    """Whether the plain text alone would lose something."""
    return part.seal is not None or part.id is not None or bool(characters or calls)


def entry(part: Reasoning, index: int, characters: int, calls: int) -> dict[str, Any]:
    """Reasoning for the caller, with where it stands."""
    # SDKs add up entries of one index, so each has its own.
    detail = written_detail(part, index) | {"index": index}
    if characters or calls:
        detail[POSITION] = [characters, calls]
    return detail
