"""The record of a call: the event that is hashed into the audit log, and from which the tables are filled."""

from typing import Any

import msgspec

from enfilade.core.clock import to_rfc3339
from enfilade.costs.ledger.postings import ESTIMATED_USAGE, Posting
from enfilade.gateway.errors import Interrupted
from enfilade.gateway.outcomes import Outcome
from enfilade.gateway.types import Call, Target


class LostAttempt(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An attempt that may have cost something and answered nothing: an entry of its own in the ledger."""

    amounts: list[int]
    attempt: int
    cost_nano: int
    deployment: str
    kinds: list[str]
    model: str
    provider: str
    quantities: list[int]
    rates: list[int]
    tokens: int
    list_nano: int | None = None
    price: str | None = None
    provider_nano: int | None = None
    region: str | None = None


class AccessNote(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What was decided about the call, by which policies."""

    allowed: bool
    policies: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    reason: str = ""
    use_case: str | None = None


class CallData(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What happened to a call. Subjects are ids, times are RFC 3339, money is in nano-dollars.

    `kinds`, `quantities`, `rates` and `amounts` go together, place by place: the lines of the ledger's entry. `cost_nano`
    is the whole call's, with its lost attempts.
    """

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
    access: AccessNote | None = None
    amounts: list[int] | None = None
    application: str | None = None
    could_save_nano: int = 0
    department: str | None = None
    deployment: str | None = None
    dropped: list[str] | None = None
    error: str | None = None
    finish: str | None = None
    first_byte_us: int | None = None
    flags: list[str] | None = None
    key: str | None = None
    kinds: list[str] | None = None
    list_nano: int | None = None
    lost: list[LostAttempt] | None = None
    lost_nano: int = 0
    metadata: dict[str, Any] | None = None
    model: str | None = None
    price: str | None = None
    provider: str | None = None
    provider_nano: int | None = None
    quantities: list[int] | None = None
    rates: list[int] | None = None
    region: str | None = None
    requested_model: str | None = None
    saved_nano: int = 0
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


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is noted of a running call: enough to settle it at its worst case if nobody else can any more.

    Most calls write one, so it holds only what differs from call to call; `recovered_event` makes a record of it.
    """

    actor: str
    cost_nano: int
    dialect: str
    id: str
    input_tokens: int
    model: str
    output_tokens: int
    replica: str
    started_at: str
    stream: bool
    tenant: str
    application: str | None = None
    attempts: int = 0
    department: str | None = None
    deployment: str | None = None
    key: str | None = None
    price: str | None = None
    requested_model: str | None = None
    use_case: str | None = None
    user: str | None = None
    access: AccessNote | None = None
    amounts: list[int] | None = None
    kinds: list[str] | None = None
    lost: list[LostAttempt] | None = None
    lost_nano: int = 0
    metadata: dict[str, Any] | None = None
    quantities: list[int] | None = None
    rates: list[int] | None = None


class Circumstances(msgspec.Struct, gc=False):
    """What only a call's admission knows of it."""

    latency_us: int
    attempts: int = 0
    cached: bool = False
    cost_nano: int = 0
    overrun_nano: int = 0
    estimated: bool = False
    first_byte_us: int | None = None
    model: str | None = None
    deployment: str | None = None
    provider: str | None = None
    region: str | None = None
    dropped: list[str] | None = None
    flags: tuple[str, ...] = ()
    lost: list[LostAttempt] | None = None
    lost_nano: int = 0
    could_save_nano: int = 0


def call_data(call: Call, outcome: Outcome, around: Circumstances) -> CallData:
    """The record of a call: what it was, what became of it, and the circumstances."""
    scope, hints, usage, request = call.scope, call.hints, outcome.usage, call.request
    posting = outcome.posting
    charge = posting.charge
    return CallData(
        id=call.id,
        started_at=to_rfc3339(call.started_ns),
        dialect=call.dialect.name,
        stream=request.stream,
        requested_model=request.model,
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
        latency_us=around.latency_us,
        attempts=around.attempts,
        cached=around.cached,
        cost_nano=around.cost_nano,
        overrun_nano=around.overrun_nano,
        estimated=around.estimated,
        first_byte_us=around.first_byte_us,
        model=around.model,
        deployment=around.deployment,
        provider=around.provider,
        region=around.region,
        price=posting.price,
        dropped=around.dropped,
        kinds=charge.kinds or None,
        quantities=charge.quantities or None,
        rates=charge.rates or None,
        amounts=charge.amounts or None,
        provider_nano=posting.provider_nano,
        list_nano=posting.list_nano,
        saved_nano=posting.saved_nano,
        could_save_nano=around.could_save_nano,
        flags=list(around.flags) or None,
        lost=around.lost,
        lost_nano=around.lost_nano,
        access=None if call.decisions is None else access_note(call, around.deployment),
    )


def access_note(call: Call, deployment: str | None) -> AccessNote | None:
    """What was decided about the deployment that answered, or else about the first one."""
    decisions = call.decisions
    if not decisions:
        return None
    found = decisions.get(deployment or "") or next(iter(decisions.values()))
    return AccessNote(found.allowed, found.policies, found.missing, found.reason, call.hints.use_case)


def lost_attempt(number: int, target: Target, posting: Posting, tokens: int) -> LostAttempt:
    """The entry of an attempt that is charged its worst case."""
    charge = posting.charge
    return LostAttempt(
        attempt=number,
        cost_nano=charge.nano,
        deployment=target.label,
        kinds=charge.kinds,
        quantities=charge.quantities,
        rates=charge.rates,
        amounts=charge.amounts,
        model=target.model,
        provider=target.provider.spec.name,
        region=target.region,
        tokens=tokens,
        price=posting.price,
        provider_nano=posting.provider_nano,
        list_nano=posting.list_nano,
    )


_ENCODER = msgspec.json.Encoder(order="sorted")

SETTLED = "CallSettled"
REFUSED = "CallRefused"


def encode_event(call: Call, data: CallData, at_ns: int, kind: str = SETTLED) -> str:
    """The event's canonical text."""
    event = CallEvent(call.scope.actor, to_rfc3339(at_ns), data, call.scope.tenant, kind)
    return _ENCODER.encode(event).decode()


def encode_intent(intent: Intent) -> str:
    """The text of an intent."""
    return _ENCODER.encode(intent).decode()


def recovered_event(text: str, at_ns: int) -> str:
    """The event that settles the call of an intent, as interrupted, at its worst case. Raises msgspec.DecodeError."""
    intent = msgspec.json.decode(text, type=Intent)
    data = CallData(
        id=intent.id,
        started_at=intent.started_at,
        dialect=intent.dialect,
        stream=intent.stream,
        requested_model=intent.requested_model,
        application=intent.application,
        department=intent.department,
        user=intent.user,
        key=intent.key,
        use_case=intent.use_case,
        metadata=intent.metadata,
        status="interrupted",
        http_status=Interrupted.status,
        error=Interrupted.code,
        input_tokens=intent.input_tokens,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=intent.output_tokens,
        reasoning_tokens=0,
        latency_us=0,
        attempts=intent.attempts,
        cached=False,
        cost_nano=intent.cost_nano,
        overrun_nano=0,
        estimated=True,
        model=intent.model,
        deployment=intent.deployment,
        provider=intent.deployment.partition("/")[0] if intent.deployment else None,
        price=intent.price,
        kinds=intent.kinds,
        quantities=intent.quantities,
        rates=intent.rates,
        amounts=intent.amounts,
        flags=[ESTIMATED_USAGE],
        lost=intent.lost,
        lost_nano=intent.lost_nano,
        access=intent.access,
    )
    event = CallEvent(intent.actor, to_rfc3339(at_ns), data, intent.tenant, SETTLED)
    return _ENCODER.encode(event).decode()
