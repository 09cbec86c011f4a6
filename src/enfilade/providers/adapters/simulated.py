"""The simulated provider: no network, no cost, and every fault on demand. Its names: `simulated/script.py`."""

import base64
from dataclasses import dataclass, field
from typing import Any

import msgspec

from enfilade.core.clock import NANOSECONDS, Clock
from enfilade.core.errors import UpstreamFailed
from enfilade.core.messages import Completion, Conversation, Finish, Part, Text, Tool, ToolCall, ToolResult
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import ENCODER, read, read_positive
from enfilade.dialects.traits import NO_TRAITS, Traits
from enfilade.dialects.types import Dialect, Request
from enfilade.providers.error_reports import read_error
from enfilade.providers.errors import ConnectFailed, ProviderError
from enfilade.providers.failures import failure_of, reported_failure
from enfilade.providers.simulated.exchange import GARBAGE, Plan, SimulatedReply
from enfilade.providers.simulated.script import Script, parse_script
from enfilade.providers.simulated.words import count_input, embed, fixed_tokens, pack_floats, split_tokens
from enfilade.providers.types import Outgoing, ProviderSpec

DIMENSIONS = 64
MAX_DIMENSIONS = 4096
MAX_REMEMBERED = 1000
JSON_TYPE = [(b"content-type", b"application/json")]
STREAM_TYPE = [(b"content-type", b"text/event-stream; charset=utf-8")]


@dataclass(slots=True, eq=False)
class SimulatedProvider:
    """See `Provider`."""

    spec: ProviderSpec
    clock: Clock
    base_url: str = "simulated:"
    dialects: tuple[str, ...] = ("openai_chat", "openai_embeddings", "anthropic_messages")
    traits: Traits = NO_TRAITS
    _calls: dict[str, int] = field(default_factory=dict)

    def dialects_of(self, model: str) -> tuple[str, ...]:
        """See `Provider.dialects_of`: the scripts speak everything."""
        del model
        return self.dialects

    async def send(self, outgoing: Outgoing) -> SimulatedReply:
        """See `Provider.send`."""
        script = parse_script(outgoing.model)
        self._fail(script, outgoing)
        outgoing.mark_sent()
        reply = SimulatedReply(script, self.clock, self.spec.timeout.timeouts())
        await reply.begin()
        if script.garbage:
            reply.body, reply.headers = GARBAGE, list(STREAM_TYPE if outgoing.stream else JSON_TYPE)
        elif outgoing.dialect.name == "openai_embeddings":
            reply.body, reply.headers = _embeddings(outgoing, script), list(JSON_TYPE)
        else:
            self._complete(outgoing, script, reply)
        return reply

    def _fail(self, script: Script, outgoing: Outgoing) -> None:
        if script.unreachable:
            raise ConnectFailed("The provider cannot be reached.")
        failure = script.failure
        if failure is not None and (failure.attempts is None or outgoing.attempt <= failure.attempts):
            headers = []
            if failure.retry_after_s is not None:
                headers.append((b"retry-after", f"{failure.retry_after_s:g}".encode()))
            raise self._failure(failure.status, headers)
        if script.flaky is not None:
            if len(self._calls) > MAX_REMEMBERED:
                self._calls.clear()
            count = self._calls.get(outgoing.model, 0) + 1
            self._calls[outgoing.model] = count
            if count % 2:
                raise self._failure(script.flaky, [])

    def _failure(self, status: int, headers: list[tuple[bytes, bytes]]) -> UpstreamFailed:
        body = ENCODER.encode({"error": {"message": f"simulated status {status}"}})
        return failure_of(status, headers, body, read_error, self.clock.now_ns())

    def _complete(self, outgoing: Outgoing, script: Script, reply: SimulatedReply) -> None:
        dialect = outgoing.dialect
        sent = dialect.parse(outgoing.body)  # What we were sent counts, as it would anywhere else.
        conversation = dialect.conversation(sent)
        pieces, calls, finish = _answer(script, conversation, sent.max_output)
        produced = len(pieces) + sum(len(split_tokens(call.arguments)) for call in calls)
        usage = None if script.no_usage else Usage(count_input(conversation), output_tokens=produced)
        parts: list[Part] = [Text("".join(pieces))] if pieces or not calls else []
        completion = Completion(
            id=f"sim-{outgoing.call_id}",
            model=f"simulated/{outgoing.model.removeprefix('simulated/')}",
            created_s=self.clock.now_ns() // NANOSECONDS,
            parts=(*parts, *calls),
            finish=finish,
            usage=usage,
        )
        if not outgoing.stream:
            reply.headers = list(JSON_TYPE)
            reply.body = dialect.render_completion(completion)
            return
        reply.headers = list(STREAM_TYPE)
        reply.plan = _stream(outgoing, completion, pieces, calls)
        if script.error_after is not None:
            reply.plan.outputs = reply.plan.outputs[: script.error_after]
            reply.plan.error = dialect.render_error_event(UpstreamFailed("simulated error"), outgoing.call_id)

    def reported_failure(self, body: bytes) -> ProviderError | None:
        """See `Provider.reported_failure`."""
        return reported_failure(body, read_error)

    def exact_input(self, dialect: Dialect, request: Request) -> int | None:
        """See `Provider.exact_input`."""
        return count_input(dialect.conversation(request))

    def close(self) -> None:
        """See `Provider.close`."""


