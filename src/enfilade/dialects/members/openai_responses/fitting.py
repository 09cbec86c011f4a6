"""What responses have no place for, or not with models that reason."""

import msgspec

from enfilade.core.messages import Conversation, Media, Message, Part, Role, ToolResult
from enfilade.dialects.codec import Upstream
from enfilade.dialects.members.openai_responses.models import may_reason

_SAMPLING = ("temperature", "top_p")


def fit(question: Conversation, upstream: Upstream) -> tuple[Conversation, tuple[str, ...]]:
    """The question without that, and the names of what was left out. See `Rules.fit`."""
    dropped: dict[str, None] = {}
    changes: dict[str, object] = {}
    turns = tuple(_turn(message, dropped) for message in question.messages)
    if dropped:
        changes["messages"] = turns
    if may_reason(upstream.model) and not _is_off(question):
        # These models refuse to be told how to sample.
        for name in _SAMPLING:
            if getattr(question, name) is not None:
                dropped[name] = None
                changes[name] = None
    return (msgspec.structs.replace(question, **changes) if changes else question), tuple(dropped)


def _is_off(question: Conversation) -> bool:
    thinking = question.thinking
    return thinking is not None and (thinking.effort == "none" or thinking.enabled is False)


def _turn(message: Message, dropped: dict[str, None]) -> Message:
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, Media) and message.role is Role.ASSISTANT and (part.kind != "image" or part.data is None):
            dropped["images"] = None  # The assistant's images are those that it made.
        elif isinstance(part, ToolResult) and part.custom and part.is_error:
            dropped["is_error"] = None
            parts.append(msgspec.structs.replace(part, is_error=False))
        else:
            parts.append(part)
    return message if tuple(parts) == message.parts else msgspec.structs.replace(message, parts=tuple(parts))
