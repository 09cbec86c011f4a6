"""A question as a body for Anthropic's services, in the form that they insist on."""

from dataclasses import replace
from typing import Any

from enfilade.core.messages import (
    Conversation,
    Thinking,
    Tool,
)
from enfilade.dialects.anthropic.carriers import ORIGIN
from enfilade.dialects.anthropic.fitting import TIERS, fit
from enfilade.dialects.anthropic.models import Thinks, thinks
from enfilade.dialects.anthropic.schemas import closed_schema
from enfilade.dialects.anthropic.turns import MEDIA, Block, between, marked, text_block, written_turns
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.codec import Rules, Upstream

RULES = Rules(
    takes=frozenset(
        [
            "max_output_tokens",
            "temperature",
            "top_p",
            "top_k",
            "stop",
            "response_format",
            "thinking",
            "service_tier",
            "user",
            "tool_choice",
            "parallel_tool_calls",
        ]
    ),
    media=MEDIA,
    file_id=r"file_.*",
    result_media=frozenset({"image", "document"}),
    temperature=(0.0, 1.0),
    blank_stop=False,
    tool_id=r"[a-zA-Z0-9_-]+",
    response_formats=frozenset({"text", "schema"}),
    seals=frozenset({ORIGIN}),
    needs_output_bound=True,
    cache_marks=True,
    empty_texts=False,
    fit=fit,
)
COUNT_RULES = replace(
    RULES,
    takes=RULES.takes
    | frozenset(
        [
            "seed",
            "frequency_penalty",
            "presence_penalty",
            "verbosity",
            "metadata",
            "cache_key",
            "cache_life",
            "logit_bias",
            "logprobs",
        ]
    ),
    needs_output_bound=False,
)
"""A count takes every setting: those that show the model nothing do not change it, and are not written."""
_MODES = {"auto": "auto", "required": "any", "none": "none", "named": "tool"}


def write_question(question: Conversation, upstream: Upstream) -> bytes:
    """The body of `POST /v1/messages`."""
    question, _ = fit(question, upstream)
    body: Block = {"model": upstream.model, "max_tokens": question.max_output_tokens}
    body |= _prompt(question, upstream)
    for name, value in (
        ("temperature", question.temperature),
        ("top_p", question.top_p),
        ("top_k", question.top_k),
        ("stop_sequences", question.stop or None),
        ("service_tier", TIERS.get(question.service_tier or "")),
        ("metadata", None if question.user is None else {"user_id": question.user}),
    ):
        if value is not None:
            body[name] = value
    if upstream.stream:
        body["stream"] = True
    return ENCODER.encode(body)


def write_count(question: Conversation, upstream: Upstream) -> bytes:
    """The body of `POST /v1/messages/count_tokens`: what the model is shown, and no more."""
    question, _ = fit(question, upstream)
    return ENCODER.encode({"model": upstream.model, **_prompt(question, upstream)})


def _prompt(question: Conversation, upstream: Upstream) -> Block:
    """The fields that counting takes too."""
    prompt: Block = {"messages": written_turns(question.messages)}
    system = [*question.system, *between(question.messages)]
    if texts := [text_block(text) for text in system if text.text.strip()]:
        prompt["system"] = texts
    if question.tools:
        prompt["tools"] = [_tool(tool) for tool in question.tools]
    if (choice := _tool_choice(question)) is not None:
        prompt["tool_choice"] = choice
    if (thinking := _thinking(question.thinking, upstream.model)) is not None:
        prompt["thinking"] = thinking
    config: Block = {}
    if question.thinking is not None and question.thinking.effort is not None:
        config["effort"] = question.thinking.effort
    wanted = question.response_format
    if wanted is not None and wanted.kind == "schema":
        config["format"] = {"type": "json_schema", "schema": closed_schema(wanted.schema or {"type": "object"})}
    if config:
        prompt["output_config"] = config
    return prompt


def _thinking(thinking: Thinking | None, model: str) -> Block | None:
    if thinking is None or thinking.enabled is None:
        return None
    if not thinking.enabled:
        # Generations that think adaptively do so only when told; some of them refuse to be told not to.
        return None if thinks(model) in {Thinks.ADAPTIVE, Thinks.NEVER} else {"type": "disabled"}
    said: Block = {"type": "adaptive"}
    if thinking.budget_tokens is not None:
        said = {"type": "enabled", "budget_tokens": thinking.budget_tokens}
    if thinking.shown is not None:
        said["display"] = "summarized" if thinking.shown else "omitted"
    return said


def _tool_choice(question: Conversation) -> Block | None:
    choice, parallel = question.tool_choice, question.parallel_tool_calls
    mode = _MODES.get(choice.mode if choice is not None else "auto", "auto")
    if not question.tools and mode in {"auto", "none"}:
        return None
    if choice is None and parallel is None:
        return None
    written: Block = {"type": mode}
    if mode == "tool" and choice is not None:
        written["name"] = choice.names[0] if choice.names else ""
    if parallel is not None and mode != "none":
        written["disable_parallel_tool_use"] = not parallel
    return written


def _tool(tool: Tool) -> Block:
    if tool.hosted is not None:
        return tool.hosted.value
    written: Block = {"name": tool.name, "input_schema": _input_schema(tool.parameters)}
    if tool.description:
        written["description"] = tool.description
    if tool.strict is not None:
        written["strict"] = tool.strict
    return marked(written, tool.cache)


def _input_schema(parameters: dict[str, Any] | None) -> Block:
    """A tool's schema has to be an object's; one without parameters has none of its own."""
    if not parameters:
        return {"type": "object", "properties": {}}
    return parameters if "type" in parameters else {"type": "object", **parameters}
