"""A Conversation as a request to Google."""

from collections.abc import Iterable
from typing import Any

from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Sealed,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.codec import Upstream
from enfilade.dialects.gemini.contents import COUNTED_CALL, DIALECT, ORIGIN, UNPARSED
from enfilade.dialects.gemini.media import media_part
from enfilade.dialects.gemini.results import response_object
from enfilade.dialects.gemini.tools import write_choice, write_tools
from enfilade.dialects.json_text import arguments_object

INVENTED = "gem_"
"""How ids of calls begin that we made because Google gave none; see `reply`. Google never sees them."""
PLACEHOLDER = "skip_thought_signature_validator"
"""Google's own word, documented under "thought signatures", for calls that another model made: those that validate
signatures refuse a step of calls whose first one has none."""
_OLDER = ("gemini-1", "gemini-2", "gemma", "learnlm")
"""Models that neither validate signatures nor know thinking levels nor take media within results."""


def is_older(model: str) -> bool:
    """Whether the model is from before Gemini 3."""
    return any(family in model for family in _OLDER)


def write_request(question: Conversation, upstream: Upstream) -> dict[str, Any]:
    """The body, but for what stands in the address."""
    body: dict[str, Any] = {"contents": _Writer(question, upstream).contents()}
    if question.system:
        body["systemInstruction"] = {"parts": [{"text": text.text} for text in question.system]}
    if question.tools:
        body["tools"] = write_tools(question.tools)
        if question.tool_choice is not None and any(tool.hosted is None for tool in question.tools):
            body["toolConfig"] = write_choice(question.tool_choice)
    if config := _config(question, upstream):
        body["generationConfig"] = config
    if question.service_tier in {"flex", "priority"}:
        body["serviceTier"] = question.service_tier
    elif question.service_tier in {"default", "standard"}:
        body["serviceTier"] = "standard"
    return body


_PLAIN = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_output_tokens": "maxOutputTokens",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}


def _config(question: Conversation, upstream: Upstream) -> dict[str, Any]:
    config = {name: value for field, name in _PLAIN.items() if (value := getattr(question, field)) is not None}
    if question.stop:
        config["stopSequences"] = list(question.stop)
    if question.logprobs is not None:
        config["responseLogprobs"] = True
        if question.logprobs:
            config["logprobs"] = question.logprobs
    if question.response_format is not None and question.response_format.kind != "text":
        config["responseMimeType"] = "application/json"
        if question.response_format.schema is not None:
            # Not `responseSchema`, for the reason that `tools` gives.
            config["responseJsonSchema"] = question.response_format.schema
    if question.modalities:
        config["responseModalities"] = ["TEXT", *(word.upper() for word in question.modalities if word != "text")]
    if question.thinking is not None and (thinking := thinking_config(question.thinking, upstream.model)):
        config["thinkingConfig"] = thinking
    if resolution := _resolution(question.messages):
        config["mediaResolution"] = resolution
    return config


_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
"""Thinking budgets for models that take no level: those of Google's own OpenAI-compatible API."""
_LEVELS = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}


def thinking_config(thinking: Thinking, model: str) -> dict[str, Any]:
    """Budgets for older models, levels for those that came after."""
    config = _budget(thinking) if is_older(model) else _level(thinking, model)
    if thinking.is_shown is not None:
        config["includeThoughts"] = thinking.is_shown
    return config


def _budget(thinking: Thinking) -> dict[str, Any]:
    if thinking.enabled is False:
        return {"thinkingBudget": 0}
    if thinking.budget_tokens is not None:
        return {"thinkingBudget": thinking.budget_tokens}
    if thinking.effort is not None:
        return {"thinkingBudget": _BUDGETS.get(thinking.effort, -1)}
    return {"thinkingBudget": -1} if thinking.enabled else {}


def _level(thinking: Thinking, model: str) -> dict[str, Any]:
    effort = thinking.effort
    if thinking.enabled is False:
        effort = "none"
    elif effort is None and thinking.budget_tokens is not None:
        effort = "low" if thinking.budget_tokens < 4096 else "medium" if thinking.budget_tokens < 16384 else "high"
    if effort is None:
        return {}
    # The larger models cannot be told to think less than a little, and none to think not at all.
    least = "LOW" if "pro" in model else "MINIMAL"
    return {"thinkingLevel": _LEVELS.get(effort, least)}


def _resolution(messages: Iterable[Message]) -> str | None:
    """The resolution for all media, when all images ask for the same: for a single one it cannot be told everywhere."""
    details = {
        part.detail
        for message in messages
        for part in message.parts
        if isinstance(part, Media) and part.kind == "image"
    }
    return (
        {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}.get(str(details.pop()))
        if len(details) == 1
        else None
    )


