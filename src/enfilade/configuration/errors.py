"""What can be wrong with a configuration document."""

from collections.abc import Mapping

from enfilade.core.errors import InvalidRequest


class InvalidDocument(InvalidRequest):
    """The document does not fit; `details.path` says where."""

    code = "invalid_configuration"
    status = 422
    remedy = "Correct the document; nothing was changed."

    def __init__(self, message: str, path: str = "", details: Mapping[str, object] | None = None) -> None:
        """`path` leads to the fault, e.g. `tenants[0].limits[2].per`."""
        super().__init__(message, param=path or None, details={"path": path, **(details or {})})
        self.path = path


class UnreadableSource(InvalidRequest):
    """A file cannot be read, or is neither YAML nor JSON."""

    code = "unreadable_configuration"
    remedy = "Correct the file; nothing was changed."
