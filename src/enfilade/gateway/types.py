"""The nouns of this room."""

from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from enfilade.access.types import Decision
from enfilade.core.clock import NANOSECONDS
from enfilade.core.scope import Scope
from enfilade.costs.prices.sheet import PriceSheet
from enfilade.costs.prices.source import PriceSource, Substitution
from enfilade.dialects.translation.passage import Asked
from enfilade.dialects.types import Dialect, Request
from enfilade.gateway.breaker import Breaker
from enfilade.identity.principal import Principal
from enfilade.providers.types import Provider


class DeploymentSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model at a provider."""

    provider: str
    model: str
    weight: int = 1


class ModelSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an administrator says of a model. A name that ends in `*` stands for all names that begin so."""

    name: str
    deployments: tuple[DeploymentSpec, ...] = ()
    strategy: str = "weighted"
    fallbacks: tuple[str, ...] = ()
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: tuple[str, ...] = ()


class AliasRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model to use when the conditions hold; without conditions it always is."""

    use: str
    when: dict[str, Any] = {}


class AliasSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A name that stands for a model, or for the first rule whose conditions hold."""

    name: str
    model: str | None = None
    rules: tuple[AliasRule, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueRecord:
    """A model or an alias as it is stored."""

    id: str
    spec: Any
    version: int


class Pricing(Protocol):
    """What deployments cost a tenant; see `PriceCatalogue`."""

    def sheet_for(self, source: PriceSource, tenant: str, provider: str, model: str, now_ns: int) -> PriceSheet | None:
        """What a tenant pays; None for an unpriced model."""
        ...

    def substituted_for(
        self, source: PriceSource, answered: str, tenant: str, provider: str, model: str, now_ns: int
    ) -> Substitution:
        """What it means that a reply names another model than was asked for."""
        ...


@dataclass(slots=True, eq=False)
class Target:
    """A deployment that can be called."""

    model: str
    """The name in our catalogue."""
    provider: Provider
    upstream_model: str
    weight: int
    price: PriceSource
    pricing: Pricing
    context_window: int | None
    max_output: int | None
    breaker: Breaker
    label: str
    lacks: frozenset[str] = frozenset()
    """Abilities and settings that the model is known not to have."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """What a reply says of who gave it."""
    dialects: tuple[str, ...] = ()
    """Those in which the provider serves this model."""

    region: str | None = None
    """Where it runs."""

    def sheet_for(self, tenant: str, now_ns: int) -> PriceSheet | None:
        """What a tenant pays here at a moment; None while nobody has said what the model costs."""
        return self.pricing.sheet_for(self.price, tenant, self.provider.spec.name, self.model, now_ns)

    def substituted(self, answered: str, tenant: str, now_ns: int) -> Substitution:
        """What it means for a tenant that a reply names another model than was asked for."""
        name = self.provider.spec.name
        return self.pricing.substituted_for(self.price, answered, tenant, name, self.model, now_ns)

    def __post_init__(self) -> None:
        """Find out what every reply will say."""
        self.dialects = self.provider.dialects_of(self.upstream_model)
        self.region = self.provider.spec.region
        named = {"model": self.model, "deployment": self.label, "region": self.region}
        self.headers = tuple(
            (f"x-enfilade-{name}".encode(), value.encode("ascii", "replace")) for name, value in named.items() if value
        )


class Hints(msgspec.Struct, gc=False):
    """What a request says about itself beside its body."""

    use_case: str | None = None
    task: str | None = None
    quality: str | None = None
    max_latency_ms: int | None = None
    session: str | None = None
    metadata: dict[str, Any] | None = None


class Call(msgspec.Struct):
    """One request of a caller, on its way through the line."""

    id: str
    started_ns: int
    started: float
    """On the monotonic clock, for durations."""
    dialect: Dialect
    principal: Principal
    scope: Scope
    request: Request
    headers: tuple[tuple[bytes, bytes], ...] = ()
    hints: Hints = msgspec.field(default_factory=Hints)
    may_read_cache: bool = True
    may_write_cache: bool = True
    trace_parent: str | None = None
    address: str | None = None
    """The caller's network address."""
    decisions: dict[str, Decision] | None = None
    """What was decided about each deployment that was asked about; None where the tenant has no policies."""
    asked: Asked | None = None
    """See `asking`."""

    def asking(self) -> Asked:
        """The request as translation takes it, made once."""
        if self.asked is None or self.asked.request is not self.request:
            created_s = self.started_ns // NANOSECONDS
            self.asked = Asked(self.dialect, self.request, self.id, created_s, self.principal.is_strict)
        return self.asked
