"""What the routes on forecasts, movers, savings and alerts share."""

from collections.abc import Iterable

from enfilade.api.admin.context import AdminContext
from enfilade.storage.unit_of_work import UnitOfWork

NOUNS = ("tenant", "department", "application", "user", "key")
Names = dict[tuple[str, str], str]
"""Names by kind and id."""


def zones_of(context: AdminContext, tenant: str | None) -> dict[str, str]:
    """The time zones of the tenants in question, by their ids."""
    zones = {found.id: found.spec.time_zone for found in context.principals.tenants()}
    return zones if tenant is None else {tenant: zones.get(tenant, "UTC")}


async def names_of(context: AdminContext, unit: UnitOfWork, wanted: Iterable[tuple[str, str | None]]) -> Names:
    """The names behind ids; models have none but their own."""
    by_kind: dict[str, set[str]] = {}
    for kind, identifier in wanted:
        if kind in NOUNS and identifier:
            by_kind.setdefault(kind, set()).add(identifier)
    found: Names = {}
    for kind, identifiers in by_kind.items():
        names = await context.rooms.identity.names(unit, kind, identifiers)
        found |= {(kind, identifier): name for identifier, name in names.items()}
    return found
