"""A question as the body for a provider. Nothing is kept there: what came before is sent again, sealed reasoning too."""

import hashlib
from typing import Any

from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.codec import Upstream
from enfilade.dialects.members.openai_responses.annotations import write_annotations, write_logprobs
from enfilade.dialects.members.openai_responses.carriers import FAMILY, parted
from enfilade.dialects.members.openai_responses.media import write_media
from enfilade.dialects.members.openai_responses.models import ENCRYPTED, may_reason
from enfilade.dialects.members.openai_responses.tools import ORIGIN, write_choice, write_tool

_LOGPROBS = "message.output_text.logprobs"
_PLAIN = {
    "max_output_tokens": "max_output_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "parallel_tool_calls": "parallel_tool_calls",
    "service_tier": "service_tier",
    "user": "user",
    "metadata": "metadata",
    "cache_key": "prompt_cache_key",
    "cache_life": "prompt_cache_retention",
}
_SHORT = frozenset({"user", "prompt_cache_key"})
MAX_IDENTIFIER = 64
"""Longer ones are refused; other vendors' callers send a user of 150 letters."""
_BUDGETS = ((1024, "low"), (8192, "medium"))
"""Up to so many tokens of thinking are this effort; more are `high`."""


def write(question: Conversation, upstream: Upstream) -> bytes:
    """See `Codec.write`."""
    body: dict[str, Any] = {"model": upstream.model, "store": False}
    if upstream.stream:
        body["stream"] = True
    items = _Items(question.messages)
    if len(question.system) == 1:
        body["instructions"] = question.system[0].text
    elif question.system:
        # There is one text for instructions; several stay apart in a message.
        blocks = [{"type": "input_text", "text": text.text} for text in question.system]
        items.items.insert(0, {"type": "message", "role": "system", "content": blocks})
    body["input"] = items.items
    for name, field in _PLAIN.items():
        if (value := getattr(question, name)) is not None:
            body[field] = _short(value) if field in _SHORT else value
    if question.tools:
        body["tools"] = [write_tool(tool) for tool in question.tools]
    if question.tool_choice is not None:
        body["tool_choice"] = write_choice(question.tool_choice, question.tools)
    if (text := _text(question)) is not None:
        body["text"] = text
    _write_reasoning(question, upstream, body, sealed=items.sealed)
    if question.logprobs is not None:
        body.setdefault("include", []).append(_LOGPROBS)
        body["top_logprobs"] = question.logprobs
    return ENCODER.encode(body)


def _short(identifier: str) -> str:
    """The identifier, or for a long one another that is always the same for it."""
    if len(identifier) <= MAX_IDENTIFIER:
        return identifier
    return hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()


def _text(question: Conversation) -> dict[str, Any] | None:
    text: dict[str, Any] = {}
    if question.response_format is not None:
        text["format"] = _format(question.response_format)
    if question.verbosity is not None:
        text["verbosity"] = question.verbosity
    return text or None


def _format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.kind != "schema":
        return {"type": "json_object" if wanted.kind == "json" else "text"}
    form: dict[str, Any] = {"type": "json_schema", "name": wanted.name or "answer", "schema": wanted.schema or {}}
    if wanted.description is not None:
        form["description"] = wanted.description
    if wanted.strict is not None:
        form["strict"] = wanted.strict
    return form


def _write_reasoning(question: Conversation, upstream: Upstream, body: dict[str, Any], *, sealed: bool) -> None:
    thinking = question.thinking
    reasoning = {} if thinking is None else _reasoning(thinking, upstream.model)
    if reasoning:
        body["reasoning"] = reasoning
    thinks = reasoning.get("effort") != "none" if reasoning else sealed or may_reason(upstream.model)
    if thinks:
        body["include"] = [ENCRYPTED]


def _reasoning(thinking: Thinking, model: str) -> dict[str, Any]:
    effort = thinking.effort
    if effort is None and thinking.enabled is False:
        effort = "none"
    if effort is None and thinking.budget_tokens is not None:
        effort = next((name for most, name in _BUDGETS if thinking.budget_tokens <= most), "high")
    summary = thinking.summary
    # That thinking is switched on says nothing of whether this model can: a summary is asked of one that does.
    if summary is None and thinking.is_shown and (thinking.shown or effort is not None or may_reason(model)):
        summary = "auto"
    return {name: value for name, value in (("effort", effort), ("summary", summary)) if value is not None}


