"""A question as the body of a Converse request."""

from collections.abc import Iterable
from typing import Any

from enfilade.core.messages import (
    Conversation,
    Message,
    Part,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from enfilade.dialects.anthropic.models import Thinks, thinks
from enfilade.dialects.bedrock.families import ANTHROPIC, COHERE, NOVA, OPENAI, family
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import NotTranslatable
from enfilade.dialects.members.bedrock_converse.blocks import Block, Blocks, cache_point
from enfilade.dialects.members.bedrock_converse.rules import fit

STOP_SEQUENCE = "/stop_sequence"
"""Where Claude says which stop sequence ended its answer."""
STAND_IN = "unavailable_tool"
ANY_SCHEMA: Block = {"type": "object", "properties": {}}


def write_question(question: Conversation, upstream: Upstream) -> bytes:
    """The body; the model stands in the path. Raises NotTranslatable."""
    question, _ = fit(question, upstream)
    model = upstream.model
    body: Block = {"messages": _messages(question.messages, prefilled_by_claude=family(model) == ANTHROPIC)}
    if system := [block for text in question.system for block in _instruction(text)]:
        body["system"] = system
    settings = {
        "maxTokens": question.max_output_tokens,
        "temperature": question.temperature,
        "topP": question.top_p,
        "stopSequences": list(question.stop) or None,
    }
    if inference := {name: value for name, value in settings.items() if value is not None}:
        body["inferenceConfig"] = inference
    if (tools := _tool_config(question)) is not None:
        body["toolConfig"] = tools
    _add_output(question, model, body)
    if more := _of_the_maker(question, model):
        body["additionalModelRequestFields"] = more
    if question.stop and family(model) == ANTHROPIC:
        body["additionalModelResponseFieldPaths"] = [STOP_SEQUENCE]
    if question.metadata:
        body["requestMetadata"] = question.metadata
    if question.service_tier is not None:
        body["serviceTier"] = {"type": question.service_tier}
    return ENCODER.encode(body)


def _instruction(text: Text) -> list[Block]:
    """White space alone is refused."""
    return [{"text": text.text}, *cache_point(text.cache)] if text.text.strip() else []


def _messages(messages: Iterable[Message], *, prefilled_by_claude: bool) -> list[Block]:
    """Turns that alternate, the user's first; in the user's turns the results of tools before all else."""
    blocks = Blocks()
    turns: list[tuple[str, list[Part]]] = []
    for message in messages:
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(message.parts)
        else:
            turns.append((role, list(message.parts)))
    written: list[Block] = []
    for role, parts in turns:
        content = list(blocks.of(sorted(parts, key=lambda part: role == "user" and not isinstance(part, ToolResult))))
        if any("document" in block for block in content) and not any("text" in block for block in content):
            # A document alone is refused.
            content.append({"text": next(block["document"]["name"] for block in content if "document" in block)})
        if content:
            _append(written, role, content)
    if not written or written[0]["role"] != "user":
        message_ = "The model is served in bedrock_converse; `messages` must begin with a turn of the user that says something."
        raise NotTranslatable(message_, param="messages")
    if prefilled_by_claude and written[-1]["role"] == "assistant" and "text" in (last := written[-1]["content"][-1]):
        # What Claude is to continue must not end in white space.
        last["text"] = last["text"].rstrip()
    return written


def _append(written: list[Block], role: str, content: list[Block]) -> None:
    """A turn of which nothing was left may have stood between two of the other role."""
    if written and written[-1]["role"] == role:
        written[-1]["content"].extend(content)
    else:
        written.append({"role": role, "content": content})


def _tool_config(question: Conversation) -> Block | None:
    tools = [block for tool in question.tools for block in _tool(tool)] or _stand_ins(question.messages)
    if not tools:
        return None
    config: Block = {"tools": tools}
    choice = question.tool_choice
    if choice is not None and question.tools:
        if choice.mode == "required":
            config["toolChoice"] = {"any": {}}
        elif choice.mode == "named" and choice.names:
            config["toolChoice"] = {"tool": {"name": choice.names[0]}}
        elif choice.mode == "auto":
            config["toolChoice"] = {"auto": {}}
    return config


def _tool(tool: Tool) -> list[Block]:
    spec: Block = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    schema = tool.parameters or ANY_SCHEMA
    # A schema that does not say what it is of is refused.
    spec["inputSchema"] = {"json": schema if "type" in schema else {"type": "object", **schema}}
    if tool.strict:
        spec["strict"] = True
    return [{"toolSpec": spec}, *cache_point(tool.cache)]


def _stand_ins(messages: Iterable[Message]) -> list[Block]:
    """Tools may not be missing when there are calls and results of some in the history: those named there stand in."""
    names: dict[str, None] = {}
    has_results = False
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCall):
                names[part.name] = None
            has_results |= isinstance(part, ToolResult)
    if has_results and not names:
        names[STAND_IN] = None
    words = "This tool was used before. It is not available now: do not use it."
    return [{"toolSpec": {"name": name, "description": words, "inputSchema": {"json": ANY_SCHEMA}}} for name in names]


def _add_output(question: Conversation, model: str, body: Block) -> None:
    output: Block = {}
    wanted = question.response_format
    if wanted is not None and wanted.kind == "schema":
        output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": _schema(wanted)}}
    thinking = question.thinking
    if family(model) == ANTHROPIC and thinking is not None and thinking.effort is not None:
        output["effort"] = thinking.effort
    if output:
        body["outputConfig"] = output


def _schema(wanted: ResponseFormat) -> Block:
    written = {"schema": ENCODER.encode(wanted.schema or {"type": "object"}).decode()}
    if wanted.name:
        written["name"] = wanted.name
    if wanted.description:
        written["description"] = wanted.description
    return written


def _of_the_maker(question: Conversation, model: str) -> Block:
    """Settings that Converse passes on as they are, in the words of the model's maker."""
    whose = family(model)
    more: dict[str, Any] = {}
    if question.top_k is not None:
        if whose == NOVA:
            more["inferenceConfig"] = {"topK": question.top_k}
        else:
            more["k" if whose == COHERE else "top_k"] = question.top_k
    thinking = question.thinking
    if thinking is not None and thinking.enabled is not None:
        if whose == ANTHROPIC:
            more |= _claudes_thinking(thinking, model)
        elif whose == NOVA:
            more["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": thinking.effort}
        elif whose == OPENAI:
            more["reasoning_effort"] = thinking.effort
    return more


def _claudes_thinking(thinking: Thinking, model: str) -> Block:
    if not thinking.enabled:
        # Generations that think adaptively do so only when told; some of them refuse to be told not to.
        return {} if thinks(model) in {Thinks.ADAPTIVE, Thinks.NEVER} else {"thinking": {"type": "disabled"}}
    if thinking.budget_tokens is not None:
        return {"thinking": {"type": "enabled", "budget_tokens": thinking.budget_tokens}}
    return {"thinking": {"type": "adaptive"}}
