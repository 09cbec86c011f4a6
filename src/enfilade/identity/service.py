"""The face of this room."""

from collections.abc import Collection

from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.identity import store
from enfilade.identity.applications import Applications
from enfilade.identity.cell_hosts import CellHosts
from enfilade.identity.keys import Keys
from enfilade.identity.moves import Moves
from enfilade.identity.people import Departments, Users
from enfilade.identity.provisioning.groups import Groups
from enfilade.identity.roles.book import Assignments, RoleBook
from enfilade.identity.roles.glass import GlassBook
from enfilade.identity.roles.security import SecurityBook
from enfilade.identity.tenant_erasures import TenantErasures
from enfilade.identity.tenants import Tenants
from enfilade.storage.making import CellMaker
from enfilade.storage.rounds import rounds
from enfilade.storage.unit_of_work import UnitOfWork


class Identity:
    """The use cases around tenants, departments, users, groups, applications and keys, one attribute each."""

    def __init__(self, ids: IdFactory, clock: Clock, maker: CellMaker, hosts: CellHosts) -> None:
        """Name new things with `ids`, and have tenants' cells made by `maker` on `hosts`."""
        self.cells = hosts
        self.tenants = Tenants(ids, maker, hosts)
        self.moves = Moves(ids, hosts)
        self.erasures = TenantErasures(ids, self.tenants)
        self.departments = Departments(ids)
        self.users = Users(ids, clock, self.departments)
        self.groups = Groups(ids, clock)
        self.applications = Applications(ids, self.departments)
        self.roles = RoleBook(ids)
        self.assignments = Assignments(ids)
        self.security = SecurityBook()
        self.glass = GlassBook(ids, clock)
        self.keys = Keys(ids, clock, self.applications, self.users)

    async def names(self, unit: UnitOfWork, kind: str, identifiers: Collection[str]) -> dict[str, str]:
        """The names behind ids of one kind, also of what was removed; ids that nobody knows are left out."""
        if not identifiers:
            return {}
        found: dict[str, str] = {}
        async for _ in rounds(unit, None):
            rows = await unit.fetch(store.NAMES[kind], list(identifiers))
            found |= {str(row["id"]): row["name"] for row in rows}
        return found
