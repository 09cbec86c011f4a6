"""Replacing a provider's key without an outage: the new one is used first, the old one serves for a while."""

import math

import msgspec
import structlog

from enfilade.core.canonical import canonical_text
from enfilade.core.clock import NANOSECONDS, Clock, to_rfc3339
from enfilade.core.errors import EnfiladeError
from enfilade.identity.rows import check_version
from enfilade.identity.scopes import system_scope
from enfilade.providers import store
from enfilade.providers.errors import InvalidProvider
from enfilade.providers.sealed_secrets import PREVIOUS, all_references, purpose_of
from enfilade.providers.service import Providers
from enfilade.providers.types import PreviousKey, ProviderRecord, ProviderSpec, SecretReference
from enfilade.storage.unit_of_work import Storage, UnitOfWork
from enfilade.telemetry import names
from enfilade.telemetry.metrics import Metrics

MAX_GRACE_S = 30 * 86_400.0
LOOK_EVERY_S = 30.0
TELL_EVERY_S = 3600.0
"""How often at most the event log is told that a provider's old key helped."""
FALLEN_BACK = "the provider refuses the new key and takes the former one; see to the new key before the grace is over"

log = structlog.get_logger("enfilade.providers")


class KeyRotation:
    """Rotates keys, forgets the old ones when their grace is over, and tells when one of them was needed."""

    def __init__(self, providers: Providers, storage: Storage, clock: Clock, metrics: Metrics) -> None:
        """Rotate the keys of `providers`."""
        self._providers = providers
        self._storage = storage
        self._clock = clock
        self._metrics = metrics
        self._told: dict[str, float] = {}
        self._to_tell: set[str] = set()
        providers.adapters.on_fall_back = self.fell_back

    async def rotate(
        self,
        unit: UnitOfWork,
        name: str,
        key: SecretReference | str,
        grace_s: float,
        expected: int | None = None,
    ) -> ProviderRecord:
        """Give a provider another key: a reference, or the key itself. The old one serves for the grace.

        Raises UnknownProvider, InvalidProvider, VersionMismatch, StorageFault.
        """
        if not 0 <= grace_s <= MAX_GRACE_S:
            message = "a grace lasts from nothing to 30 days"
            raise InvalidProvider(message, param="grace")
        present = await self._providers.get(unit, name)
        check_version(expected, present.version)
        spec = present.spec
        if spec.api_key is None:
            message = f"the provider {spec.name!r} has no api_key that could be rotated"
            raise InvalidProvider(message, param="api_key")
        reference = (
            key if isinstance(key, SecretReference) else SecretReference(sealed=purpose_of(spec.name, "api_key"))
        )
        if isinstance(key, SecretReference):
            self._check_reference(spec, reference)
        old = await self._keep_old(unit, spec, spec.api_key) if grace_s > 0 else None
        if isinstance(key, str) and not await self._providers.sealed.put(unit, purpose_of(spec.name, "api_key"), key):
            message = "that is the key that the provider has already"
            raise InvalidProvider(message, param="api_key")
        until_ns = self._clock.now_ns() + round(grace_s * NANOSECONDS)
        previous = None if old is None else PreviousKey(old, until_ns)
        changed = msgspec.structs.replace(spec, api_key=reference, previous_key=previous)
        await self._store(unit, present, changed)
        unit.record(
            "ProviderKeyRotated",
            name=spec.name,
            api_key=reference.shown(),
            previous_api_key=None if old is None else old.shown(),
            until=None if old is None else to_rfc3339(until_ns),
        )
        return await self._providers.get(unit, name)

    def _check_reference(self, spec: ProviderSpec, reference: SecretReference) -> None:
        if reference.sealed is not None:
            message = "give the new key as {env: NAME}, {file: PATH}, {vault: PATH#FIELD} or {value: TEXT}"
            raise InvalidProvider(message, param="api_key")
        if reference == spec.api_key:
            message = (
                "the provider's key is there already; what a file or Vault holds is followed without a rotation, and "
                "its former content serves for ENFILADE_SECRET_GRACE_HOURS"
            )
            raise InvalidProvider(message, param="api_key")
        self._providers.sources.check(reference)

    async def _keep_old(self, unit: UnitOfWork, spec: ProviderSpec, old: SecretReference) -> SecretReference | None:
        """Where the old key is from now on. A sealed one is sealed again: its place is the new one's."""
        if old.sealed is None:
            return old
        opened = await self._providers.sealed.open([old.sealed])
        if old.sealed not in opened:
            return None
        purpose = purpose_of(spec.name, PREVIOUS)
        await self._providers.sealed.put(unit, purpose, opened[old.sealed])
        return SecretReference(sealed=purpose)

    async def _store(self, unit: UnitOfWork, present: ProviderRecord, spec: ProviderSpec) -> None:
        await unit.execute(store.UPDATE_PROVIDER, present.id, canonical_text(spec))
        await self._providers.sealed.forget(unit, spec.name, all_references(spec).values())
        unit.changed()

    async def forget_old(self, unit: UnitOfWork, name: str) -> bool:
        """Forget a provider's old key if its grace is over; tell whether there was one."""
        present = await self._providers.find(unit, name)
        if present is None or not self._is_over(present.spec):
            return False
        await self._store(unit, present, msgspec.structs.replace(present.spec, previous_key=None))
        unit.record("ProviderKeyForgotten", name=present.spec.name)
        return True

    def _is_over(self, spec: ProviderSpec) -> bool:
        return spec.previous_key is not None and spec.previous_key.until_ns <= self._clock.now_ns()

    # What the providers tell.

    def fell_back(self, name: str) -> None:
        """A provider refused its new key and took the old one."""
        self._metrics.count(names.KEY_FALLBACKS, name)
        now = self._clock.monotonic()
        if now - self._told.get(name, float("-inf")) < TELL_EVERY_S:
            return
        self._told[name] = now
        self._to_tell.add(name)
        log.warning("provider_key_fell_back", provider=name, hint=FALLEN_BACK)

    async def tend(self) -> None:
        """Write down which old keys were needed, and forget those whose grace is over. Raises DatabaseUnavailable."""
        over = [spec.name for spec in self._providers.specs() if self._is_over(spec)]
        for name in over:
            async with self._storage.unit_of_work(system_scope("key_rotation")) as unit:
                if await self.forget_old(unit, name):
                    log.info("provider_key_forgotten", provider=name)
        for name in sorted(self._to_tell):
            async with self._storage.unit_of_work(system_scope("key_rotation")) as unit:
                unit.record("ProviderKeyFellBack", name=name)
            self._to_tell.discard(name)

    async def run(self) -> None:
        """Tend to it until cancelled."""
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            try:
                await self.tend()
            except EnfiladeError as error:
                log.warning("key_rotation_not_tended", error=error.message)


def until_text(previous: PreviousKey) -> str:
    """The moment at which an old key is forgotten, as people read it."""
    return to_rfc3339(math.ceil(previous.until_ns / NANOSECONDS) * NANOSECONDS)
