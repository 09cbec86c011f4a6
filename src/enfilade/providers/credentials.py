"""Credentials for providers: references that are followed when a call needs them.

What administrators may refer to is bounded by the operator's settings, because a reference comes in through the API:
only variables whose names match a pattern, only files below certain directories, only matching paths in Vault.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import structlog

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.providers.errors import CredentialMissing, InvalidProvider
from enfilade.providers.types import SecretReference
from enfilade.sealing.vault.secrets import VaultSecret, VaultSecrets
from enfilade.sealing.vault.types import SecretPath
from enfilade.sealing.watched_file import WatchedFile

FILE_CHECK_S = 5.0
GRACE_S = 24 * 3600.0
FIRST_READ_S = 5.0
"""How long the first call waits for a secret that was not read from Vault yet."""

log = structlog.get_logger("enfilade.providers")


@dataclass(frozen=True, slots=True)
class SecretSources:
    """Where references may lead."""

    environment: Mapping[str, str]
    allowed_names: Sequence[str]
    directories: Sequence[Path]
    allowed_paths: Sequence[str] = ()
    vault: VaultSecrets | None = None
    grace_s: float = GRACE_S
    """How long the former content of a file or of a secret in Vault still serves."""

    def check(self, reference: SecretReference, param: str = "api_key") -> None:
        """Refuse, with InvalidProvider, a reference in `param` that the operator's settings do not allow."""
        if reference.env is not None and not self._may_read(reference.env):
            message = (
                f"the variable {reference.env!r} may not be used as a secret; ENFILADE_SECRET_ENV allows "
                f"{', '.join(self.allowed_names)}"
            )
            raise InvalidProvider(message, param=f"{param}.env")
        if reference.file is not None and self.path(reference.file) is None:
            allowed = ", ".join(str(directory) for directory in self.directories) or "no directory"
            message = f"the file {reference.file!r} may not be used as a secret; ENFILADE_SECRET_DIRS allows {allowed}"
            raise InvalidProvider(message, param=f"{param}.file")
        if reference.vault is not None:
            self._check_vault(reference.vault, f"{param}.vault")

    def _check_vault(self, text: str, param: str) -> None:
        try:
            where = SecretPath.parse(text)
        except EnfiladeError as error:
            raise InvalidProvider(error.message, param=param) from None
        if not self._may_ask(where.path):
            allowed = ", ".join(self.allowed_paths) or "no path"
            message = (
                f"the path {where.path!r} in Vault may not be used as a secret; ENFILADE_SECRET_VAULT allows {allowed}"
            )
            raise InvalidProvider(message, param=param)
        if self.vault is None or not self.vault.is_set:
            message = "no Vault is set for this installation; see ENFILADE_VAULT_ADDR"
            raise InvalidProvider(message, param=param)

    def _may_read(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.allowed_names)

    def _may_ask(self, path: str) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self.allowed_paths)

    def path(self, name: str) -> Path | None:
        """Where a file is, links followed; None when that is outside what may be read."""
        path = Path(name).resolve()
        return path if any(path.is_relative_to(directory.resolve()) for directory in self.directories) else None

    def secret(self, text: str) -> tuple[VaultSecret, str] | None:
        """What is watched in Vault for a reference, and the field; None when it may not be asked."""
        try:
            where = SecretPath.parse(text)
        except EnfiladeError:
            return None
        if self.vault is None or not self._may_ask(where.path):
            return None
        return self.vault.watch(where.path), where.field

    def retain(self, references: Iterable[SecretReference]) -> None:
        """Forget what was read from Vault for others than these references."""
        if self.vault is not None:
            texts = [reference.vault for reference in references if reference.vault is not None]
            self.vault.retain({text.partition("#")[0] for text in texts})

    def read(self, reference: SecretReference) -> str | None:
        """The secret behind a variable or a file, read now; None when there is none or it may not be read."""
        if reference.env is not None:
            return self.environment.get(reference.env, "").strip() or None if self._may_read(reference.env) else None
        if reference.file is not None and (path := self.path(reference.file)) is not None:
            file = WatchedFile(path)
            file.look()
            return file.text
        return None


@dataclass(frozen=True, slots=True)
class OldKey:
    """A key that still serves, where the new one is refused, until a moment."""

    credential: "Credential"
    until_ns: int


