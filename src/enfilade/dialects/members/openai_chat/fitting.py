"""What OpenAI's chat has no place for, and some of the services that speak it have."""

import msgspec

from enfilade.core.messages import Conversation, Media, Message, Part, Reasoning, Role, Thinking, ToolResult
from enfilade.dialects.codec import Upstream
from enfilade.dialects.openai.models import reasons
from enfilade.dialects.traits import Traits

_SAMPLING = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
"""What models that reason refuse to be told."""


def fit(question: Conversation, upstream: Upstream) -> tuple[Conversation, tuple[str, ...]]:
    """The question without what this service has no place for, and the names of that. See `Rules.fit`."""
    dropped: set[str] = set()
    turns = tuple(_turn(message, upstream.traits, dropped) for message in question.messages)
    changes: dict[str, object] = {"messages": turns} if dropped else {}
    if reasons(upstream.model) and not _is_off(question.thinking):
        for name in _SAMPLING:
            if getattr(question, name) is not None:
                dropped.add(name)
                changes[name] = None
    return (msgspec.structs.replace(question, **changes) if changes else question), tuple(sorted(dropped))


def _is_off(thinking: Thinking | None) -> bool:
    return thinking is not None and (thinking.effort == "none" or thinking.enabled is False)


def _turn(message: Message, traits: Traits, dropped: set[str]) -> Message:
    if message.role is Role.ASSISTANT:
        return _said(message, traits, dropped)
    if not any(isinstance(part, ToolResult) and part.is_error for part in message.parts):
        return message
    dropped.add("is_error")
    parts = tuple(
        msgspec.structs.replace(part, is_error=False) if isinstance(part, ToolResult) else part
        for part in message.parts
    )
    return msgspec.structs.replace(message, parts=parts)


def _said(message: Message, traits: Traits, dropped: set[str]) -> Message:
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, Media):
            dropped.add("images")  # The dialect's assistant has words only.
        elif isinstance(part, Reasoning) and not _goes_back(part, traits):
            dropped.add("reasoning")
        else:
            parts.append(part)
    return message if len(parts) == len(message.parts) else msgspec.structs.replace(message, parts=tuple(parts))


def _goes_back(part: Reasoning, traits: Traits) -> bool:
    return (traits.takes_seals and part.seal is not None) or (traits.reasoning_field is not None and bool(part.text))
