"""Providers: declared by administrators, held ready in memory."""

import re
from collections.abc import Collection, Sequence
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
        self, unit: UnitOfWork, spec: ProviderSpec, secret: str | None = None, expected: int | None = None
    ) -> tuple[ProviderRecord, Outcome]:
        """Declare a provider; `secret` is a key given as a value, which is sealed.

        Raises InvalidProvider, VersionMismatch, and StorageFault when there is no master key to seal with.
        """
        check_name(spec.name, NAME)
        present = await self.find(unit, spec.name)
        if secret is not None:
            spec = msgspec.structs.replace(spec, api_key=SecretReference(sealed=f"provider:{spec.name}"))
        self.adapters.check(spec)
        if spec.api_key is not None:
            self._sources.check(spec.api_key)
            _guard_sealed(present, spec, secret)
        if (login := _proxy_login(spec)) is not None:
            self._sources.check(login, "options.proxy_login_env")
        resealed = secret is not None and await self._seal(unit, spec.name, secret)
        if present is None:
            await unit.execute(store.INSERT_PROVIDER, self._ids.new_id(), spec.name, canonical_text(spec))
            outcome = Outcome.CREATED
        else:
            check_version(expected, present.version)
            if present.spec == spec and not resealed:
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
        await unit.execute(store.DELETE_SECRET, f"provider:{record.spec.name}")
        unit.record("ProviderRemoved", name=record.spec.name)
        unit.changed()

    async def _seal(self, unit: UnitOfWork, name: str, secret: str) -> bool:
        """Keep the secret; tell whether it is another one than before."""
        purpose = f"provider:{name}"
        fingerprint = self._sealer.fingerprint(secret, purpose)
        if await unit.fetch_value(store.READ_FINGERPRINT, purpose) == fingerprint:
            return False
        await unit.execute(store.PUT_SECRET, purpose, self._sealer.seal(secret, purpose), fingerprint)
        return True

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
            sealed = record.spec.api_key.sealed if record.spec.api_key else None
            credential = Credential(
                record.spec.api_key, self._sources, self._clock, opened.get(sealed) if sealed else None
            )
            login = _proxy_login(record.spec)
            try:
                provider = self.adapters.make(
                    record.spec, credential, self._client, self._clock, self._sources.read(login) if login else None
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
        names = [r.spec.api_key.sealed for r in records if r.spec.api_key and r.spec.api_key.sealed]
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


def _guard_sealed(present: ProviderRecord | None, spec: ProviderSpec, secret: str | None) -> None:
    """Whoever changes where a sealed key is sent must know the key: otherwise it could be sent to themselves."""
    if spec.api_key is None or spec.api_key.sealed is None or secret is not None:
        return
    if spec.api_key.sealed != f"provider:{spec.name}" or present is None:
        message = "a sealed key belongs to the provider that it was given to; give the key itself"
        raise InvalidProvider(message, param="api_key")
    before, after = present.spec, spec
    if (before.kind, before.base_url, before.options) != (after.kind, after.base_url, after.options):
        message = "the key must be given again when the address, the kind or the options of a provider change"
        raise InvalidProvider(message, param="api_key")


def _proxy_login(spec: ProviderSpec) -> SecretReference | None:
    name = spec.options.get("proxy_login_env")
    return SecretReference(env=name) if name else None
