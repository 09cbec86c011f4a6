"""The nouns of this room."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from enfilade.dialects.traits import Traits
from enfilade.dialects.types import Dialect, Request
from enfilade.providers.errors import ProviderError
from enfilade.providers.transport.types import Timeouts

ZONES = ("on_premise", "private_cloud", "public_cloud")


class SecretReference(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a secret is; exactly one field is set. `sealed` names a row of sealed secrets."""

    env: str | None = None
    file: str | None = None
    vault: str | None = None
    """`PATH#FIELD`; see `SecretPath`."""
    sealed: str | None = None

    def shown(self) -> dict[str, str]:
        """The reference without anything secret, for exports and people."""
        if self.env is not None:
            return {"env": self.env}
        if self.file is not None:
            return {"file": self.file}
        if self.vault is not None:
            return {"vault": self.vault}
        return {"sealed": self.sealed or ""}


_REFERENCE = frozenset(SecretReference.__struct_fields__)


class PreviousKey(msgspec.Struct, frozen=True):
    """The key that another one replaced, and the moment from which it is forgotten."""

    reference: SecretReference
    until_ns: int


class TimeoutSpec(msgspec.Struct, frozen=True):
    """Seconds for each phase; see `Timeouts`."""

    connect: float = 5.0
    first_byte: float = 60.0
    between_bytes: float = 30.0
    total: float = 600.0

    def timeouts(self) -> Timeouts:
        """As the HTTP client takes them."""
        return Timeouts(self.connect, self.first_byte, self.between_bytes, self.total)


class ProviderSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an administrator says of a provider."""

    name: str
    kind: str
    base_url: str | None = None
    api_key: SecretReference | None = None
    region: str | None = None
    zone: str = "public_cloud"
    timeout: TimeoutSpec = TimeoutSpec()
    max_concurrency: int | None = None
    allow_private_network: bool = False
    options: dict[str, Any] = {}
    """Texts, and references to secrets in their shown form."""
    previous_key: PreviousKey | None = None
    """Set by a rotation, never by an administrator."""

    def references(self) -> dict[str, SecretReference]:
        """Where its secrets are: the key's under `api_key`, those of options under their names."""
        found = {
            name: SecretReference(**value)
            for name, value in self.options.items()
            if isinstance(value, dict) and len(value) == 1 and set(value) <= _REFERENCE and _are_texts(value.values())
        }
        return found if self.api_key is None else found | {"api_key": self.api_key}


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """A provider as it is stored."""

    id: str
    spec: ProviderSpec
    version: int


class Outgoing(msgspec.Struct):
    """One attempt at a call."""

    call_id: str
    dialect: Dialect
    """The dialect in which the provider is spoken to, which need not be the caller's."""
    request: Request
    """What the caller asked, in the caller's dialect."""
    body: bytes
    model: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    attempt: int = 1
    stream: bool = False
    sent: bool = False
    """Set by the provider once bytes have gone out: from then on nobody knows that nothing was spent."""

    def mark_sent(self) -> None:
        """Bytes are on their way."""
        self.sent = True


class Incoming(Protocol):
    """A successful reply that is arriving."""

    status: int
    headers: list[tuple[bytes, bytes]]

    async def read(self) -> bytes:
        """The whole body. Raises ProviderError."""
        ...

    async def next_chunk(self) -> bytes:
        """What has come, as soon as there is something; empty at the end. Raises ProviderError."""
        ...

    def abort(self) -> None:
        """Nobody will read the rest; the provider must notice within a second. Harmless after the end."""
        ...


class Provider(Protocol):
    """A configured provider, ready to be called."""

    spec: ProviderSpec
    base_url: str
    dialects: tuple[str, ...]
    """Those that it speaks; the first ones are preferred when a call has to be translated."""
    traits: Traits

    def dialects_of(self, model: str) -> tuple[str, ...]:
        """Those of its dialects that the model speaks, in the same order."""
        ...

    async def send(self, outgoing: Outgoing) -> Incoming:
        """Make one attempt; returns once the reply has begun, and it is a success. Raises ProviderError."""
        ...

    def reported_failure(self, body: bytes) -> ProviderError | None:
        """The error in what came as a success: a reply's body, or the data of a stream's event. None if it tells
        nothing that we know.
        """
        ...

    def exact_input(self, dialect: Dialect, request: Request) -> int | None:
        """Exactly how many tokens the input will be charged as, where the provider lets us know; else None."""
        ...

    def close(self) -> None:
        """The provider was changed or removed: let go of what is idle."""
        ...
