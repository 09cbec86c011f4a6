"""The master keys at hand: the installation's current one, the one before, and those that tenants brought."""

from pathlib import Path

import structlog

from enfilade.core.families import members
from enfilade.sealing import master_keys as family
from enfilade.sealing.errors import InvalidMasterKeyService, MasterKeyFault
from enfilade.sealing.local_key import LocalMasterKey
from enfilade.sealing.master_key import Adapter, Declared, MasterKey, Needs

LOCAL_KINDS = frozenset({"file", "environment"})

log = structlog.get_logger("enfilade.sealing")


class Keepers:
    """Master keys by name."""

    def __init__(self, needs: Needs, current: Declared | bytes | None, previous: Declared | bytes | None) -> None:
        """Nothing is read or asked before `open`."""
        self._needs = needs
        self._declared = (current, previous)
        self._adapters: dict[str, Adapter] = {adapter.kind: adapter for adapter in members(family, "ADAPTER").values()}
        self._by_name: dict[str, MasterKey] = {}
        self.current: MasterKey | None = None
        self.previous: MasterKey | None = None

    @property
    def is_declared(self) -> bool:
        """Whether the operator gave a master key at all."""
        return self._declared[0] is not None

    def open(self, *, makes_file: bool) -> None:
        """Read or find the declared keys. Raises MasterKeyFault, InvalidMasterKeyService."""
        current, previous = self._declared
        self.current = None if current is None else self._make(current, makes_file=makes_file)
        self.previous = None if previous is None else self._make(previous, makes_file=False)
        if self.current is not None and self.previous is not None and self.current.name == self.previous.name:
            self.previous = None
        self._by_name = {key.name: key for key in (self.current, self.previous) if key is not None}

    def require(self) -> MasterKey:
        """The current master key. Raises MasterKeyFault when there is none."""
        if self.current is None:
            message = "There is no master key."
            raise MasterKeyFault(message)
        return self.current

    def named(self, name: str) -> MasterKey:
        """The master key of that name. Raises MasterKeyFault, InvalidMasterKeyService."""
        if (key := self._by_name.get(name)) is None:
            if name.startswith("local:"):
                message = f"The master key {name} is not configured."
                raise MasterKeyFault(message)
            key = self._by_name[name] = self.service(name)
        return key

    def service(self, text: str) -> MasterKey:
        """The key of a service, from `vault-transit:MOUNT/KEY` and the like. Raises as `named` does."""
        return self._make(declared_service(text), makes_file=False)

    def direct(self) -> list[bytes]:
        """The keys in this process, for what was sealed in the old form."""
        return [key.direct for key in (self.current, self.previous) if key is not None and key.direct is not None]

    def _make(self, declared: Declared | bytes, *, makes_file: bool) -> MasterKey:
        if isinstance(declared, bytes):
            return LocalMasterKey(declared)
        adapter = self._adapters.get(declared.kind)
        if adapter is None:
            known = ", ".join(sorted(self._adapters.keys() - LOCAL_KINDS))
            message = f"{declared.kind[:40]!r} is no service that keeps master keys; there are {known}."
            raise InvalidMasterKeyService(message)
        needs = self._needs
        if makes_file:
            needs = Needs(needs.clock, needs.fetcher, needs.vault, needs.signer, needs.kms_url, makes_file=True)
        return adapter.make(declared.value, needs)


def declared_service(text: str) -> Declared:
    """A service's key from its name. Raises InvalidMasterKeyService for what names none."""
    kind, mark, value = text.partition(":")
    if not mark or not value or kind in LOCAL_KINDS:
        message = f"{text[:100]!r} names no key of a service: write vault-transit:MOUNT/KEY or aws-kms:REGION/KEY-ID."
        raise InvalidMasterKeyService(message)
    return Declared(kind, value)


def declared_file(path: Path) -> Declared:
    """A key in a file."""
    return Declared("file", path)


def declared_text(text: str) -> Declared:
    """A key in the environment."""
    return Declared("environment", text)
