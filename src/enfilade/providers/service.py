"""Providers: declared by administrators, held ready in memory."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from enfilade.core.canonical import canonical_text
from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.identity.directory import Install
from enfilade.identity.rows import START, check_name, check_version
from enfilade.identity.types import Outcome
from enfilade.providers import store
from enfilade.providers.credentials import Credential, OldKey, SecretSources
from enfilade.providers.errors import InvalidProvider, UnknownProvider
from enfilade.providers.registry import Adapters
from enfilade.providers.sealed_secrets import SealedSecrets, all_references, purpose_of
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.types import Provider, ProviderRecord, ProviderSpec, SecretReference
from enfilade.sealing.sealer import Sealer
from enfilade.storage.database import Database
from enfilade.storage.unit_of_work import UnitOfWork

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
RETRY = "change it, or change anything else, to have it tried again"

log = structlog.get_logger("enfilade.providers")


@dataclass(frozen=True, slots=True)
class _Ready:
    record: ProviderRecord
    provider: Provider
    credentials: Mapping[str, Credential]


class Providers:
    """The use cases of providers, and the section of the directory that keeps them ready."""

    of_platform = True

    def __init__(
        self, ids: IdFactory, clock: Clock, client: HttpClient, sources: SecretSources, sealer: Sealer, home: Database
    ) -> None:
        """Reach providers through `client`, with credentials from `sources`, or sealed ones from `home`."""
        self._ids = ids
        self._clock = clock
        self._client = client
        self.sources = sources
        self.sealed = SealedSecrets(sealer, home)
        self.adapters = Adapters()
        self._ready: dict[str, _Ready] = {}

    # What the gateway asks.

    def get_ready(self, name: str) -> Provider | None:
        """The provider of that name, ready to be called."""
        entry = self._ready.get(name)
        return entry.provider if entry else None

    def specs(self) -> list[ProviderSpec]:
        """The providers that are ready."""
        return [entry.record.spec for entry in self._ready.values()]

    # What administrators do.

    async def page(self, unit: UnitOfWork, after: str | None, limit: int) -> list[ProviderRecord]:
        """Providers in the order of their making."""
        return [_record(row) for row in await unit.fetch(store.LIST_PROVIDERS, after or START, limit)]

    async def find(self, unit: UnitOfWork, name: str) -> ProviderRecord | None:
        """The provider of that name or id."""
        row = await unit.fetch_row(store.FIND_PROVIDER, name)
        return None if row is None else _record(row)

    async def get(self, unit: UnitOfWork, name: str) -> ProviderRecord:
        """Like `find`; raises UnknownProvider."""
        record = await self.find(unit, name)
        if record is None:
            message = f"There is no provider {name!r}."
            raise UnknownProvider(message, param="provider")
        return record

    async def put(
        self,
        unit: UnitOfWork,
        spec: ProviderSpec,
        secrets: Mapping[str, str] | None = None,
        expected: int | None = None,
    ) -> tuple[ProviderRecord, Outcome]:
        """Declare a provider; `secrets` are those given as values, which are sealed: `api_key`, or options by name.

        Raises InvalidProvider, VersionMismatch, and StorageFault when there is no master key to seal with.
        """
        check_name(spec.name, NAME)
        present = await self.find(unit, spec.name)
        given = secrets or {}
        spec = _with_sealed(spec, given)
        self.adapters.check(spec)
        references = spec.references()
        for field, reference in references.items():
            self.sources.check(reference, _param(field))
        self._guard_sealed(present, spec, given)
        if (login := _proxy_login(spec)) is not None:
            self.sources.check(login, "options.proxy_login_env")
        resealed = [
            await self.sealed.put(unit, purpose_of(spec.name, field), secret) for field, secret in given.items()
        ]
        spec = self._with_previous(spec, present, is_resealed=any(resealed))
        await self.sealed.forget(unit, spec.name, all_references(spec).values())
        if present is None:
            await unit.execute(store.INSERT_PROVIDER, self._ids.new_id(), spec.name, canonical_text(spec))
            outcome = Outcome.CREATED
        else:
            check_version(expected, present.version)
            if present.spec == spec and not any(resealed):
                return present, Outcome.UNCHANGED
            await unit.execute(store.UPDATE_PROVIDER, present.id, canonical_text(spec))
            outcome = Outcome.CHANGED
        event = "ProviderCreated" if outcome is Outcome.CREATED else "ProviderChanged"
        unit.record(
            event,
            name=spec.name,
            kind=spec.kind,
            base_url=spec.base_url,
            api_key=spec.api_key.shown() if spec.api_key else None,
            region=spec.region,
            zone=spec.zone,
            allow_private_network=spec.allow_private_network,
        )
        unit.changed()
        return await self.get(unit, spec.name), outcome

    async def remove(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove a provider. Whether models still use it is the gateway's to say, beforehand."""
        record = await self.get(unit, name)
        check_version(expected, record.version)
        await unit.execute(store.REMOVE_PROVIDER, record.id)
        await self.sealed.forget(unit, record.spec.name, ())
        unit.record("ProviderRemoved", name=record.spec.name)
        unit.changed()

    def _guard_sealed(self, present: ProviderRecord | None, spec: ProviderSpec, given: Mapping[str, str]) -> None:
        """Whoever changes where a sealed secret is sent must know it: otherwise it could be sent to themselves."""
        before = present.spec.references() if present is not None else {}
        for field, reference in spec.references().items():
            if reference.sealed is None or field in given:
                continue
            if present is None or reference.sealed != purpose_of(spec.name, field) or before.get(field) != reference:
                message = "a sealed secret belongs to the provider that it was given to; give the secret itself"
                raise InvalidProvider(message, param=_param(field))
            if self._destination(present.spec) != self._destination(spec):
                message = (
                    "the secret must be given again when the address, the kind or the options of a provider change"
                )
                raise InvalidProvider(message, param=_param(field))

    def _with_previous(self, spec: ProviderSpec, present: ProviderRecord | None, *, is_resealed: bool) -> ProviderSpec:
        """Keep an old key in its grace, unless the key itself is replaced, or would be sent elsewhere."""
        previous = present.spec.previous_key if present is not None else None
        if present is None or previous is None or is_resealed or spec.api_key != present.spec.api_key:
            return msgspec.structs.replace(spec, previous_key=None)
        if self._destination(present.spec) != self._destination(spec):
            return msgspec.structs.replace(spec, previous_key=None)
        return msgspec.structs.replace(spec, previous_key=previous)

    def _destination(self, spec: ProviderSpec) -> tuple[str, str, dict[str, Any]]:
        return spec.kind, self.adapters.base_url(spec), spec.options

    # The directory's section.

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """See `Section.load`. A provider whose specification did not change keeps its connections."""
        if tenants is not None:
            return lambda: None  # Providers belong to the installation: a tenant's change does not concern them.
        records = [_record(row) for row in await unit.fetch(store.LOAD_PROVIDERS)]
        references = [found for record in records for found in all_references(record.spec).values()]
        opened = await self.sealed.open([found.sealed for found in references if found.sealed])
        ready: dict[str, _Ready] = {}
        for record in records:
            former = self._ready.get(record.spec.name)
            if former is not None and former.record == record:
                ready[record.spec.name] = former
                continue
            credentials = self._credentials(record.spec, opened, former)
            try:
                provider = self._make(record.spec, credentials)
            except InvalidProvider as error:
                log.error("provider_unusable", provider=record.spec.name, error=error.message, hint=RETRY)  # noqa: TRY400
                continue
            ready[record.spec.name] = _Ready(record, provider, credentials)
        return lambda: self._install(ready, references)

    def _make(self, spec: ProviderSpec, credentials: Mapping[str, Credential]) -> Provider:
        login = _proxy_login(spec)
        secrets = {name: found for name, found in credentials.items() if name != "api_key"}
        return self.adapters.make(
            spec,
            credentials.get("api_key") or Credential(None, self.sources, self._clock),
            self._client,
            self._clock,
            self.sources.read(login) if login else None,
            secrets,
        )

    def _credentials(
        self, spec: ProviderSpec, opened: Mapping[str, str], former: "_Ready | None"
    ) -> dict[str, Credential]:
        """The provider's secrets. One that is followed goes on being followed: it knows its former value."""
        kept = former.credentials if former is not None else {}
        credentials = {}
        for name, reference in spec.references().items():
            old = self._old_key(spec, opened) if name == "api_key" else None
            present = kept.get(name)
            if present is not None and old is None and present.follows(reference):
                credentials[name] = present
            else:
                secret = opened.get(reference.sealed or "")
                credentials[name] = Credential(reference, self.sources, self._clock, secret, old)
        return credentials

    def _old_key(self, spec: ProviderSpec, opened: Mapping[str, str]) -> OldKey | None:
        previous = spec.previous_key
        if previous is None or previous.until_ns <= self._clock.now_ns():
            return None
        reference = previous.reference
        secret = opened.get(reference.sealed or "")
        return OldKey(Credential(reference, self.sources, self._clock, secret), previous.until_ns)

    def _install(self, ready: "dict[str, _Ready]", references: Iterable[SecretReference]) -> None:
        former, self._ready = self._ready, ready
        for name, entry in former.items():
            if name not in ready or ready[name].provider is not entry.provider:
                entry.provider.close()
        self.sources.retain(references)


def _record(row: Any) -> ProviderRecord:
    return ProviderRecord(str(row["id"]), msgspec.json.decode(row["spec"], type=ProviderSpec), row["version"])


def _param(name: str) -> str:
    """The field in which a secret is given."""
    return name if name == "api_key" else f"options.{name}"


def _with_sealed(spec: ProviderSpec, given: Collection[str]) -> ProviderSpec:
    """The specification with references to what is going to be sealed."""
    options = dict(spec.options)
    for name in given:
        reference = SecretReference(sealed=purpose_of(spec.name, name))
        if name == "api_key":
            spec = msgspec.structs.replace(spec, api_key=reference)
        else:
            options[name] = reference.shown()
    return msgspec.structs.replace(spec, options=options)


def _proxy_login(spec: ProviderSpec) -> SecretReference | None:
    name = spec.options.get("proxy_login_env")
    return SecretReference(env=name) if name else None
