"""The record of a call: the event that is hashed into the audit log, and from which the tables are filled."""

from typing import Any

import msgspec

from enfilade.core.clock import to_rfc3339
from enfilade.gateway.outcomes import Outcome
from enfilade.gateway.types import Call


class CallData(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What happened to a call. Subjects are ids, times are RFC 3339, money is in nano-dollars."""

    attempts: int
    cache_write_tokens: int
    cached: bool
    cached_input_tokens: int
    cost_nano: int
    dialect: str
    estimated: bool
    http_status: int
    id: str
    input_tokens: int
    latency_us: int
    output_tokens: int
    overrun_nano: int
    reasoning_tokens: int
    started_at: str
    status: str
    stream: bool
    application: str | None = None
    department: str | None = None
    deployment: str | None = None
    error: str | None = None
    finish: str | None = None
    first_byte_us: int | None = None
    key: str | None = None
    metadata: dict[str, Any] | None = None
    model: str | None = None
    price: str | None = None
    provider: str | None = None
    region: str | None = None
    requested_model: str | None = None
    upstream_model: str | None = None
    use_case: str | None = None
    user: str | None = None


class CallEvent(msgspec.Struct, frozen=True, gc=False):
    """The event around it."""

    actor: str
    at: str
    data: CallData
    tenant: str
    type: str


class Intent(msgspec.Struct, frozen=True, gc=False):
    """What is noted of a running call: enough to settle it at its worst case if nobody else can any more."""

    event: CallEvent
    id: str
    replica: str
    tenant: str


def call_data(call: Call, outcome: Outcome, **circumstances: Any) -> CallData:
    """The record of a call: what it was, what became of it, and the circumstances that only its admission knows."""
    scope, hints, usage = call.scope, call.hints, outcome.usage
    return CallData(
        id=call.id,
        started_at=to_rfc3339(call.started_ns),
        dialect=call.dialect.name,
        stream=call.request.stream,
        requested_model=call.request.model,
        application=scope.application,
        department=scope.department,
        user=scope.user,
        key=scope.key,
        use_case=hints.use_case,
        metadata=hints.metadata,
        status=outcome.status,
        http_status=outcome.http_status,
        error=outcome.error,
        finish=outcome.finish.value if outcome.finish else None,
        upstream_model=outcome.upstream_model,
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens + usage.cache_write_1h_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        **circumstances,
    )


_ENCODER = msgspec.json.Encoder(order="sorted")

SETTLED = "CallSettled"
REFUSED = "CallRefused"


def encode_event(call: Call, data: CallData, at_ns: int, kind: str = SETTLED) -> str:
    """The event's canonical text."""
    event = CallEvent(call.scope.actor, to_rfc3339(at_ns), data, call.scope.tenant, kind)
    return _ENCODER.encode(event).decode()


def encode_intent(call: Call, data: CallData, replica: str) -> str:
    """The text of an intent."""
    event = CallEvent(call.scope.actor, to_rfc3339(call.started_ns), data, call.scope.tenant, SETTLED)
    return _ENCODER.encode(Intent(event, call.id, replica, call.scope.tenant)).decode()
