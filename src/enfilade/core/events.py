"""Facts: what happened, in the past tense, as it is written to the audit log."""

from dataclasses import dataclass, field
from typing import Any

from enfilade.core.canonical import canonical_text
from enfilade.core.clock import to_rfc3339


@dataclass(frozen=True, slots=True)
class Event:
    """One fact about one tenant.

    `data` holds text, booleans, null, integers below 2**53, and lists and dictionaries of these with ASCII
    keys. It names people by id only: what can identify a person stays in tables that can be erased.
    """

    type: str
    tenant: str
    at_ns: int
    actor: str
    data: dict[str, Any] = field(default_factory=dict)

    def body(self) -> str:
        """The canonical JSON whose hash becomes the leaf."""
        return canonical_text(
            {
                "actor": self.actor,
                "at": to_rfc3339(self.at_ns),
                "data": self.data,
                "tenant": self.tenant,
                "type": self.type,
            }
        )