class _Writer:
    """Writes the turns of one question."""

    def __init__(self, question: Conversation, upstream: Upstream) -> None:
        self._messages = question.messages
        self._older = is_older(upstream.model)
        self._names = {
            part.id: part.name for message in question.messages for part in message.parts if isinstance(part, ToolCall)
        }
        self._shown: set[str] = set()
        """Ids that Google gave, and gets back."""
        self._order: dict[str, int] = {}
        """The calls of the latest model turn, by their places: their results stand in their order."""

    def contents(self) -> list[dict[str, Any]]:
        """All turns; Google wants a user's first, and the results of one turn's calls in one."""
        found: list[dict[str, Any]] = []
        for role, parts in self._turns():
            written = self._assistant(parts) if role == "model" else self._user(parts)
            if written:
                found.append({"role": role, "parts": written})
        if not found or found[0]["role"] == "model":
            found.insert(0, {"role": "user", "parts": [{"text": ""}]})
        return found

    def _turns(self) -> list[tuple[str, list[Part]]]:
        turns: list[tuple[str, list[Part]]] = []
        for message in self._messages:
            role = "model" if message.role is Role.ASSISTANT else "user"
            before = turns[-1] if turns else None
            if before is not None and before[0] == role and (role == "model" or _answers(before[1], message.parts)):
                before[1].extend(message.parts)
            else:
                turns.append((role, list(message.parts)))
        return turns

    def _assistant(self, parts: list[Part]) -> list[dict[str, Any]]:
        calls = [part for part in parts if isinstance(part, ToolCall)]
        self._order = {call.id: place for place, call in enumerate(calls)}
        if any(_signature(part) for part in parts):
            self._shown.update(call.id for call in calls if not call.id.startswith((INVENTED, COUNTED_CALL)))
        written = [entry for part in parts if (entry := self._said(part)) is not None]
        if calls and not self._older:
            first = next(entry for entry in written if "functionCall" in entry)
            first.setdefault("thoughtSignature", PLACEHOLDER)
        return written

    def _said(self, part: Part) -> dict[str, Any] | None:
        entry: dict[str, Any] | None = None
        signature = _signature(part)
        if isinstance(part, Text | Refusal):
            entry = {"text": part.text} if part.text or signature else None
        elif isinstance(part, Reasoning):
            # Thoughts without a signature are a summary for people: Google reads nothing from them.
            entry = {"text": part.text, "thought": True} if signature else None
        elif isinstance(part, ToolCall):
            call: dict[str, Any] = {"name": part.name, "args": arguments_object(part.arguments, UNPARSED)}
            entry = {"functionCall": {"id": part.id, **call} if part.id in self._shown else call}
        elif isinstance(part, Media):
            entry = media_part(part)
        elif isinstance(part, Opaque) and part.origin == DIALECT:
            return part.value
        if entry is not None and signature:
            entry["thoughtSignature"] = signature
        return entry

    def _user(self, parts: list[Part]) -> list[dict[str, Any]]:
        results = sorted((part for part in parts if isinstance(part, ToolResult)), key=self._place)
        written: list[dict[str, Any]] = []
        beside: list[dict[str, Any]] = []
        for result in results:
            media = [media_part(entry) for entry in result.content if isinstance(entry, Media)]
            written.append(self._result(result, [] if self._older else media))
            beside += media if self._older else []
        return written + beside + [entry for part in parts if (entry := self._asked(part)) is not None]

    def _place(self, result: ToolResult) -> int:
        return self._order.get(result.call_id, len(self._order))

    def _result(self, result: ToolResult, media: list[dict[str, Any]]) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "name": self._names.get(result.call_id) or result.name or result.call_id,
            "response": response_object(result),
        }
        if result.call_id in self._shown:
            answer["id"] = result.call_id
        if media:
            answer["parts"] = media
        return {"functionResponse": answer}

    def _asked(self, part: Part) -> dict[str, Any] | None:
        if isinstance(part, Media):
            return media_part(part)
        if isinstance(part, Text) and part.text:
            return {"text": part.text}
        return part.value if isinstance(part, Opaque) and part.origin == DIALECT else None


def _answers(before: list[Part], after: tuple[Part, ...]) -> bool:
    """Whether two user turns hold results of the same turn's calls."""
    return any(isinstance(part, ToolResult) for part in before) and any(isinstance(part, ToolResult) for part in after)


def _signature(part: Part) -> str | None:
    seal: Sealed | None = getattr(part, "seal", None)
    return seal.value if seal is not None and seal.origin == ORIGIN else None


def encoded(body: dict[str, Any]) -> bytes:
    """The body's bytes."""
    return ENCODER.encode(body)
