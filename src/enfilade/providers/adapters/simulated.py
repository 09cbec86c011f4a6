"""The simulated provider: no network, no cost, and every fault on demand. Its names: `simulated/script.py`."""

from dataclasses import dataclass, field

from enfilade.core.clock import NANOSECONDS, Clock
from enfilade.core.errors import UpstreamFailed
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.codec import Operation
from enfilade.dialects.traits import NO_TRAITS, Traits
from enfilade.dialects.types import Dialect, Request
from enfilade.providers.error_reports import read_error
from enfilade.providers.errors import ConnectFailed, InvalidProvider, ProviderError
from enfilade.providers.failures import failure_of, reported_failure
from enfilade.providers.simulated.answers import (
    codec_of,
    completion_of,
    embeddings_of,
    input_tokens,
    plan_of,
    sent_request,
    without_usage,
)
from enfilade.providers.simulated.exchange import GARBAGE, SimulatedReply
from enfilade.providers.simulated.script import Script, parse_script
from enfilade.providers.types import Outgoing, ProviderSpec

MAX_REMEMBERED = 1000
JSON_TYPE = [(b"content-type", b"application/json")]
STREAM_TYPE = [(b"content-type", b"text/event-stream; charset=utf-8")]
SPEAKS = "speaks"
"""The option that has it speak some dialects only: calls in others are translated, as they would be for a real one."""
DIALECTS = (
    "openai_chat",
    "openai_responses",
    "anthropic_messages",
    "gemini_generate",
    "openai_embeddings",
    "gemini_embed",
    "anthropic_count",
    "gemini_count",
)


@dataclass(slots=True, eq=False)
class SimulatedProvider:
    """See `Provider`."""

    spec: ProviderSpec
    clock: Clock
    base_url: str = "simulated:"
    dialects: tuple[str, ...] = DIALECTS
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
        else:
            self._answer(outgoing, script, reply)
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

    def _answer(self, outgoing: Outgoing, script: Script, reply: SimulatedReply) -> None:
        dialect, sent = outgoing.dialect, sent_request(outgoing)
        reply.headers = list(JSON_TYPE)
        if dialect.operation is Operation.EMBED:
            reply.body = embeddings_of(outgoing, script, sent)
            return
        if dialect.operation is Operation.COUNT:
            reply.body = codec_of(dialect).render(input_tokens(dialect, sent), sent)
            return
        completion, pieces = completion_of(outgoing, script, sent, self.clock.now_ns() // NANOSECONDS)
        if not outgoing.stream:
            reply.body = without_usage(codec_of(dialect).render(completion, sent), script)
            return
        reply.headers = list(STREAM_TYPE)
        reply.plan = plan_of(outgoing, completion, pieces, sent)
        if script.error_after is not None:
            reply.plan.outputs = reply.plan.outputs[: script.error_after]
            reply.plan.error = dialect.render_error_event(UpstreamFailed("simulated error"), outgoing.call_id)

    def reported_failure(self, body: bytes) -> ProviderError | None:
        """See `Provider.reported_failure`."""
        return reported_failure(body, read_error)

    def exact_input(self, dialect: Dialect, request: Request) -> int | None:
        """See `Provider.exact_input`."""
        return input_tokens(dialect, request)

    def close(self) -> None:
        """See `Provider.close`."""


class Simulated:
    """The adapter."""

    kind = "simulated"
    default_base_url: str | None = "simulated:"
    needs_key = False
    options = frozenset({SPEAKS})

    def check(self, spec: ProviderSpec) -> None:
        """Refuse, with InvalidProvider, dialects that there are not."""
        self.spoken(spec)

    def spoken(self, spec: ProviderSpec) -> tuple[str, ...]:
        """The dialects of the option, in its order, or all. Raises InvalidProvider."""
        names = tuple(spec.options.get(SPEAKS, "").replace(",", " ").split())
        if unknown := sorted(set(names) - set(DIALECTS)):
            message = f"{', '.join(unknown)} cannot be simulated; these can: {', '.join(DIALECTS)}"
            raise InvalidProvider(message, param=f"options.{SPEAKS}")
        return names or DIALECTS

    def provider(self, spec: ProviderSpec, clock: Clock) -> SimulatedProvider:
        """A provider that lives in this process."""
        return SimulatedProvider(spec, clock, dialects=self.spoken(spec))


ADAPTER = Simulated()
