"""A question as a provider takes it."""

from collections.abc import Callable
from typing import Any

from enfilade.core.errors import MalformedBody
from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
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
from enfilade.dialects.members.openai_chat.details import written_detail
from enfilade.dialects.members.openai_chat.marks import sealed
from enfilade.dialects.members.openai_chat.media import written
from enfilade.dialects.members.openai_chat.tools import call_object, written_choice, written_tool
from enfilade.dialects.traits import Traits

OUTPUT_FIELD = "max_completion_tokens"
SETTINGS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "logit_bias": "logit_bias",
    "parallel_tool_calls": "parallel_tool_calls",
    "verbosity": "verbosity",
    "user": "user",
    "metadata": "metadata",
    "cache_key": "prompt_cache_key",
    "cache_life": "prompt_cache_retention",
}
"""Settings that are written as they are, and what they are called here."""
TIERS = {"standard_only": "default", "standard": "default"}
"""Other vendors' words for the usual tier."""
_EFFORTS = ((2048, "low"), (12288, "medium"))
"""Up to which budget of thinking tokens an effort is meant; more is `high`."""


def body_of(question: Conversation, upstream: Upstream) -> bytes:
    """The whole request."""
    traits = upstream.traits
    body: dict[str, Any] = {"model": upstream.model, "messages": messages_of(question, traits)}
    for setting, name in SETTINGS.items():
        value = getattr(question, setting)
        if value is not None:
            body[name] = value
    for setting, write in _WRITERS.items():
        value = getattr(question, setting)
        if value is not None and value != ():
            write(body, question)
    if not question.tools:
        # The switch is refused where there is nothing to switch.
        body.pop("parallel_tool_calls", None)
    if question.max_output_tokens is not None:
        body[traits.output_field or OUTPUT_FIELD] = question.max_output_tokens
    if upstream.stream:
        body["stream"] = True
        if traits.stream_usage:
            body["stream_options"] = {"include_usage": True}
    try:
        return ENCODER.encode(body)
    except RecursionError:
        # It was read with fewer calls below it.
        message = "The body is nested too deeply."
        raise MalformedBody(message) from None


def _write_tools(body: dict[str, Any], question: Conversation) -> None:
    body["tools"] = [written_tool(tool) for tool in question.tools]


def _write_choice(body: dict[str, Any], question: Conversation) -> None:
    if question.tool_choice is not None:
        body["tool_choice"] = written_choice(question.tool_choice, question.tools)


def _write_stop(body: dict[str, Any], question: Conversation) -> None:
    body["stop"] = list(question.stop)


def _write_logprobs(body: dict[str, Any], question: Conversation) -> None:
    body["logprobs"] = True
    if question.logprobs:
        body["top_logprobs"] = question.logprobs


def _write_format(body: dict[str, Any], question: Conversation) -> None:
    if question.response_format is not None:
        body["response_format"] = _format(question.response_format)


def _write_effort(body: dict[str, Any], question: Conversation) -> None:
    effort = effort_of(question.thinking) if question.thinking is not None else None
    if effort is not None:
        body["reasoning_effort"] = effort


def _write_tier(body: dict[str, Any], question: Conversation) -> None:
    tier = str(question.service_tier)
    body["service_tier"] = TIERS.get(tier, tier)


_WRITERS: dict[str, Callable[[dict[str, Any], Conversation], None]] = {
    "tools": _write_tools,
    "tool_choice": _write_choice,
    "stop": _write_stop,
    "logprobs": _write_logprobs,
    "response_format": _write_format,
    "thinking": _write_effort,
    "service_tier": _write_tier,
}


def effort_of(thinking: Thinking) -> str | None:
    """How hard to think, in the words of this dialect; None when that was not said."""
    if thinking.effort is not None:
        return thinking.effort
    if thinking.enabled is False:
        return "none"
    if thinking.budget_tokens is None:
        return None
    return next((effort for most, effort in _EFFORTS if thinking.budget_tokens <= most), "high")


def _format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.kind != "schema":
        return {"type": "json_object" if wanted.kind == "json" else "text"}
    # The service demands a name.
    given = {"description": wanted.description, "schema": wanted.schema, "strict": wanted.strict}
    held = {"name": wanted.name or "answer"} | {name: value for name, value in given.items() if value is not None}
    return {"type": "json_schema", "json_schema": held}


def messages_of(question: Conversation, traits: Traits) -> list[dict[str, Any]]:
    """All messages, the instructions first."""
    found: list[dict[str, Any]] = []
    if question.system:
        found.append({"role": traits.system_role, "content": _content(question.system, traits)})
    for message in question.messages:
        if message.role is Role.ASSISTANT:
            found.append(_assistant(message, traits))
        elif message.role is Role.SYSTEM:
            found.append(_named({"role": traits.system_role, "content": _content(message.parts, traits)}, message))
        else:
            found.extend(_user(message, traits))
    return found


def _user(message: Message, traits: Traits) -> list[dict[str, Any]]:
    """A user's turn: the results of its tools each stand alone, right behind the calls."""
    found: list[dict[str, Any]] = []
    rest: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            content = _content(part.content, traits)
            found.append({"role": "tool", "tool_call_id": part.call_id, "content": content})
        else:
            rest.append(part)
    if rest or not found:
        found.append(_named({"role": "user", "content": _content(tuple(rest), traits)}, message))
    return found


def _assistant(message: Message, traits: Traits) -> dict[str, Any]:
    texts = tuple(part for part in message.parts if isinstance(part, Text))
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    refusals = [part.text for part in message.parts if isinstance(part, Refusal)]
    content = _content(texts, traits, "") if texts or not (calls or refusals) else None
    written_message = _named({"role": "assistant", "content": content}, message)
    if refusals:
        written_message["refusal"] = "".join(refusals)
    if calls:
        written_message["tool_calls"] = [written_call(call, traits) for call in calls]
    _write_reasoning(written_message, message, traits)
    if traits.takes_seals:
        seals = [text.seal for text in texts if text.seal is not None]
        if seals:
            written_message["extra_content"] = sealed(seals[-1])
    return written_message


def _write_reasoning(into: dict[str, Any], message: Message, traits: Traits) -> None:
    reasoning = [part for part in message.parts if isinstance(part, Reasoning)]
    if not reasoning:
        return
    if traits.takes_seals and any(part.seal is not None for part in reasoning):
        into["reasoning_details"] = [written_detail(part, index) for index, part in enumerate(reasoning)]
    words = "".join(part.text for part in reasoning)
    if traits.reasoning_field is not None and words:
        into[traits.reasoning_field] = words


def written_call(call: ToolCall, traits: Traits) -> dict[str, Any]:
    """A call of an earlier turn."""
    # Not every service takes calls without arguments as nothing.
    return call_object(call, empty="{}", sealing=traits.takes_seals)


def _named(written_message: dict[str, Any], message: Message) -> dict[str, Any]:
    if message.name is not None:
        written_message["name"] = message.name
    return written_message


def _content(parts: tuple[Part, ...], traits: Traits, between: str = "\n\n") -> object:
    """A string for one text, which every service takes; an array of parts for anything else."""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    if not parts:
        return ""
    if traits.flat_texts and all(isinstance(part, Text) for part in parts):
        return between.join(part.text for part in parts if isinstance(part, Text))
    found: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, Text):
            found.append({"type": "text", "text": part.text})
        elif isinstance(part, Media):
            found.append(written(part))
    return found
