"""One process per data directory."""

import fcntl
import os
from pathlib import Path

from enfilade.storage.errors import DataDirectoryInUse


class DataDirectoryLock:
    """An advisory lock that the kernel releases when the process ends, however it ends."""

    def __init__(self, directory: Path) -> None:
        """Prepare to lock `directory`, which must exist."""
        self._path = directory / "enfilade.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises DataDirectoryInUse, naming the holder, when another process has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            message = f"The data directory {self._path.parent} is in use by process {holder}."
            raise DataDirectoryInUse(message) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
