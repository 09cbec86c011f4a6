"""Models and aliases: declared by administrators, resolved for each call."""

from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from random import Random  # noqa: TID251 - the type of what the caller passes in
from typing import Any

import msgspec

from enfilade.core.canonical import canonical_text
from enfilade.core.clock import Clock
from enfilade.core.errors import StillInUse
from enfilade.core.families import members
from enfilade.core.ids import IdFactory
from enfilade.costs.prices.catalogue import PriceCatalogue
from enfilade.gateway import store
from enfilade.gateway import strategies as family
from enfilade.gateway.aliases import check_alias, model_behind
from enfilade.gateway.breaker import Breaker
from enfilade.gateway.capabilities.known import check_words, known_of, lacking
from enfilade.gateway.errors import InvalidModel, UnknownAlias, UnknownModel
from enfilade.gateway.types import AliasSpec, CatalogueRecord, Hints, ModelSpec, Target
from enfilade.identity.directory import Install
from enfilade.identity.rows import MODEL_PATTERN, START, check_name, check_version
from enfilade.identity.types import Outcome
from enfilade.providers.errors import UnknownProvider
from enfilade.providers.service import Providers
from enfilade.storage.unit_of_work import UnitOfWork

Strategy = Callable[[Sequence[Target], Random], list[Target]]
MAX_CACHED = 5000
MAX_DEPTH = 5
"""How many aliases may stand behind one another."""


class Entry:
    """A model in memory."""

    __slots__ = ("name", "spec", "strategy", "targets")

    def __init__(self, name: str, spec: ModelSpec, targets: list[Target], strategy: Strategy) -> None:
        """Hold what resolving found."""
        self.name = name
        self.spec = spec
        self.targets = targets
        self.strategy = strategy


