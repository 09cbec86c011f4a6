"""Sealing and opening: under a tenant's key, or under the key of one of its subjects.

What is in memory seals and opens without waiting. `prepare` brings the keys there; a section of the directory takes
them away again, everywhere within a second, when a tenant's key is withdrawn, destroyed or replaced.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import structlog

from enfilade.core.errors import EnfiladeError, InternalError
from enfilade.core.ids import PLATFORM_ID
from enfilade.sealing import store
from enfilade.sealing.errors import CannotOpen, KeyDestroyed, KeyWithdrawn, NoMasterKey
from enfilade.sealing.forms import altered, is_old, reference_of
from enfilade.sealing.keepers import Keepers
from enfilade.sealing.keyring import Key, Keyring, TenantKeys
from enfilade.sealing.old_form import OldForm
from enfilade.sealing.prepared import Prepared
from enfilade.sealing.registry import Registry
from enfilade.sealing.subject_keys import SubjectKeyStore
from enfilade.sealing.tenant_keys import AT_ONCE, USABLE, TenantKeyStore, closed
from enfilade.storage.unit_of_work import UnitOfWork

Found = TypeVar("Found")
RELOADS = 2
"""How often newer versions of a tenant's key are looked for before something counts as altered."""

log = structlog.get_logger("enfilade.sealing")


