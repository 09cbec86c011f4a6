"""What can be wrong with a configuration document."""

from collections.abc import Mapping, Sequence

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


class InvalidPriceList(InvalidRequest):
    """Entries of a price list do not fit; `details.faults` says which, and why."""

    code = "invalid_price_list"
    status = 422
    remedy = "Correct the entries; nothing was imported."

    def __init__(self, faults: Sequence[tuple[str, str]], count: int) -> None:
        """Each fault is a path such as `prices[3].input`, and what is wrong there."""
        path, message = faults[0]
        more = f" ({count - 1} more)" if count > 1 else ""
        listed = [{"path": place, "message": text} for place, text in faults]
        super().__init__(f"{path}: {message}{more}", param=path, details={"faults": listed, "count": count})
