"""The addresses of calls: most are fixed, some name the model."""

from enfilade.dialects.types import Dialect, Registry

MODEL = "{model}"


class CallAddresses:
    """Finds the dialect that is spoken at an address."""

    def __init__(self, dialects: Registry) -> None:
        """Collect the addresses of those dialects that callers speak."""
        self._fixed: dict[str, Dialect] = {}
        self._naming: dict[str, dict[str, Dialect]] = {}
        """By what stands before the model's name, then by what stands after it."""
        for dialect in (dialects.get(name) for name in dialects.names()):
            for path in (dialect.path, *dialect.more_paths):
                if MODEL in path:
                    before, _, after = path.partition(MODEL)
                    self._naming.setdefault(before, {})[after] = dialect
                elif path:
                    self._fixed[path] = dialect

    def find(self, path: str) -> Dialect | None:
        """The dialect spoken at a path, or None."""
        dialect = self._fixed.get(path)
        if dialect is None:
            for before, endings in self._naming.items():
                if path.startswith(before):
                    _, colon, method = path.rpartition(":")
                    return endings.get(colon + method)
        return dialect

    def paths(self) -> list[str]:
        """All addresses, sorted."""
        naming = [before + MODEL + after for before, endings in self._naming.items() for after in endings]
        return sorted([*self._fixed, *naming])


def names_model(dialect: Dialect) -> bool:
    """Whether requests in the dialect name their model in the address."""
    return MODEL in dialect.path