class Credential:
    """One secret of a provider. A file and a secret in Vault are followed, so that they can be rotated in place."""

    def __init__(
        self,
        reference: SecretReference | None,
        sources: SecretSources,
        clock: Clock,
        opened: str | None = None,
        old: OldKey | None = None,
    ) -> None:
        """Follow `reference`, or hold `opened`, the secret of a sealed one. `old` is the key that it replaced."""
        self._reference = reference
        self._sources = sources
        self._clock = clock
        self._value = opened.strip() if opened is not None else None
        self._old = old
        self._former: str | None = None
        self._former_until = float("-inf")
        self._looked_at = float("-inf")
        self._file = WatchedFile(Path(reference.file)) if reference is not None and reference.file else None
        self._fault: str | None = None
        self._watched = sources.secret(reference.vault) if reference is not None and reference.vault else None
        self._generation = 0

    @property
    def is_set(self) -> bool:
        """Whether a key was configured at all."""
        return self._reference is not None

    @property
    def may_rotate(self) -> bool:
        """Whether there may be a former value now or later."""
        return self._old is not None or self._file is not None or self._watched is not None

    def follows(self, reference: SecretReference) -> bool:
        """Whether it follows this reference, and knows what was there before."""
        return self._reference == reference and self._old is None and (self._file or self._watched) is not None

    @property
    def is_cold(self) -> bool:
        """Whether nobody has asked Vault for it yet."""
        return self._watched is not None and not self._watched[0].tried.is_set()

    async def warm(self) -> None:
        """Wait, for a while, until Vault was asked."""
        if self._watched is not None:
            try:
                async with asyncio.timeout(FIRST_READ_S):
                    await self._watched[0].tried.wait()
            except TimeoutError:
                return  # Whoever needs the value is told that there is none.

    def value(self) -> str:
        """The key. Raises CredentialMissing when the reference leads nowhere."""
        if self._watched is not None:
            if self._generation != self._watched[0].generation:
                self._follow_vault(*self._watched)
        elif self._file is not None:
            if self._clock.monotonic() - self._looked_at > FILE_CHECK_S:
                self._follow_file(self._file)
        elif self._value is None and self._reference is not None:
            self._value = self._sources.read(self._reference)
        if not self._value:
            raise CredentialMissing(self._what_is_missing())
        return self._value

    def former(self) -> str | None:
        """The key that was valid before, while its grace lasts."""
        if self._old is not None and self._clock.now_ns() < self._old.until_ns:
            with contextlib.suppress(CredentialMissing):
                return self._old.credential.value()
        if self._former is not None and self._clock.monotonic() >= self._former_until:
            self._former = None
        return self._former

    def _follow_file(self, file: WatchedFile) -> None:
        self._looked_at = self._clock.monotonic()
        name = str(self._reference.file) if self._reference is not None else ""
        if self._sources.path(name) is None:
            fault: str | None = "it leads out of what ENFILADE_SECRET_DIRS allows"
        else:
            if file.look():
                self._replace(file.text)
            fault = file.fault
        if fault != self._fault and self._value is not None:
            if fault is None:
                log.info("secret_file_back", path=name)
            else:
                log.warning("secret_file_kept", path=name, error=f"The last content goes on being used: {fault}.")
        self._fault = fault

    def _follow_vault(self, secret: VaultSecret, field: str) -> None:
        self._generation = secret.generation
        found = secret.field(field)
        if found is None and self._value is not None:
            log.error("secret_gone", path=secret.path, name=field)
        self._replace(found)

    def _replace(self, value: str | None) -> None:
        if self._value is not None and value is not None and value != self._value and self._sources.grace_s > 0:
            self._former = self._value
            self._former_until = self._clock.monotonic() + self._sources.grace_s
        self._value = value

    def _what_is_missing(self) -> str:
        message = "The key that Enfilade should use for the provider is not set."
        if self._reference is None or self._reference.vault is None:
            return message
        if self._watched is None:
            return f"{message} Its place in Vault is not among those that ENFILADE_SECRET_VAULT allows."
        fault = self._watched[0].fault
        if fault is not None:
            return f"{message} It could not be read from Vault."
        if not self._watched[0].tried.is_set():
            return f"{message} It has not been read from Vault yet."
        return f"{message} The secret in Vault has no such field."

    def for_file(self, path: str) -> "Credential":
        """The content of another file, within the same bounds and as fresh."""
        return Credential(SecretReference(file=path), self._sources, self._clock)

    def variable(self, name: str) -> str | None:
        """What a cloud's platform put into the environment, under a name that no administrator chose."""
        return self._sources.environment.get(name) or None

    def __repr__(self) -> str:
        """Never the key."""
        return f"Credential({self._reference!r})"


class FormerCredential(Credential):
    """What a credential was before it was rotated; itself, where it was not."""

    def __init__(self, present: Credential) -> None:
        """Look at `present` each time."""
        self._present = present

    @property
    def is_set(self) -> bool:
        """See `Credential.is_set`."""
        return self._present.is_set

    def value(self) -> str:
        """See `Credential.value`."""
        return self._present.former() or self._present.value()

    @property
    def may_rotate(self) -> bool:
        """See `Credential.may_rotate`: nothing older is kept."""
        return False

    @property
    def is_cold(self) -> bool:
        """See `Credential.is_cold`."""
        return self._present.is_cold

    async def warm(self) -> None:
        """See `Credential.warm`."""
        await self._present.warm()

    def follows(self, reference: SecretReference) -> bool:
        """See `Credential.follows`."""
        return self._present.follows(reference)

    def former(self) -> str | None:
        """See `Credential.former`: nothing older is kept."""
        return None

    def for_file(self, path: str) -> Credential:
        """See `Credential.for_file`."""
        return self._present.for_file(path)

    def __repr__(self) -> str:
        """Never the key."""
        return f"FormerCredential({self._present!r})"
