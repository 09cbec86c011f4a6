"""What the simulated models answer: the same in every dialect, written by the dialect's own codec."""

from typing import Any
from urllib.parse import quote

import msgspec

from enfilade.core.happenings import Began, Ended, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import (
    Completion,
    Conversation,
    Embeddings,
    Finish,
    Part,
    Question,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Codec, EventWriter
from enfilade.dialects.types import Dialect, Request
from enfilade.providers.simulated.exchange import Plan
from enfilade.providers.simulated.script import Script
from enfilade.providers.simulated.words import count_input, count_texts, embed, fixed_tokens, split_tokens
from enfilade.providers.types import Outgoing

DIMENSIONS = 64
MAX_DIMENSIONS = 4096
PIECE = 12
"""So many characters of a tool call's arguments come at once."""


def codec_of(dialect: Dialect) -> Any:
    """The dialect's codec; simulated models speak those that have one."""
    codec: Codec | None = dialect.codec
    assert codec is not None, f"{dialect.name} cannot be simulated"
    return codec


def sent_request(outgoing: Outgoing) -> Request:
    """What was sent, read as its dialect reads it: what arrived counts, as it would anywhere else."""
    return outgoing.dialect.parse(outgoing.body, _target(outgoing))


def _target(outgoing: Outgoing) -> str:
    """The address that such a body would have been sent to, for dialects in which it says something."""
    dialect = outgoing.dialect
    paths = (dialect.path, *dialect.more_paths)
    wanted = "stream" if outgoing.stream else "batch" if b'"requests"' in outgoing.body else ""
    path = next((path for path in paths if wanted and wanted in path), dialect.path)
    return path.replace("{model}", quote(outgoing.model, safe="")) + "?alt=sse"


def input_tokens(dialect: Dialect, request: Request) -> int:
    """What the input is charged as. Raises WrongType."""
    question = codec_of(dialect).question(request)
    return count_input(question) if isinstance(question, Conversation) else count_texts(_texts(question))


def completion_of(outgoing: Outgoing, script: Script, sent: Request, created_s: int) -> tuple[Completion, list[str]]:
    """The answer, and its text in tokens."""
    conversation: Conversation = codec_of(outgoing.dialect).question(sent)
    pieces, calls, finish = _answer(script, conversation, sent.max_output)
    produced = len(pieces) + sum(len(split_tokens(call.arguments)) for call in calls)
    usage = None if script.no_usage else Usage(count_input(conversation), output_tokens=produced)
    parts: list[Part] = [Text("".join(pieces))] if pieces or not calls else []
    completion = Completion(
        id=f"sim-{outgoing.call_id}",
        model=_model(outgoing),
        created_s=created_s,
        parts=(*parts, *calls),
        finish=finish,
        usage=usage,
    )
    return completion, pieces


def plan_of(outgoing: Outgoing, completion: Completion, pieces: list[str], sent: Request) -> Plan:
    """The answer as a stream, a token at a time."""
    writer: EventWriter = codec_of(outgoing.dialect).writer(sent, completion.id, completion.created_s)
    head = writer.write(Began(completion.id, completion.model, completion.created_s))
    outputs: list[bytes] = []
    for index, part in enumerate(completion.parts):
        if isinstance(part, ToolCall):
            arguments = part.arguments
            empty: Part = ToolCall(part.id, part.name, "")
            grown = [arguments[start : start + PIECE] for start in range(0, len(arguments), PIECE)]
        else:
            empty, grown = Text(""), pieces
        begun = writer.write(PartBegan(index, empty))
        if isinstance(part, ToolCall):
            outputs.append(begun)
        else:
            head += begun
        outputs += [writer.write(PartGrew(index, piece)) for piece in grown]
        if ended := writer.write(PartEnded(index)):
            outputs[-1:] = [outputs[-1] + ended] if outputs else []
    outputs = [output for output in outputs if output]  # Some dialects hold back what is not whole.
    return Plan(head, outputs, [writer.end(Ended(completion.finish), completion.usage)])


def embeddings_of(outgoing: Outgoing, script: Script, sent: Request) -> bytes:
    """A vector for each text."""
    codec = codec_of(outgoing.dialect)
    question: Question = codec.question(sent)
    dimensions = min(question.dimensions or DIMENSIONS, MAX_DIMENSIONS)
    texts = _texts(question)
    vectors = tuple(tuple(embed(text, dimensions)) for text in texts)
    usage = None if script.no_usage else Usage(count_texts(texts))
    return without_usage(codec.render(Embeddings(vectors, outgoing.model, usage), sent), script)


def without_usage(reply: bytes, script: Script) -> bytes:
    """The reply, of a script without usage as a provider would write it that reports none."""
    if not script.no_usage:
        return reply
    fields = msgspec.json.decode(reply, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: raw for name, raw in fields.items() if name not in {"usage", "usageMetadata"}})


def _texts(question: Question) -> tuple[str, ...]:
    return question.inputs or tuple(str(list(tokens)) for tokens in question.token_inputs)


def _model(outgoing: Outgoing) -> str:
    return f"simulated/{outgoing.model.removeprefix('simulated/')}"


def _answer(
    script: Script, conversation: Conversation, max_output: int | None
) -> tuple[list[str], list[ToolCall], Finish]:
    if script.tools and conversation.tools:
        last = conversation.messages[-1] if conversation.messages else None
        if last is None or not any(isinstance(part, ToolResult) for part in last.parts):
            return [], [_call(tool, index) for index, tool in enumerate(_wanted(conversation))], Finish.TOOL_CALLS
    tokens = script.tokens
    pieces = fixed_tokens(tokens) if tokens is not None else split_tokens(_heard(conversation))
    if max_output is not None and len(pieces) > max_output and not script.ignores_max:
        return pieces[:max_output], [], Finish.LENGTH
    return pieces, [], Finish.STOP


def _heard(conversation: Conversation) -> str:
    """What is repeated: the words of the latest user turn, or the results of tools where it brings nothing else."""
    if said := conversation.last_user_text():
        return said
    results: list[ToolResult] = []
    for message in reversed(conversation.messages):
        found = [part for part in message.parts if isinstance(part, ToolResult)]
        if not found:
            break
        results[:0] = found
    return "\n".join(part.text for result in results for part in result.content if isinstance(part, Text))


def _wanted(conversation: Conversation) -> tuple[Tool, ...]:
    names = conversation.tool_choice.names if conversation.tool_choice else ()
    named = tuple(tool for tool in conversation.tools if tool.name in names)
    return named or (conversation.tools[:1] if conversation.parallel_tool_calls is False else conversation.tools)


def _call(tool: Tool, index: int) -> ToolCall:
    """A call with an argument of the right type for each property of the tool's schema."""
    examples = {"string": "example", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
    arguments = {
        name: examples.get(str(_inside(schema, "type")).lower())
        for name, schema in (_inside(tool.parameters, "properties") or {}).items()
    }
    return ToolCall(f"call_sim_{index}", tool.name, msgspec.json.encode(arguments).decode())


def _inside(schema: object, name: str) -> Any:
    """What a caller's schema says under a name; nobody has checked that it is one."""
    found = schema.get(name) if isinstance(schema, dict) else None
    return found if name == "type" or isinstance(found, dict) else None
