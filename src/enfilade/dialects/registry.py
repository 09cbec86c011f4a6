"""All dialects."""

from enfilade.core.families import members
from enfilade.dialects import members as family
from enfilade.dialects.types import Dialect, Registry


def load_dialects() -> Registry:
    """Find the dialects in their folder."""
    found: dict[str, Dialect] = members(family, "DIALECT")
    return Registry(iter(found.values()))
