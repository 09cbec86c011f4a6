"""Calls, deployments and a desk for the tests of this folder: real rules, a provider and a writer that play along."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from enfilade.core.clock import ManualClock
from enfilade.core.events import Event
from enfilade.costs.holds.meter_book import MeterBook
from enfilade.costs.holds.types import Rule
from enfilade.costs.prices.catalogue import PriceCatalogue
from enfilade.costs.prices.source import Override, PriceSource
from enfilade.costs.prices.tariffs import Tariff
from enfilade.costs.service import Costs
from enfilade.dialects.registry import load_dialects
from enfilade.dialects.traits import NO_TRAITS
from enfilade.dialects.types import Dialect, Request
from enfilade.gateway.admission import Desk
from enfilade.gateway.breaker import Breaker
from enfilade.gateway.observer import CallObserver
from enfilade.gateway.types import Call, Hints, Target
from enfilade.identity.principal import Principal
from enfilade.identity.roles.temporary import NEVER_NS
from enfilade.identity.scopes import key_scope
from enfilade.identity.types import Application, ApplicationSettings, ApplicationSpec, Tenant, TenantSpec
from enfilade.providers.error_reports import read_error
from enfilade.providers.errors import ProviderError
from enfilade.providers.failures import reported_failure
from enfilade.providers.types import Incoming, Outgoing, ProviderSpec
from enfilade.storage.unit_of_work import Storage
from enfilade.telemetry.metrics import Metrics
from enfilade.telemetry.traces import NoTracer

DIALECTS = load_dialects()
MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
RATES = {"input": 1_000_000_000, "output": 2_000_000_000}
"""1,000 and 2,000 nano-dollars a token."""


class Reply:
    """A reply that has begun."""

    status = 200
    headers: list[tuple[bytes, bytes]] = []  # noqa: RUF012 - the protocol's form

    async def read(self) -> bytes:
        """Nothing."""
        return b""

    async def next_chunk(self) -> bytes:
        """The end."""
        return b""

    def abort(self) -> None:
        """Do nothing."""


class Provider:
    """Answers with what it was told to: an error to raise, or a reply; the last one again and again."""

    def __init__(self, name: str = "sim", *outcomes: BaseException | None, exact: int | None = None) -> None:
        """Play `outcomes` one after the other; None is a reply."""
        self.spec = ProviderSpec(name, "simulated", region="lab")
        self.base_url = "http://sim.invalid"
        self.dialects = tuple(DIALECTS.names())
        self.traits = NO_TRAITS
        self.outcomes = list(outcomes) or [None]
        self.sent: list[Outgoing] = []
        self.exact = exact

    def dialects_of(self, model: str) -> tuple[str, ...]:
        """See `Provider.dialects_of`."""
        del model
        return self.dialects

    async def send(self, outgoing: Outgoing) -> Incoming:
        """See `Provider.send`."""
        self.sent.append(outgoing)
        outgoing.mark_sent()
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if outcome is not None:
            raise outcome
        return Reply()

    def reported_failure(self, body: bytes) -> ProviderError | None:
        """See `Provider.reported_failure`."""
        return reported_failure(body, read_error)

    def exact_input(self, dialect: Dialect, request: Request) -> int | None:
        """See `Provider.exact_input`."""
        del dialect, request
        return self.exact

    def close(self) -> None:
        """Do nothing."""


class Writer:
    """Takes records and says at once that they are written."""

    def __init__(self) -> None:
        """Start empty."""
        self.intents: dict[str, Callable[[], str]] = {}
        self.records: list[dict[str, Any]] = []
        self.alerts: list[Event] = []

    def of(self, _tenant: str) -> "Writer":
        """See `Writers.of`."""
        return self

    def intend(self, call_id: str, render: Callable[[], str]) -> None:
        """See `GroupCommit.intend`."""
        self.intents[call_id] = render

    def settle(self, call_id: str, body: str, alerts: Sequence[Event] = ()) -> "asyncio.Future[None]":
        """See `GroupCommit.settle`."""
        self.intents.pop(call_id, None)
        self.records.append(msgspec.json.decode(body)["data"])
        self.alerts += alerts
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written

    def failing_for(self) -> float:
        """See `GroupCommit.failing_for`."""
        return 0.0


def priced(rates: dict[str, int] | None = None, model: str = "chat") -> PriceSource:
    """A price from the beginning of time."""
    overrides = [Override(0, Tariff(RATES if rates is None else rates))]
    return PriceSource(model, lambda _: overrides, None)


def target(provider: Provider | None = None, **more: Any) -> Target:
    """A deployment."""
    provider = provider or Provider()
    fields: dict[str, Any] = {
        "model": "chat",
        "provider": provider,
        "upstream_model": "echo",
        "weight": 1,
        "price": priced(),
        "pricing": PriceCatalogue(cast("Storage", None), ManualClock()),
        "context_window": None,
        "max_output": 100,
        "breaker": Breaker(ManualClock()),
        "label": f"{provider.spec.name}/echo",
    }
    return Target(**(fields | more))


def principal(
    tenant: TenantSpec | None = None, application: ApplicationSpec | None = None, *, name: str = "acme"
) -> Principal:
    """An application's key."""
    described = application or ApplicationSpec("copilot")
    return Principal(
        scope=key_scope(name, "key-1", application=described.name, department="sales", user="ana"),
        tenant=Tenant(name, tenant or TenantSpec(name), 1, MADE_AT),
        key_name="copilot-key",
        application=Application(described.name, name, described, None, 1),
        expires_ns=NEVER_NS,
        networks=(),
        users={},
    )


def caching(ttl_s: int = 60, max_bytes: int = 4_000_000, name: str = "copilot") -> ApplicationSpec:
    """An application that keeps answers."""
    return ApplicationSpec(name, settings=ApplicationSettings(ttl_s, max_bytes))


def call(caller: Principal | None = None, dialect: str = "openai_chat", **fields: Any) -> Call:
    """A call with these fields in its body, which is otherwise small and complete."""
    caller = caller or principal()
    spoken = DIALECTS.get(dialect)
    body: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
    if dialect == "openai_embeddings":
        body = {"model": "chat", "input": "Hello"}
    request = spoken.parse(msgspec.json.encode(body | fields))
    clock = ManualClock()
    return Call("call-1", clock.now_ns(), clock.monotonic(), spoken, caller, caller.scope, request, hints=Hints())


def desk_of(clock: ManualClock, *rules: Rule) -> tuple[Desk, Writer, MeterBook]:
    """A desk with rules in force for the tenant `acme`."""
    book, writer = MeterBook(clock), Writer()
    book.install({"acme": rules}, None)
    book.mark_seeded(rules)
    costs = Costs(book, None, clock)  # type: ignore[arg-type]  # Nothing has a past here.
    return Desk(costs, writer, clock, CallObserver(Metrics(), NoTracer()), "replica"), writer, book  # type: ignore[arg-type]
