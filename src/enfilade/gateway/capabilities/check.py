"""What a request asks of a model that the model cannot do, found before anything is reserved or sent."""

from collections.abc import Sequence

from enfilade.core.errors import EnfiladeError
from enfilade.core.messages import Conversation, Media, ToolResult
from enfilade.gateway.capabilities.known import ABILITIES
from enfilade.gateway.errors import CapabilityMissing
from enfilade.gateway.types import Call, Target

TELLING = frozenset(
    {
        "tools",
        "functions",
        "response_format",
        "reasoning_effort",
        "thinking",
        "output_config",
        "output_format",
        "text",
        "reasoning",
        "generationConfig",
        "generation_config",
    }
)
"""Fields, of any dialect, without which a request that holds no media asks for nothing particular."""


def able(call: Call, targets: Sequence[Target]) -> list[Target]:
    """Those targets that can do what is asked. Raises CapabilityMissing when there are none.

    Only those are looked at that speak the caller's dialect: for others, the translation knows what the model lacks.
    """
    if all(target.lacks.isdisjoint(ABILITIES) for target in targets) or not _may_ask(call):
        return list(targets)
    try:
        asked = _abilities(call.asking().neutral())
    except EnfiladeError:
        return list(targets)  # The provider decides what is wrong with it.
    fit, missing = [], None
    for target in targets:
        lacking = asked & target.lacks if call.dialect.name in target.dialects else frozenset()
        if lacking:
            missing = missing or min(lacking)
        else:
            fit.append(target)
    if not fit:
        message = f"The model {call.request.model!r} has not the capability {missing!r}, which the request needs."
        raise CapabilityMissing(message, param=missing)
    return fit


def _may_ask(call: Call) -> bool:
    request = call.request
    return call.dialect.codec is not None and (request.media > 0 or not TELLING.isdisjoint(request.fields))


def _abilities(question: object) -> frozenset[str]:
    """What a model has to be able to do."""
    if not isinstance(question, Conversation):
        return frozenset()
    asked = {f"{kind}s" if kind != "audio" else kind for kind in _media_kinds(question)}
    if question.tools:
        asked.add("tools")
    if question.response_format is not None and question.response_format.kind == "schema":
        asked.add("json_schema")
    thinking = question.thinking
    if thinking is not None and (thinking.enabled or thinking.budget_tokens or thinking.effort not in {None, "none"}):
        asked.add("reasoning")
    return frozenset(asked)


def _media_kinds(question: Conversation) -> set[str]:
    kinds = set()
    for message in question.messages:
        for part in message.parts:
            if isinstance(part, Media):
                kinds.add(part.kind)
            elif isinstance(part, ToolResult):
                kinds.update(piece.kind for piece in part.content if isinstance(piece, Media))
    return kinds
