"""A question as a body for Anthropic's services, in the form that they insist on."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import msgspec

from enfilade.core.messages import (
    CacheLife,
    Conversation,
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from enfilade.dialects.anthropic.blocks import DIALECT_NAME
from enfilade.dialects.anthropic.carriers import ORIGIN
from enfilade.dialects.anthropic.citations import own_citation
from enfilade.dialects.anthropic.fitting import TIERS, fit
from enfilade.dialects.anthropic.models import Thinks, thinks
from enfilade.dialects.anthropic.schemas import closed_schema
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
    media={
        "image": frozenset({"data", "url", "file_id"}),
        "document": frozenset({"data", "url", "file_id", "text"}),
    },
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
SOMETHING: dict[str, Any] = {"role": "user", "content": [{"type": "text", "text": "."}]}
"""Conversations have to begin with the user, who has to say something."""
_MODES = {"auto": "auto", "required": "any", "none": "none", "named": "tool"}
_SIGNATURES = (
    ("JVBER", "application/pdf"),
    ("iVBOR", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
)
"""How files begin, in base64."""

Block = dict[str, Any]


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
    prompt: Block = {"messages": _messages(question.messages)}
    system = [*question.system, *_between(question.messages)]
    if texts := [_text(text) for text in system if text.text.strip()]:
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
    return _marked(written, tool.cache)


def _input_schema(parameters: dict[str, Any] | None) -> Block:
    """A tool's schema has to be an object's; one without parameters has none of its own."""
    if not parameters:
        return {"type": "object", "properties": {}}
    return parameters if "type" in parameters else {"type": "object", **parameters}


def _between(messages: Iterable[Message]) -> list[Text]:
    return [
        part for message in messages if message.role is Role.SYSTEM for part in message.parts if isinstance(part, Text)
    ]


def _messages(messages: Iterable[Message]) -> list[Block]:
    """Turns that alternate, the user's first."""
    turns: list[tuple[str, list[Part]]] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        parts = [part for part in message.parts if _says_something(part)]
        if not parts:
            continue
        role = message.role.value
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(parts)
        else:
            turns.append((role, parts))
    written: list[Block] = [{"role": role, "content": _blocks(role, parts)} for role, parts in turns]
    if not written or written[0]["role"] != "user":
        written.insert(0, SOMETHING)
    if written[-1]["role"] == "assistant":
        _trim_prefill(written[-1]["content"])
    return written


def _says_something(part: Part) -> bool:
    """Whether the part can be written: white space alone is refused, and so are others' blocks and thoughts."""
    if isinstance(part, Text | Refusal):
        return bool(part.text) and not part.text.isspace()
    if isinstance(part, Reasoning):
        return part.seal is not None and part.seal.origin == ORIGIN
    if isinstance(part, Opaque):
        return part.origin == DIALECT_NAME
    return not (isinstance(part, Media) and part.kind not in RULES.media)


def _blocks(role: str, parts: list[Part]) -> list[Block]:
    """The blocks of a turn; of the user's, the results of tools first."""
    if role == "user" and any(isinstance(part, ToolResult) for part in parts):
        parts = sorted(parts, key=lambda part: not isinstance(part, ToolResult))
    return [_BLOCKS[type(part)](part) for part in parts]


def _trim_prefill(blocks: list[Block]) -> None:
    """What the assistant is to continue must not end in white space."""
    last = blocks[-1]
    if last["type"] == "text" and last["text"] != (trimmed := last["text"].rstrip()):
        blocks[-1] = last | {"text": trimmed}


def _marked(block: Block, cache: CacheLife | None) -> Block:
    if cache is not None:
        block["cache_control"] = {"type": "ephemeral"} if cache == "5m" else {"type": "ephemeral", "ttl": cache}
    return block


def _text(part: Text | Refusal) -> Block:
    block: Block = {"type": "text", "text": part.text}
    if isinstance(part, Refusal):
        return block
    if citations := [own for entry in part.citations if (own := own_citation(entry)) is not None]:
        block["citations"] = citations
    return _marked(block, part.cache)


def media_block(part: Media) -> Block:
    """An image or a document."""
    if part.data is not None:
        source = {"type": "base64", "media_type": _media_type(part), "data": part.data}
    elif part.url is not None:
        source = {"type": "url", "url": part.url}
    elif part.file_id is not None:
        source = {"type": "file", "file_id": part.file_id}
    else:
        source = {"type": "text", "media_type": "text/plain", "data": part.text or ""}
    block: Block = {"type": part.kind, "source": source}
    if part.name is not None and part.kind == "document":
        block["title"] = part.name
    return _marked(block, part.cache)


def _media_type(part: Media) -> str:
    if part.media_type:
        return "image/jpeg" if part.media_type == "image/jpg" else part.media_type
    data = part.data or ""
    for beginning, media_type in _SIGNATURES:
        if data.startswith(beginning):
            return media_type
    return "application/pdf" if part.kind == "document" else "image/png"


def tool_input(arguments: str) -> object:
    """The arguments as an object, unchanged if they are one. A model may have written anything."""
    if not arguments or arguments.isspace():
        return {}
    try:
        if isinstance(msgspec.json.decode(arguments), dict):
            return msgspec.Raw(arguments.encode("utf-8", "surrogatepass"))
    except (msgspec.DecodeError, RecursionError):
        pass
    return {"arguments": arguments}


def _tool_call(part: ToolCall) -> Block:
    block = {"type": "tool_use", "id": part.id, "name": part.name, "input": tool_input(part.arguments)}
    return _marked(block, part.cache)


def _tool_result(part: ToolResult) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": part.call_id}
    if content := [_BLOCKS[type(piece)](piece) for piece in part.content if _says_something(piece)]:
        block["content"] = content
    if part.is_error:
        block["is_error"] = True
    return _marked(block, part.cache)


def reasoning_block(part: Reasoning) -> Block:
    """A thinking block; its seal is its signature, or all there is of it."""
    value = part.seal.value if part.seal is not None else ""
    if part.redacted:
        return {"type": "redacted_thinking", "data": value}
    return {"type": "thinking", "thinking": part.text, "signature": value}


_BLOCKS: dict[type, Callable[[Any], Block]] = {
    Text: _text,
    Refusal: _text,
    Media: media_block,
    ToolCall: _tool_call,
    ToolResult: _tool_result,
    Reasoning: reasoning_block,
    Opaque: lambda part: part.value,
}
