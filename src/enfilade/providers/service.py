"""Providers: declared by administrators, held ready in memory."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import structlog

from enfilade.core.canonical import canonical_text
from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import IdFactory
from enfilade.identity.directory import Install
from enfilade.identity.rows import START, check_name, check_version
from enfilade.identity.types import Outcome
from enfilade.providers import store
from enfilade.providers.credentials import Credential, SecretSources
from enfilade.providers.errors import InvalidProvider, UnknownProvider
from enfilade.providers.registry import Adapters
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.types import Provider, ProviderRecord, ProviderSpec, SecretReference
from enfilade.storage.database import Database
from enfilade.storage.sealing import Sealer
from enfilade.storage.unit_of_work import UnitOfWork

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
RETRY = "change it, or change anything else, to have it tried again"

log = structlog.get_logger("enfilade.providers")


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
        self._sources = sources
        self._sealer = sealer
        self._home = home
        self.adapters = Adapters()
        self._ready: dict[str, tuple[ProviderRecord, Provider]] = {}

    # What the gateway asks.

    def get_ready(self, name: str) -> Provider | None:
        """The provider of that name, ready to be called."""
        entry = self._ready.get(name)
        return entry[1] if entry else None

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
            self._sources.check(reference, _param(field))
        self._guard_sealed(present, spec, given)
        if (login := _proxy_login(spec)) is not None:
            self._sources.check(login, "options.proxy_login_env")
        resealed = [await self._seal(unit, _purpose(spec.name, field), secret) for field, secret in given.items()]
        await self._forget(unit, spec.name, references.values())
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
        await self._forget(unit, record.spec.name, ())
        unit.record("ProviderRemoved", name=record.spec.name)
        unit.changed()

    async def _seal(self, unit: UnitOfWork, purpose: str, secret: str) -> bool:
        """Keep the secret; tell whether it is another one than before."""
        fingerprint = self._sealer.fingerprint(secret, purpose)
        if await unit.fetch_value(store.READ_FINGERPRINT, purpose) == fingerprint:
            return False
        await unit.execute(store.PUT_SECRET, purpose, self._sealer.seal(secret, purpose), fingerprint)
        return True

    async def _forget(self, unit: UnitOfWork, name: str, kept: Iterable[SecretReference]) -> None:
        """Delete what was sealed for a provider, but for what is referred to still."""
        await unit.execute(store.FORGET_SECRETS, f"provider:{name}", [reference.sealed or "" for reference in kept])

    def _guard_sealed(self, present: ProviderRecord | None, spec: ProviderSpec, given: Mapping[str, str]) -> None:
        """Whoever changes where a sealed secret is sent must know it: otherwise it could be sent to themselves."""
        before = present.spec.references() if present is not None else {}
        for field, reference in spec.references().items():
            if reference.sealed is None or field in given:
                continue
            if present is None or reference.sealed != _purpose(spec.name, field) or before.get(field) != reference:
                message = "a sealed secret belongs to the provider that it was given to; give the secret itself"
                raise InvalidProvider(message, param=_param(field))
            if self._destination(present.spec) != self._destination(spec):
                message = (
                    "the secret must be given again when the address, the kind or the options of a provider change"
                )
                raise InvalidProvider(message, param=_param(field))

    def _destination(self, spec: ProviderSpec) -> tuple[str, str, dict[str, Any]]:
        return spec.kind, self.adapters.base_url(spec), spec.options

    # The directory's section.

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """See `Section.load`. A provider whose specification did not change keeps its connections."""
        if tenants is not None:
            return lambda: None  # Providers belong to the installation: a tenant's change does not concern them.
        records = [_record(row) for row in await unit.fetch(store.LOAD_PROVIDERS)]
        opened = await self._open_sealed(records)
        ready: dict[str, tuple[ProviderRecord, Provider]] = {}
        for record in records:
            former = self._ready.get(record.spec.name)
            if former is not None and former[0] == record:
                ready[record.spec.name] = former
                continue
            secrets = {
                name: Credential(reference, self._sources, self._clock, opened.get(reference.sealed or ""))
                for name, reference in record.spec.references().items()
            }
            credential = secrets.pop("api_key", None) or Credential(None, self._sources, self._clock)
            login = _proxy_login(record.spec)
            try:
                provider = self.adapters.make(
                    record.spec,
                    credential,
                    self._client,
                    self._clock,
                    self._sources.read(login) if login else None,
                    secrets,
                )
            except InvalidProvider as error:
                log.error("provider_unusable", provider=record.spec.name, error=error.message, hint=RETRY)  # noqa: TRY400
                continue
            ready[record.spec.name] = (record, provider)
        return lambda: self._install(ready)

    def _install(self, ready: dict[str, tuple[ProviderRecord, Provider]]) -> None:
        former, self._ready = self._ready, ready
        for name, (_, provider) in former.items():
            if name not in ready or ready[name][1] is not provider:
                provider.close()

    async def _open_sealed(self, records: Sequence[ProviderRecord]) -> dict[str, str]:
        names = [found.sealed for record in records for found in record.spec.references().values() if found.sealed]
        if not names:
            return {}
        async with self._home.owner() as connection:
            rows = await connection.fetch(store.READ_SECRETS, names)
        opened = {}
        for row in rows:
            try:
                opened[row["name"]] = self._sealer.open(row["sealed"], row["name"])
            except EnfiladeError as error:
                log.error("secret_unusable", name=row["name"], error=error.message)  # noqa: TRY400
        return opened


def _record(row: Any) -> ProviderRecord:
    return ProviderRecord(str(row["id"]), msgspec.json.decode(row["spec"], type=ProviderSpec), row["version"])


def _purpose(provider: str, name: str) -> str:
    """What a secret is sealed for."""
    return f"provider:{provider}" if name == "api_key" else f"provider:{provider}:{name}"


def _param(name: str) -> str:
    """The field in which a secret is given."""
    return name if name == "api_key" else f"options.{name}"


def _with_sealed(spec: ProviderSpec, given: Collection[str]) -> ProviderSpec:
    """The specification with references to what is going to be sealed."""
    options = dict(spec.options)
    for name in given:
        reference = SecretReference(sealed=_purpose(spec.name, name))
        if name == "api_key":
            spec = msgspec.structs.replace(spec, api_key=reference)
        else:
            options[name] = reference.shown()
    return msgspec.structs.replace(spec, options=options)


def _proxy_login(spec: ProviderSpec) -> SecretReference | None:
    name = spec.options.get("proxy_login_env")
    return SecretReference(env=name) if name else None