def _answer(
    script: Script, conversation: Conversation, max_output: int | None
) -> tuple[list[str], list[ToolCall], Finish]:
    if script.tools and conversation.tools:
        last = conversation.messages[-1] if conversation.messages else None
        if last is None or not any(isinstance(part, ToolResult) for part in last.parts):
            return [], [_call(tool, index) for index, tool in enumerate(_wanted(conversation))], Finish.TOOL_CALLS
    tokens = script.tokens
    pieces = fixed_tokens(tokens) if tokens is not None else split_tokens(conversation.last_user_text())
    if max_output is not None and len(pieces) > max_output and not script.ignores_max:
        return pieces[:max_output], [], Finish.LENGTH
    return pieces, [], Finish.STOP


def _wanted(conversation: Conversation) -> tuple[Tool, ...]:
    names = conversation.tool_choice.names if conversation.tool_choice else ()
    named = tuple(tool for tool in conversation.tools if tool.name in names)
    return named or (conversation.tools[:1] if conversation.parallel_tool_calls is False else conversation.tools)


def _call(tool: Tool, index: int) -> ToolCall:
    """A call with an argument of the right type for each property of the tool's schema."""
    examples = {"string": "example", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
    arguments = {
        name: examples.get(str(_inside(schema, "type")))
        for name, schema in (_inside(tool.parameters, "properties") or {}).items()
    }
    return ToolCall(f"call_sim_{index}", tool.name, msgspec.json.encode(arguments).decode())


def _inside(schema: object, name: str) -> Any:
    """What a caller's schema says under a name; nobody has checked that it is one."""
    found = schema.get(name) if isinstance(schema, dict) else None
    return found if name == "type" or isinstance(found, dict) else None


def _stream(outgoing: Outgoing, completion: Completion, pieces: list[str], calls: list[ToolCall]) -> Plan:
    writer = outgoing.dialect.stream_writer(completion)
    head = writer.start()
    outputs = [writer.text(piece) for piece in pieces]
    for index, call in enumerate(calls):
        outputs += writer.tool_call(index, call.id, call.name, call.arguments)
    # Like the real services, usage is reported at the end only to those who asked: the gateway always asks.
    asked = outgoing.dialect.parse(outgoing.body).wants_usage
    return Plan(head, outputs, writer.end(completion.finish, completion.usage if asked else None))


def _embeddings(outgoing: Outgoing, script: Script) -> bytes:
    request = outgoing.dialect.parse(outgoing.body)
    conversation = outgoing.dialect.conversation(request)
    dimensions = read_positive(request.fields, "dimensions", MAX_DIMENSIONS) or DIMENSIONS
    encoded = read(request.fields, "encoding_format", str) == "base64"
    data = []
    for index, message in enumerate(conversation.messages):
        vector = embed("".join(part.text for part in message.parts if isinstance(part, Text)), dimensions)
        shown: object = base64.b64encode(pack_floats(vector)).decode() if encoded else vector
        data.append({"object": "embedding", "index": index, "embedding": shown})
    tokens = count_input(conversation)
    reply: dict[str, object] = {"object": "list", "data": data, "model": outgoing.model}
    if not script.no_usage:
        reply["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return ENCODER.encode(reply)


class Simulated:
    """The adapter."""

    kind = "simulated"
    default_base_url: str | None = "simulated:"
    needs_key = False

    def provider(self, spec: ProviderSpec, clock: Clock) -> SimulatedProvider:
        """A provider that lives in this process."""
        return SimulatedProvider(spec, clock)


ADAPTER = Simulated()
