"""Credentials for providers: references that are followed when a call needs them.

What administrators may refer to is bounded by the operator's settings, because a reference comes in through the API:
only variables whose names match a pattern, only files below certain directories.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from enfilade.core.clock import Clock
from enfilade.providers.errors import CredentialMissing, InvalidProvider
from enfilade.providers.types import SecretReference

FILE_CHECK_S = 15.0
MAX_FILE_BYTES = 64_000


@dataclass(frozen=True, slots=True)
class SecretSources:
    """Where references may lead."""

    environment: Mapping[str, str]
    allowed_names: Sequence[str]
    directories: Sequence[Path]

    def check(self, reference: SecretReference, param: str = "api_key") -> None:
        """Refuse, with InvalidProvider, a reference in `param` that the operator's settings do not allow."""
        if reference.env is not None and not self._may_read(reference.env):
            message = (
                f"the variable {reference.env!r} may not be used as a secret; ENFILADE_SECRET_ENV allows "
                f"{', '.join(self.allowed_names)}"
            )
            raise InvalidProvider(message, param=f"{param}.env")
        if reference.file is not None and self._path(reference.file) is None:
            allowed = ", ".join(str(directory) for directory in self.directories) or "no directory"
            message = f"the file {reference.file!r} may not be used as a secret; ENFILADE_SECRET_DIRS allows {allowed}"
            raise InvalidProvider(message, param=f"{param}.file")

    def _may_read(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.allowed_names)

    def _path(self, name: str) -> Path | None:
        path = Path(name).resolve()
        return path if any(path.is_relative_to(directory.resolve()) for directory in self.directories) else None

    def read(self, reference: SecretReference) -> str | None:
        """The secret behind a variable or a file; None when there is none or it may not be read."""
        if reference.env is not None:
            return self.environment.get(reference.env, "").strip() or None if self._may_read(reference.env) else None
        if reference.file is not None and (path := self._path(reference.file)) is not None:
            try:
                with path.open(encoding="utf-8") as file:
                    return file.read(MAX_FILE_BYTES).strip() or None
            except (OSError, UnicodeDecodeError):
                return None
        return None


class Credential:
    """One provider's key. A file is read again now and then, so that it can be rotated in place."""

    def __init__(
        self, reference: SecretReference | None, sources: SecretSources, clock: Clock, opened: str | None = None
    ) -> None:
        """Follow `reference`, or hold `opened`, the secret of a sealed one."""
        self._reference = reference
        self._sources = sources
        self._clock = clock
        self._value = opened.strip() if opened is not None else None
        self._read_at = float("-inf")

    @property
    def is_set(self) -> bool:
        """Whether a key was configured at all."""
        return self._reference is not None

    def value(self) -> str:
        """The key. Raises CredentialMissing when the reference leads nowhere."""
        reference = self._reference
        if reference is not None and reference.sealed is None:
            now = self._clock.monotonic()
            if self._value is None or (reference.file is not None and now - self._read_at > FILE_CHECK_S):
                self._value = self._sources.read(reference) or self._value
                self._read_at = now
        if not self._value:
            message = "The key that Enfilade should use for the provider is not set."
            raise CredentialMissing(message)
        return self._value

    def for_file(self, path: str) -> "Credential":
        """The content of another file, within the same bounds and as fresh."""
        return Credential(SecretReference(file=path), self._sources, self._clock)

    def __repr__(self) -> str:
        """Never the key."""
        return f"Credential({self._reference!r})"
