"""What Anthropic's services do not take together, or not with the model.

The maximum of output is what the caller pays for and what is held for it, so a thinking budget that does not fit into
it is lowered; the maximum is raised over the budget only when nobody said one. A tool that must be used, or a turn that
is to be continued, says what the answer has to be, and thinking only how good it gets: where they exclude each other,
thinking goes. Sampling settings only nudge: where they and thinking exclude each other, they go.
"""

from typing import Any

import msgspec

from enfilade.core.messages import Conversation, Reasoning, Role, Text, Thinking, ToolCall, ToolResult
from enfilade.dialects.anthropic.models import Thinks, takes_both_nuclei, takes_sampling, thinks
from enfilade.dialects.codec import Upstream

DEFAULT_MAX_TOKENS = 4096
"""Where nobody says a maximum."""
MIN_BUDGET = 1024
BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 24_576}
"""What an effort means to models that take budgets only. With the default maximum on top, each is within the output of
every such model."""
EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
"""The efforts that exist here; `xhigh` came with generation 4.7."""
DEFAULT_EFFORT = "medium"
TIERS = {
    "auto": "auto",
    "priority": "auto",
    "default": "standard_only",
    "standard": "standard_only",
    "standard_only": "standard_only",
}
_TOP_P_WHILE_THINKING = 0.95


def fit(question: Conversation, upstream: Upstream) -> tuple[Conversation, tuple[str, ...]]:
    """See `Rules.fit`."""
    changes: dict[str, Any] = {}
    dropped: list[str] = []
    way = thinks(upstream.model)
    if question.service_tier is not None and question.service_tier not in TIERS:
        changes["service_tier"] = None
        dropped.append("service_tier")
    thinking = question.thinking
    if thinking is not None:
        thinking = _settled(question, thinking, way)
        if is_on(thinking) and (way is Thinks.NEVER or _excludes_thinking(question, thinking)):
            thinking = None if way is Thinks.NEVER else Thinking(enabled=False)
            dropped.append("thinking")
        if thinking != question.thinking:
            changes["thinking"] = thinking
    for name in _refused_sampling(question, upstream.model, thinking):
        if getattr(question, name) is not None:
            changes[name] = None
            dropped.append(name)
    _fit_maximum(question, thinking, changes)
    return (msgspec.structs.replace(question, **changes) if changes else question), tuple(dropped)


def is_on(thinking: Thinking | None) -> bool:
    """Whether the model is told to think."""
    return thinking is not None and bool(thinking.enabled)


def _settled(question: Conversation, thinking: Thinking, way: Thinks) -> Thinking:
    """On or off, with a budget or an effort, as the model takes it."""
    effort, budget = thinking.effort, thinking.budget_tokens
    if thinking.enabled is False or effort == "none" or budget == 0:
        return Thinking(enabled=False, effort=EFFORTS.get(effort or "") if way is not Thinks.BUDGET else None)
    if thinking.enabled is None and effort is None and budget is None:
        return Thinking()  # Only how thoughts are to be shown: nobody asked for any.
    if way is Thinks.ADAPTIVE:
        effort = EFFORTS.get(effort or "") or (None if budget is None else _effort_of(budget))
        budget = None
    elif way is Thinks.BUDGET:
        budget = BUDGETS.get(effort or DEFAULT_EFFORT, BUDGETS[DEFAULT_EFFORT]) if budget is None else budget
        effort = None
    elif effort is not None:
        effort = "high" if effort == "xhigh" else EFFORTS.get(effort)
    if budget is not None:
        budget = max(budget, MIN_BUDGET)
        most = question.max_output_tokens
        if most is not None and budget >= most:
            # A quarter is left for the answer.
            budget = max(MIN_BUDGET, most * 3 // 4)
    shown = thinking.shown if thinking.shown is not None or thinking.summary is None else True
    return Thinking(enabled=True, effort=effort, budget_tokens=budget, shown=shown)


def _effort_of(budget: int) -> str:
    for effort in ("low", "medium", "high"):
        if budget <= BUDGETS[effort]:
            return effort
    return "xhigh"


def _excludes_thinking(question: Conversation, thinking: Thinking) -> bool:
    choice = question.tool_choice
    if choice is not None and choice.mode in {"required", "named"}:
        return True
    if thinking.budget_tokens is not None:
        if question.max_output_tokens is not None and question.max_output_tokens <= thinking.budget_tokens:
            return True  # Even the least budget leaves no room.
        if _lacks_thoughts(question):
            return True
    last = question.messages[-1] if question.messages else None
    return last is not None and last.role is Role.ASSISTANT and isinstance(last.parts[-1] if last.parts else None, Text)


def _lacks_thoughts(question: Conversation) -> bool:
    """Whether a loop of tools is open that began without thoughts; with a budget, its last turn must begin with some.

    Adaptive thinking does not ask for that.
    """
    for message in reversed(question.messages):
        if message.role is Role.ASSISTANT:
            calls = any(isinstance(part, ToolCall) for part in message.parts)
            first = message.parts[0] if message.parts else None
            return calls and not (isinstance(first, Reasoning) and first.seal is not None)
        if not any(isinstance(part, ToolResult) for part in message.parts):
            return False
    return False


def _refused_sampling(question: Conversation, model: str, thinking: Thinking | None) -> list[str]:
    temperature, top_p = question.temperature, question.top_p
    if not takes_sampling(model):
        return ["temperature", "top_p", "top_k"]
    refused: list[str] = []
    if is_on(thinking):
        refused = ["top_k"]
        if temperature != 1:
            refused.append("temperature")
        if top_p is not None and not _TOP_P_WHILE_THINKING <= top_p <= 1:
            refused.append("top_p")
    elif temperature is not None and top_p is not None and not takes_both_nuclei(model):
        refused = ["top_p"]
    return refused


def _fit_maximum(question: Conversation, thinking: Thinking | None, changes: dict[str, Any]) -> None:
    if question.max_output_tokens is None:
        budget = thinking.budget_tokens if thinking is not None else None
        changes["max_output_tokens"] = DEFAULT_MAX_TOKENS + (budget or 0)
