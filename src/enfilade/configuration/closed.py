"""Tenants that let the platform's people in by breaking the glass only: a document reads and changes of them no more than
what the platform's standing rights are for.
"""

from collections.abc import Iterable

from enfilade.identity.roles.granting import check_standing, settings_in
from enfilade.storage.unit_of_work import UnitOfWork

OF_PLATFORM = frozenset({"tenant", "limit", "budget", "billing profile", "anomaly rules", "markup"})
"""Kinds of things by which the platform runs and bills a tenant."""


class ClosedTenants:
    """Those of a document that were closed before it was applied: it may close one itself."""

    def __init__(self) -> None:
        """Start with none."""
        self._found: dict[str, str] = {}

    async def note(self, unit: UnitOfWork, name: str) -> None:
        """Look whether the unit's tenant is closed."""
        if (await settings_in(unit)).operator_access == "break_glass":
            self._found[name] = unit.tenant

    async def check(self, unit: UnitOfWork, name: str, changes: Iterable[tuple[str, str | None]]) -> None:
        """Refuse what the platform's people may not change there, of kinds and tenants. Raises BreakGlassRequired."""
        identifier = self._found.get(name)
        if identifier is not None and any(tenant == name and kind not in OF_PLATFORM for kind, tenant in changes):
            await unit.act_in(identifier)
            await check_standing(unit)


async def is_closed_to(unit: UnitOfWork) -> bool:
    """Whether whoever works with this unit sees of its tenant what the platform runs and bills, and nothing else."""
    return (
        unit.scope.is_platform
        and not unit.scope.actor.startswith("system:")
        and (await settings_in(unit)).operator_access == "break_glass"
    )
