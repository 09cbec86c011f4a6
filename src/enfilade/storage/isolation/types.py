"""What an examination of isolation found."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Guarded:
    """Something in which tenants meet, what keeps them apart there, and what came of trying to get around it."""

    kind: str
    """table, view, function, index, role, route, cache, queue or answer."""
    place: str
    """The cell, the database or the part of the program."""
    name: str
    guard: str
    """What keeps tenants apart."""
    probe: str = ""
    """What was tried as a foreign tenant; empty where there is nothing to try, `none: …` with the reason why not."""
    faults: tuple[str, ...] = ()
    """What is wrong. Empty is well."""

    @property
    def was_tried(self) -> bool:
        """Whether it was more than looked at."""
        return bool(self.probe) and not self.probe.startswith("none: ") and "guard only" not in self.probe

    def shown(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"faults": list(self.faults)}
