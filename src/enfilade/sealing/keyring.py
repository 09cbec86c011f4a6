"""Keys in memory: as many as the bound allows, the ones used least lately let go first."""

import hmac
from collections import OrderedDict
from dataclasses import dataclass, field

from enfilade.sealing.cipher import MessageCipher
from enfilade.sealing.forms import HEADER_BYTES, altered, bound_to, header, reference_of

MOST_TENANTS = 20_000
MOST_SUBJECTS = 50_000


class Key:
    """One version of a tenant's or a subject's key, ready for use."""

    __slots__ = ("_cipher", "_header", "_secret", "id", "subject", "tenant", "version")

    def __init__(self, tenant: str, subject: str | None, identifier: str, version: int, secret: bytes) -> None:
        """Bind `secret` to whose key it is."""
        self.tenant = tenant
        self.subject = subject
        self.id = identifier
        self.version = version
        self._header = header(identifier, version)
        self._secret = secret
        self._cipher: MessageCipher | None = None
        """Made when it is used: at the start thousands of keys are brought to memory."""

    def __repr__(self) -> str:
        """Never the secret."""
        return f"Key({self.id}, version {self.version})"

    @property
    def mark(self) -> bytes:
        """What the sealed form has after its first byte: the key's id."""
        return self._header[1:17]

    def seal(self, purpose: str, plaintext: bytes) -> bytes:
        """The sealed form. It opens for the same tenant, subject and purpose only."""
        return self._header + self._ready().encrypt(plaintext, self._context(purpose))

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """The plaintext. Raises CannotOpen."""
        reference = reference_of(sealed, purpose)
        plaintext = None
        if reference.key == self.id and reference.version == self.version:
            plaintext = self._ready().decrypt(sealed[HEADER_BYTES:], self._context(purpose))
        if plaintext is None:
            raise altered(purpose)
        return plaintext

    def fingerprint(self, purpose: str, secret: bytes) -> bytes:
        """A keyed hash that is the same for the same secret, purpose and key, and tells nothing else."""
        comparing = hmac.digest(self._secret, b"enfilade fingerprints", "sha256")
        return hmac.digest(comparing, bound_to(purpose, secret), "sha256")

    def _ready(self) -> MessageCipher:
        if self._cipher is None:
            self._cipher = MessageCipher(self._secret)
        return self._cipher

    def _context(self, purpose: str) -> bytes:
        return bound_to(self._header, self.tenant, self.subject or "", purpose)


@dataclass(frozen=True, slots=True)
class TenantKeys:
    """All usable versions of a tenant's key; the newest seals."""

    tenant: str
    active: Key
    versions: dict[str, Key] = field(repr=False)
    """By id."""
    has_own_master_key: bool = False
    """Whether the tenant brought the master key under which they are wrapped."""


class Keyring:
    """See the module."""

    def __init__(self, most_tenants: int = MOST_TENANTS, most_subjects: int = MOST_SUBJECTS) -> None:
        """Start empty."""
        self._most_tenants = most_tenants
        self._most_subjects = most_subjects
        self._tenants: OrderedDict[str, TenantKeys] = OrderedDict()
        self._pinned: dict[str, TenantKeys] = {}
        self._subjects: OrderedDict[tuple[str, str], Key] = OrderedDict()
        """By tenant and subject, and once more by tenant and key id."""

    def tenant(self, tenant: str) -> TenantKeys | None:
        """The tenant's keys, if they are here."""
        keys = self._pinned.get(tenant) or self._tenants.get(tenant)
        if keys is not None and tenant in self._tenants:
            self._tenants.move_to_end(tenant)
        return keys

    def subject(self, tenant: str, name: str) -> Key | None:
        """A subject's key, by the subject or by the key's id, if it is here."""
        key = self._subjects.get((tenant, name))
        if key is not None:
            self._subjects.move_to_end((tenant, name))
        return key

    def put(self, keys: TenantKeys, *, pinned: bool = False) -> None:
        """Keep a tenant's keys; `pinned` ones are never let go."""
        if pinned:
            self._pinned[keys.tenant] = keys
            return
        self._tenants[keys.tenant] = keys
        self._tenants.move_to_end(keys.tenant)
        while len(self._tenants) > self._most_tenants:
            self._tenants.popitem(last=False)

    def put_subject(self, key: Key) -> None:
        """Keep a subject's key."""
        assert key.subject is not None
        for name in (key.subject, key.id):
            self._subjects[key.tenant, name] = key
            self._subjects.move_to_end((key.tenant, name))
        while len(self._subjects) > 2 * self._most_subjects:
            self._subjects.popitem(last=False)

    def drop_tenant(self, tenant: str) -> None:
        """Forget a tenant's keys and those of its subjects."""
        self._pinned.pop(tenant, None)
        self._tenants.pop(tenant, None)
        self.drop_subjects({tenant})

    def drop_subjects(self, tenants: set[str] | None) -> None:
        """Forget the keys of these tenants' subjects, or of all (None)."""
        if tenants is None:
            self._subjects.clear()
            return
        for place in [place for place in self._subjects if place[0] in tenants]:
            del self._subjects[place]

    def with_own_master_key(self) -> list[str]:
        """The tenants here that brought their own master key."""
        return [tenant for tenant, keys in self._tenants.items() if keys.has_own_master_key]

    def held(self) -> list[str]:
        """The tenants whose keys are here."""
        return [*self._pinned, *self._tenants]