class _Items:
    """The turns as items."""

    def __init__(self, messages: tuple[Message, ...]) -> None:
        self.items: list[dict[str, Any]] = []
        self.sealed = False
        """Whether sealed reasoning goes back."""
        for message in messages:
            self._turn(message)

    def _turn(self, message: Message) -> None:
        said: list[Part] = []
        for part in message.parts:
            if isinstance(part, Text | Refusal) or (isinstance(part, Media) and message.role is not Role.ASSISTANT):
                said.append(part)
                continue
            self._say(message.role, said)
            said = []
            if (item := self._item(part)) is not None:
                self.items.append(item)
        self._say(message.role, said)

    def _say(self, role: Role, parts: list[Part]) -> None:
        if not parts:
            return
        if role is not Role.ASSISTANT:
            content = [write_media(part) if isinstance(part, Media) else _input_text(part) for part in parts]
            self.items.append({"type": "message", "role": role.value, "content": content})
        elif len(parts) == 1 and isinstance(only := parts[0], Text) and not (only.citations or only.logprobs):
            self.items.append({"type": "message", "role": "assistant", "content": only.text})
        else:
            identifier = f"msg_{len(self.items)}"
            content = [_output(part) for part in parts]
            head = {"type": "message", "id": identifier, "role": "assistant", "status": "completed"}
            self.items.append(head | {"content": content})

    def _item(self, part: Part) -> dict[str, Any] | None:
        if isinstance(part, ToolCall):
            return _call(part)
        if isinstance(part, ToolResult):
            return _result(part)
        if isinstance(part, Reasoning):
            return self._thoughts(part)
        if isinstance(part, Opaque) and part.origin == ORIGIN:
            return part.value
        if isinstance(part, Media) and part.data is not None:
            identifier = f"ig_{len(self.items)}"
            return {"type": "image_generation_call", "id": identifier, "status": "completed", "result": part.data}
        return None

    def _thoughts(self, part: Reasoning) -> dict[str, Any] | None:
        if part.seal is None or part.seal.origin != FAMILY:
            return None
        self.sealed = True
        known, content = parted(part.seal)
        item: dict[str, Any] = {"type": "reasoning"}
        if identifier := known or part.id:
            item["id"] = identifier
        item["summary"] = [{"type": "summary_text", "text": part.text}] if part.text else []
        return item | {"encrypted_content": content}


def _input_text(part: Part) -> dict[str, Any]:
    return {"type": "input_text", "text": part.text if isinstance(part, Text | Refusal) else ""}


def _output(part: Part) -> dict[str, Any]:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    assert isinstance(part, Text), "an assistant says texts"
    annotations = write_annotations(part.citations, len(part.text))
    output: dict[str, Any] = {"type": "output_text", "text": part.text, "annotations": annotations}
    return output | {"logprobs": write_logprobs(part.logprobs)} if part.logprobs else output


def _call(part: ToolCall) -> dict[str, Any]:
    kind, field, prefix = (
        ("custom_tool_call", "input", "ctc_") if part.custom else ("function_call", "arguments", "fc_")
    )
    item: dict[str, Any] = {"type": kind, "call_id": part.id, "name": part.name, field: part.arguments}
    return {"id": part.item_id, **item} if part.item_id and part.item_id.startswith(prefix) else item


def _result(part: ToolResult) -> dict[str, Any]:
    content = part.content
    output: Any
    if not content:
        output = ""
    elif len(content) == 1 and isinstance(only := content[0], Text):
        output = only.text
    else:
        output = [write_media(piece) if isinstance(piece, Media) else _input_text(piece) for piece in content]
    kind = "custom_tool_call_output" if part.custom else "function_call_output"
    item: dict[str, Any] = {"type": kind, "call_id": part.call_id, "output": output}
    if part.is_error and not part.custom:
        item["status"] = "incomplete"
    return item