class Envelope:
    """See the module."""

    of_platform = True
    """The directory's section is loaded from the installation's own database."""

    def __init__(
        self,
        keepers: Keepers,
        registry: Registry,
        tenant_keys: TenantKeyStore,
        subject_keys: SubjectKeyStore,
        ring: Keyring | None = None,
    ) -> None:
        """Nothing can be sealed or opened before `start`."""
        self._keepers = keepers
        self._registry = registry
        self._tenant_keys = tenant_keys
        self._subject_keys = subject_keys
        self._ring = ring or Keyring()
        self._closed: dict[str, bool] = {}
        """Tenants without a usable key, and whether it is withdrawn rather than destroyed."""
        self._refused: dict[str, KeyWithdrawn] = {}
        """Tenants whose own master key is not to be had, as its keeper says."""
        self._old = OldForm(())
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._generation = 0

    async def start(self, most: int) -> None:
        """Check the master keys and bring up to `most` tenants' keys to memory.

        Raises MasterKeyFault, MasterKeyUnavailable, InvalidMasterKeyService; nothing was changed then.
        """
        await self._registry.start()
        self._old = OldForm(self._keepers.direct())
        if self._keepers.current is None:
            return
        self._ring.put(await self._tenant_keys.get(PLATFORM_ID), pinned=True)
        for keys in await self._tenant_keys.every(most):
            if keys.tenant != PLATFORM_ID:
                self._ring.put(keys)

    @property
    def has_key(self) -> bool:
        """Whether anything can be sealed and opened."""
        return self._keepers.current is not None

    def check(self, tenant: str) -> None:
        """Raise KeyWithdrawn or KeyDestroyed for a tenant whose key is."""
        if (withdrawn := self._closed.get(tenant)) is not None:
            raise closed(withdrawn=withdrawn)
        if (refusal := self._refused.get(tenant)) is not None:
            raise KeyWithdrawn(refusal.message)

    async def prepare(self, tenant: str, subject: str | None = None, sealed: Iterable[bytes] = ()) -> Prepared:
        """The keys to seal for a tenant, or a subject of its, and to open what is `sealed`.

        Raises KeyWithdrawn, KeyDestroyed, ContentErased, NoMasterKey, MasterKeyUnavailable, DatabaseUnavailable.
        """
        self.check(tenant)
        keys = self._ring.tenant(tenant) or await self._load_tenant(tenant)
        sealing = keys.active
        if subject is not None:
            sealing = self._ring.subject(tenant, subject) or await self._load_subject(keys, subject)
        opening = dict(keys.versions)
        opening[sealing.id] = sealing
        wanted = {reference_of(one, "a content").key for one in sealed if one and not is_old(one)} - opening.keys()
        erased: set[str] = set()
        missing = set()
        for identifier in wanted:
            if (key := self._ring.subject(tenant, identifier)) is not None:
                opening[identifier] = key
            else:
                missing.add(identifier)
        if missing:
            generation = self._generation
            keys, (found, erased) = await self._with_newest(keys, lambda held: self._subject_keys.load(held, missing))
            self.check(tenant)
            for key in found:
                opening[key.id] = key
                if generation == self._generation:
                    self._ring.put_subject(key)
            opening.update(keys.versions)
            if missing - erased - opening.keys():
                # Perhaps sealed under a version of the tenant's key that is newer than ours.
                keys = await self._load_tenant(tenant, keys)
                opening.update(keys.versions)
        return Prepared(tenant, sealing, opening, frozenset(erased), self._old)

    def seal(self, tenant: str, purpose: str, plaintext: bytes, subject: str | None = None) -> bytes:
        """The sealed form, under keys that are in memory. Raises NoMasterKey, KeyWithdrawn, KeyDestroyed."""
        self.check(tenant)
        keys = self._held(tenant)
        if subject is None:
            return keys.active.seal(purpose, plaintext)
        return self._held_subject(tenant, subject).seal(purpose, plaintext)

    def open(self, tenant: str, purpose: str, sealed: bytes, subject: str | None = None) -> bytes:
        """The plaintext, under keys that are in memory. Raises CannotOpen, and as `seal` does."""
        self.check(tenant)
        if is_old(sealed):
            return self._old.open(sealed, purpose)
        if subject is not None:
            return self._held_subject(tenant, subject).open(purpose, sealed)
        identifier = reference_of(sealed, purpose).key
        key = self._held(tenant).versions.get(identifier)
        if key is None:
            raise altered(purpose)
        return key.open(purpose, sealed)

    def keys_of_platform(self) -> TenantKeys:
        """The keys of the platform's own secrets. Raises NoMasterKey."""
        return self._held(PLATFORM_ID)

    def _held(self, tenant: str) -> TenantKeys:
        keys = self._ring.tenant(tenant)
        if keys is None:
            if not self.has_key:
                raise NoMasterKey("Secrets given as values are sealed under a master key, and there is none.")
            raise InternalError("The tenant's key is not in memory: it is to be prepared first.")
        return keys

    def _held_subject(self, tenant: str, subject: str) -> Key:
        key = self._ring.subject(tenant, subject)
        if key is None:
            raise InternalError("The subject's key is not in memory: it is to be prepared first.")
        return key

    async def _load_tenant(self, tenant: str, known: TenantKeys | None = None) -> TenantKeys:
        """Read a tenant's keys, once for all who wait for them; again, where `known` lacks something."""
        async with self._turn(tenant):
            held = self._ring.tenant(tenant)
            if held is not None and held is not known:
                return held
            while True:
                generation = self._generation
                keys = await self._tenant_keys.get(tenant)
                self.check(tenant)
                if generation == self._generation:
                    self._ring.put(keys, pinned=tenant == PLATFORM_ID)
                    return keys

    async def _load_subject(self, keys: TenantKeys, subject: str) -> Key:
        tenant = keys.tenant
        async with self._turn(f"{tenant}/{subject}"):
            while True:
                if (held := self._ring.subject(tenant, subject)) is not None:
                    return held
                generation = self._generation
                keys, key = await self._with_newest(keys, lambda held: self._subject_keys.get(held, subject))
                self.check(tenant)
                if generation == self._generation:
                    self._ring.put_subject(key)
                    return key

    async def _with_newest(
        self, keys: TenantKeys, read: Callable[[TenantKeys], Awaitable[Found]]
    ) -> tuple[TenantKeys, Found]:
        """What `read` reads with these keys, or with newer ones where it is wrapped under a version that they lack."""
        for _ in range(RELOADS):
            try:
                return keys, await read(keys)
            except CannotOpen:
                keys = await self._load_tenant(keys.tenant, keys)
        return keys, await read(keys)

    def _turn(self, name: str) -> asyncio.Lock:
        """One at a time reads a key. The lock lives as long as somebody holds it."""
        turn = self._turns.get(name)
        if turn is None:
            turn = self._turns[name] = asyncio.Lock()
        return turn

    # The directory's section.

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Any:
        """See `Section.load`. The keys of tenants whose versions changed are let go, and read again when needed."""
        rows = await unit.fetch(store.TENANT_STATES, None if tenants is None else list(tenants))
        usable: dict[str, set[str]] = {}
        states: dict[str, set[str]] = {}
        for row in rows:
            tenant = str(row["tenant_id"])
            states.setdefault(tenant, set()).add(row["state"])
            if row["state"] in USABLE:
                usable.setdefault(tenant, set()).add(str(row["id"]))
        shut = {tenant: "withdrawn" in found for tenant, found in states.items() if not found & USABLE}
        platform = await self._platform_keys(usable.get(PLATFORM_ID))
        return lambda: self._install(tenants, usable, shut, platform)

    async def _platform_keys(self, usable: set[str] | None) -> TenantKeys | None:
        """The platform's keys anew, when they are others than those in memory."""
        held = self._ring.tenant(PLATFORM_ID)
        if not usable or held is None or held.versions.keys() == usable:
            return None
        try:
            return await self._tenant_keys.get(PLATFORM_ID)
        except EnfiladeError as error:
            log.error("platform_key_not_renewed", error=error.message)  # noqa: TRY400 - what is in memory serves on
            return None

    def _install(
        self,
        tenants: Collection[str] | None,
        usable: dict[str, set[str]],
        shut: dict[str, bool],
        platform: TenantKeys | None,
    ) -> None:
        self._generation += 1
        if tenants is None:
            self._closed = shut
        else:
            for tenant in tenants:
                self._closed.pop(tenant, None)
            self._closed.update(shut)
        if platform is not None:
            self._ring.put(platform, pinned=True)
        concerned = self._ring.held() if tenants is None else list(tenants)
        for tenant in concerned:
            held = self._ring.tenant(tenant)
            if tenant != PLATFORM_ID and held is not None and held.versions.keys() != usable.get(tenant, set()):
                self._ring.drop_tenant(tenant)
        # A subject's key may have been destroyed: the others are read again.
        self._ring.drop_subjects(None if tenants is None else set(tenants))

    async def check_own_keys(self) -> None:
        """Ask for the master keys that tenants brought whether they may still be used.

        What a keeper refuses is let go, and taken up again when it is allowed; while a keeper cannot be reached, what is
        in memory serves on. Several are asked at a time, so that one that is away does not hold up the others.
        """
        turns = asyncio.Semaphore(AT_ONCE)

        async def check(tenant: str) -> None:
            async with turns:
                await self._check_own_key(tenant)

        await asyncio.gather(*map(check, {*self._ring.with_own_master_key(), *self._refused}))

    async def _check_own_key(self, tenant: str) -> None:
        try:
            await self._tenant_keys.get(tenant)
        except (KeyWithdrawn, KeyDestroyed) as error:
            if tenant not in self._refused:
                log.warning("tenant_key_refused", tenant=tenant, error=error.message)
            self._refused[tenant] = KeyWithdrawn(error.message)
            self._ring.drop_tenant(tenant)
        except EnfiladeError as error:
            log.warning("tenant_key_unchecked", tenant=tenant, error=error.message)
        else:
            if self._refused.pop(tenant, None) is not None:
                log.info("tenant_key_allowed", tenant=tenant)
