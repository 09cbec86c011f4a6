"""What Converse takes, and what not with every model."""

import re
from typing import Any

import msgspec

from enfilade.core.messages import Conversation, Message, Part, Reasoning, Thinking
from enfilade.dialects.anthropic.fitting import fit as fit_claude
from enfilade.dialects.bedrock.families import ANTHROPIC, COHERE, MISTRAL, NOVA, OPENAI, caches, family
from enfilade.dialects.codec import Rules, Upstream

ORIGIN = "bedrock"
CLAUDES = "anthropic"
"""Claude's signatures are the same wherever it is served."""
TIERS = frozenset({"priority", "default", "flex", "reserved"})
MAX_METADATA = 16
EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}

_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_TOP_K = frozenset({ANTHROPIC, NOVA, COHERE, MISTRAL})


def fit(question: Conversation, upstream: Upstream) -> tuple[Conversation, tuple[str, ...]]:
    """See `Rules.fit`."""
    model = upstream.model
    dropped: list[str] = []
    tier, metadata = question.service_tier, question.metadata
    changes: dict[str, Any] = {}
    if tier is not None and tier not in TIERS:
        changes["service_tier"] = None
        if tier not in {"auto", "standard"}:
            dropped.append("service_tier")
    if metadata is not None and not _is_taken(metadata):
        changes["metadata"] = None
        if metadata:
            dropped.append("metadata")
    question = msgspec.structs.replace(question, **changes) if changes else question
    question = _without_foreign_thoughts(question, model, dropped)
    if not caches(model):
        question = _without_marks(question, dropped)
    if family(model) == ANTHROPIC:
        maximum, tier = question.max_output_tokens, question.service_tier
        # The tiers are Bedrock's own.
        question, more = fit_claude(msgspec.structs.replace(question, service_tier=None), upstream)
        question = msgspec.structs.replace(question, service_tier=tier)
        if maximum is None and (question.thinking is None or question.thinking.budget_tokens is None):
            # Here a maximum need not be said, and then is the model's own.
            question = msgspec.structs.replace(question, max_output_tokens=None)
        return question, (*dropped, *more)
    return _fit_other(question, model, dropped), tuple(dropped)


def _fit_other(question: Conversation, model: str, dropped: list[str]) -> Conversation:
    changes: dict[str, Any] = {}
    if question.top_k is not None and family(model) not in _TOP_K:
        changes["top_k"] = None
        dropped.append("top_k")
    thinking = question.thinking
    if thinking is not None:
        effort = _effort(thinking)
        if family(model) not in {NOVA, OPENAI} and effort is not None:
            dropped.append("thinking")
            effort = None
        settled = None if effort is None else Thinking(enabled=True, effort=effort)
        if settled != thinking:
            changes["thinking"] = settled
    return msgspec.structs.replace(question, **changes) if changes else question


def _effort(thinking: Thinking) -> str | None:
    """How hard to think, for models that take no budget; None for not at all."""
    if thinking.enabled is False or thinking.effort == "none" or thinking.budget_tokens == 0:
        return None
    if thinking.effort is not None:
        return EFFORTS.get(thinking.effort, "medium")
    if thinking.budget_tokens is not None:
        return "low" if thinking.budget_tokens <= 2048 else "medium" if thinking.budget_tokens <= 8192 else "high"
    return "medium" if thinking.enabled else None


def _is_taken(metadata: dict[str, Any]) -> bool:
    return 1 <= len(metadata) <= MAX_METADATA and all(
        name and isinstance(value, str) and _METADATA.fullmatch(name) and _METADATA.fullmatch(value)
        for name, value in metadata.items()
    )


def _without_foreign_thoughts(question: Conversation, model: str, dropped: list[str]) -> Conversation:
    """Thoughts go back to the maker of the model that had them."""
    claude = family(model) in {ANTHROPIC, None}

    def stays(part: Part) -> bool:
        if not isinstance(part, Reasoning):
            return True
        origin = part.seal.origin if part.seal is not None else ""
        return origin == ORIGIN or (claude and origin == CLAUDES and not part.redacted)

    if all(stays(part) for message in question.messages for part in message.parts):
        return question
    dropped.append("reasoning")
    messages = tuple(
        Message(message.role, tuple(part for part in message.parts if stays(part)), message.name)
        for message in question.messages
    )
    return msgspec.structs.replace(question, messages=messages)


def _without_marks(question: Conversation, dropped: list[str]) -> Conversation:
    """A cache point makes other models refuse the request."""
    if not _is_marked(question):
        return question
    dropped.append("cache")
    messages = tuple(
        Message(message.role, tuple(_unmarked(part) for part in message.parts), message.name)
        for message in question.messages
    )
    return msgspec.structs.replace(
        question,
        messages=messages,
        system=tuple(_unmarked(text) for text in question.system),
        tools=tuple(_unmarked(tool) for tool in question.tools),
    )


def _is_marked(question: Conversation) -> bool:
    parts = [part for message in question.messages for part in message.parts]
    return any(getattr(thing, "cache", None) is not None for thing in (*parts, *question.system, *question.tools))


def _unmarked(thing: Any) -> Any:
    return msgspec.structs.replace(thing, cache=None) if getattr(thing, "cache", None) is not None else thing


RULES = Rules(
    takes=frozenset({"temperature", "top_p", "top_k", "stop", "thinking", "service_tier", "metadata", "tool_choice"}),
    media={
        "image": frozenset({"data"}),
        "document": frozenset({"data", "text"}),
        "video": frozenset({"data"}),
        "audio": frozenset({"data"}),
    },
    result_media=frozenset({"image", "document", "video"}),
    temperature=(0.0, 1.0),
    max_stop=2500,
    blank_stop=False,
    tool_id=r"[a-zA-Z0-9_.:-]{1,64}",
    tool_choices=frozenset({"auto", "required", "named"}),
    response_formats=frozenset({"text", "schema"}),
    seals=frozenset({ORIGIN, CLAUDES}),
    cache_marks=True,
    empty_texts=False,
    fit=fit,
)