class Catalogue:
    """The use cases of models and aliases, and the section of the directory that resolves names."""

    of_platform = True

    def __init__(
        self, ids: IdFactory, clock: Clock, providers: Providers, prices: PriceCatalogue, random: Random
    ) -> None:
        """Find deployments at `providers`, priced by `prices`; order them with `random`."""
        self._ids = ids
        self._clock = clock
        self._providers = providers
        self._prices = prices
        self._random = random
        self._strategies: dict[str, Strategy] = members(family, "STRATEGY")
        self._models: dict[str, ModelSpec] = {}
        self._aliases: dict[str, AliasSpec] = {}
        self._patterns: list[str] = []
        self._entries: dict[str, Entry] = {}
        self._breakers: dict[str, Breaker] = {}

    # What the line asks.

    def resolve(self, name: str, size: int, hints: Hints) -> Entry | None:
        """The model behind a name or an alias, or None."""
        for _ in range(MAX_DEPTH):
            alias = self._aliases.get(name)
            if alias is None:
                break
            behind = model_behind(alias, size, hints)
            if behind is None:
                return None
            name = behind
        return self.entry(name)

    def entry(self, name: str) -> Entry | None:
        """The model of that name, or of a name with `*` that matches it."""
        entry = self._entries.get(name)
        if entry is None and (spec := self._find(name)) is not None:
            if len(self._entries) >= MAX_CACHED:
                self._entries.clear()  # Names come from callers: what matches a pattern is without bound.
            entry = self._entries[name] = self._make_entry(name, spec)
        return entry

    def names(self) -> list[str]:
        """All names that callers may ask for, patterns included."""
        return sorted({*self._models, *self._aliases})

    def model_names(self) -> list[str]:
        """The models' names, patterns included, aliases not."""
        return sorted(self._models)

    def alias_names(self) -> list[str]:
        """The aliases' names."""
        return sorted(self._aliases)

    def breakers(self) -> dict[str, Breaker]:
        """The state of every deployment that was called."""
        return self._breakers

    def order(self, entry: Entry) -> list[Target]:
        """The model's deployments in the order of its strategy for one call."""
        return entry.strategy(entry.targets, self._random)

    def _find(self, name: str) -> ModelSpec | None:
        spec = self._models.get(name)
        if spec is None:
            pattern = next((pattern for pattern in self._patterns if fnmatchcase(name, pattern)), None)
            spec = self._models[pattern] if pattern else None
        return spec

    def _make_entry(self, name: str, spec: ModelSpec) -> Entry:
        rest = name[len(spec.name) - 1 :] if spec.name.endswith("*") else None
        targets = []
        for deployment in spec.deployments:
            provider = self._providers.get_ready(deployment.provider)
            if provider is None:
                continue
            upstream = deployment.model if rest is None else deployment.model.replace("*", rest)
            label = f"{deployment.provider}/{upstream}"
            price = self._prices.source(spec.name, provider.spec.kind, provider.base_url, upstream, (name, label))
            targets.append(
                Target(
                    model=name,
                    provider=provider,
                    upstream_model=upstream,
                    weight=deployment.weight,
                    price=price,
                    pricing=self._prices,
                    context_window=spec.context_window or price.context_window,
                    max_output=spec.max_output_tokens or known_of(upstream).max_output,
                    breaker=self._breaker(label),
                    label=label,
                    lacks=lacking(upstream, spec.capabilities),
                )
            )
        return Entry(name, spec, targets, self._strategies[spec.strategy])

    def _breaker(self, label: str) -> Breaker:
        breaker = self._breakers.get(label)
        if breaker is None:
            if len(self._breakers) >= MAX_CACHED:
                self._breakers.clear()
            breaker = self._breakers[label] = Breaker(self._clock)
        return breaker

    # The directory's section.

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """See `Section.load`."""
        if tenants is not None:
            return lambda: None
        models = {row["name"]: _decode(row, ModelSpec) for row in await unit.fetch(store.LOAD_MODELS)}
        aliases = {row["name"]: _decode(row, AliasSpec) for row in await unit.fetch(store.LOAD_ALIASES)}
        # The longest pattern is the most particular one.
        patterns = sorted((name for name in models if name.endswith("*")), key=len, reverse=True)

        def install() -> None:
            self._models, self._aliases, self._patterns = models, aliases, patterns
            self._entries = {}

        return install

    # What administrators do.

    async def page_models(self, unit: UnitOfWork, after: str | None, limit: int) -> list[CatalogueRecord]:
        """Models in the order of their making."""
        return [_record(row, ModelSpec) for row in await unit.fetch(store.LIST_MODELS, after or START, limit)]

    async def find_model(self, unit: UnitOfWork, name: str) -> CatalogueRecord | None:
        """The model of that name or id."""
        row = await unit.fetch_row(store.FIND_MODEL, name)
        return None if row is None else _record(row, ModelSpec)

    async def get_model(self, unit: UnitOfWork, name: str) -> CatalogueRecord:
        """Like `find_model`; raises UnknownModel."""
        record = await self.find_model(unit, name)
        if record is None:
            message = f"There is no model {name!r}."
            raise UnknownModel(message, param="model")
        return record

    async def put_model(
        self, unit: UnitOfWork, spec: ModelSpec, expected: int | None = None
    ) -> tuple[CatalogueRecord, Outcome]:
        """Declare a model. Raises InvalidModel, VersionMismatch, UnknownProvider."""
        self._check_model(spec)
        for position, deployment in enumerate(spec.deployments):
            if await self._providers.find(unit, deployment.provider) is None:
                message = f"There is no provider {deployment.provider!r}."
                raise UnknownProvider(message, param=f"deployments[{position}].provider")
        present = await self.find_model(unit, spec.name)
        if present is None:
            await unit.execute(store.INSERT_MODEL, self._ids.new_id(), spec.name, canonical_text(spec))
            outcome = Outcome.CREATED
        else:
            check_version(expected, present.version)
            if present.spec == spec:
                return present, Outcome.UNCHANGED
            await unit.execute(store.UPDATE_MODEL, present.id, canonical_text(spec))
            outcome = Outcome.CHANGED
        event = "ModelCreated" if outcome is Outcome.CREATED else "ModelChanged"
        deployments = [f"{d.provider}/{d.model}" for d in spec.deployments]
        unit.record(event, name=spec.name, deployments=deployments, fallbacks=list(spec.fallbacks))
        unit.changed()
        return await self.get_model(unit, spec.name), outcome

    async def remove_model(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove a model that nothing falls back to or stands for any more. Raises StillInUse."""
        record = await self.get_model(unit, name)
        check_version(expected, record.version)
        user = await unit.fetch_value(store.USER_OF_MODEL, record.spec.name)
        if user is not None:
            message = f"{user!r} still refers to the model {record.spec.name!r}."
            raise StillInUse(message)
        await unit.execute(store.REMOVE_MODEL, record.id)
        unit.record("ModelRemoved", name=record.spec.name)
        unit.changed()

    async def require_unused(self, unit: UnitOfWork, provider: str) -> None:
        """Raise StillInUse when a model still has a deployment at the provider."""
        model = await unit.fetch_value(store.MODEL_WITH_PROVIDER, provider)
        if model is not None:
            message = f"The model {model!r} still has a deployment at {provider!r}."
            raise StillInUse(message)

    async def page_aliases(self, unit: UnitOfWork, after: str | None, limit: int) -> list[CatalogueRecord]:
        """Aliases in the order of their making."""
        return [_record(row, AliasSpec) for row in await unit.fetch(store.LIST_ALIASES, after or START, limit)]

    async def find_alias(self, unit: UnitOfWork, name: str) -> CatalogueRecord | None:
        """The alias of that name or id."""
        row = await unit.fetch_row(store.FIND_ALIAS, name)
        return None if row is None else _record(row, AliasSpec)

    async def get_alias(self, unit: UnitOfWork, name: str) -> CatalogueRecord:
        """Like `find_alias`; raises UnknownAlias."""
        record = await self.find_alias(unit, name)
        if record is None:
            message = f"There is no alias {name!r}."
            raise UnknownAlias(message)
        return record

    async def put_alias(
        self, unit: UnitOfWork, spec: AliasSpec, expected: int | None = None
    ) -> tuple[CatalogueRecord, Outcome]:
        """Declare an alias. Raises InvalidModel, VersionMismatch."""
        check_name(spec.name, MODEL_PATTERN)
        check_alias(spec)
        present = await self.find_alias(unit, spec.name)
        if present is None:
            await unit.execute(store.INSERT_ALIAS, self._ids.new_id(), spec.name, canonical_text(spec))
            outcome = Outcome.CREATED
        else:
            check_version(expected, present.version)
            if present.spec == spec:
                return present, Outcome.UNCHANGED
            await unit.execute(store.UPDATE_ALIAS, present.id, canonical_text(spec))
            outcome = Outcome.CHANGED
        unit.record("AliasCreated" if outcome is Outcome.CREATED else "AliasChanged", name=spec.name, model=spec.model)
        unit.changed()
        return await self.get_alias(unit, spec.name), outcome

    async def remove_alias(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove an alias."""
        record = await self.get_alias(unit, name)
        check_version(expected, record.version)
        await unit.execute(store.REMOVE_ALIAS, record.id)
        unit.record("AliasRemoved", name=record.spec.name)
        unit.changed()

    def _check_model(self, spec: ModelSpec) -> None:
        check_name(spec.name, MODEL_PATTERN)
        if "*" in spec.name[:-1]:
            message = "a model's name may end in `*`, and have none elsewhere"
            raise InvalidModel(message, param="name")
        if not spec.deployments:
            message = "a model needs at least one deployment"
            raise InvalidModel(message, param="deployments")
        check_words(spec.capabilities)
        if spec.strategy not in self._strategies:
            known = ", ".join(sorted(self._strategies))
            message = f"the strategy {spec.strategy!r} is not offered by this version; it offers {known}"
            raise InvalidModel(message, param="strategy")
        if any(not 0 <= deployment.weight <= 1_000_000 for deployment in spec.deployments):
            message = "a weight must be between 0 and 1000000"
            raise InvalidModel(message, param="deployments.weight")
        if spec.name in spec.fallbacks:
            message = "a model cannot fall back to itself"
            raise InvalidModel(message, param="fallbacks")


def _decode(row: Any, kind: Any) -> Any:
    return msgspec.json.decode(row["spec"], type=kind)


def _record(row: Any, kind: Any) -> CatalogueRecord:
    return CatalogueRecord(str(row["id"]), _decode(row, kind), row["version"])
