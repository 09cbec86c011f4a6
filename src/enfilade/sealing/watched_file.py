"""Files that others replace: read again when they changed, and kept in memory when they are gone."""

from pathlib import Path

Signature = tuple[int, int, int, int]


class WatchedFile:
    """The text of a small file, as it was when it last had some.

    Looking costs one `stat`. It follows links, so a link that is swapped for another (as Kubernetes does) is a change.
    """

    def __init__(self, path: Path, max_bytes: int = 64_000) -> None:
        """Nothing is read yet."""
        self._path = path
        self._max_bytes = max_bytes
        self._seen: Signature | None = None
        self.text: str | None = None
        """What it held last, without the white space around it; None until it held something."""
        self.fault: str | None = None
        """Why it cannot be read just now."""

    def look(self) -> bool:
        """Read it if it changed; tell whether `text` is another one now."""
        try:
            status = self._path.stat()
            signature = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
            if signature == self._seen:
                return False
            with self._path.open("rb") as file:
                content = file.read(self._max_bytes + 1)
            text = content.decode().strip()
        except OSError as error:
            return self._keep(f"it cannot be read ({error.strerror or 'an error'})")
        except UnicodeDecodeError:
            return self._keep("it is no text")
        if len(content) > self._max_bytes:
            return self._keep("it is too large")
        if not text:
            return self._keep("it is empty")
        self._seen, self.fault = signature, None
        changed, self.text = text != self.text, text
        return changed

    def _keep(self, fault: str) -> bool:
        self._seen, self.fault = None, fault
        return False
