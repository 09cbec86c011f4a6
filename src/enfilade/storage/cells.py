"""Which cell a tenant lives in.

A cell is a place in a database: the shared schema, a schema of the tenant's own, or a database of its own, next to the
installation's own database (the host `home`) or on another server. Callers never learn which: they ask for a unit of
work, and it asks here.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from enfilade.storage.address import Address
from enfilade.storage.database import Database
from enfilade.storage.migrations import SHARED_SCHEMA

HOME = "home"
ROW, SCHEMA, DATABASE = "row", "schema", "database"
ISOLATIONS = (ROW, SCHEMA, DATABASE)
OWN_NAME = "enf_"
"""How the name of a schema or a database of a tenant's own begins; its id follows."""
OWN_POOLS = {"app": 4, "operator": 2}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a tenant is said to live."""

    isolation: str = ROW
    host: str = HOME


@dataclass(frozen=True, eq=False, slots=True)
class Cell:
    """A place where tenants' rows are."""

    name: str
    """For logs and reports: the host, and of a cell of one tenant its schema or database."""
    schema: str
    database: Database
    host: str = HOME
    tenant: str | None = None
    """Whose it is; None where several tenants live together."""


@dataclass(eq=False, slots=True)
class Host:
    """A database in which, or next to which, cells are."""

    name: str
    database: Database
    shared: Cell = field(init=False)

    def __post_init__(self) -> None:
        """Its shared cell has its name."""
        self.shared = Cell("shared" if self.name == HOME else self.name, SHARED_SCHEMA, self.database, self.name)


def own_name(tenant: str) -> str:
    """The name of a schema or a database of a tenant's own. Short, since names of sign-in roles are made from it."""
    return OWN_NAME + tenant.replace("-", "")


class CellDirectory:
    """Finds the cell of a tenant."""

    def __init__(self, home: Database) -> None:
        """Start with the shared cell, in the installation's own database."""
        self.home = Host(HOME, home)
        self.shared = self.home.shared
        self._hosts = {HOME: self.home}
        self._placements: dict[str, Placement] = {}
        self._cells: dict[tuple[str, Placement], Cell] = {}
        self._by_tenant: dict[str, Cell] = {}
        self.look_up: Callable[[str], Awaitable[Placement | None]] | None = None
        """How the registry is asked where a tenant is now; see `find_again`."""
        self.unreached: dict[str, str] = {}
        """Cells, by name, that could not be loaded or are not usable, and why."""

    def of(self, tenant: str) -> Cell:
        """The cell of a tenant: its own if it has one, else the shared one."""
        return self._by_tenant.get(tenant, self.shared)

    def all(self) -> list[Cell]:
        """Every cell that a tenant lives in, the shared one of `home` first."""
        return list(dict.fromkeys([self.shared, *self._by_tenant.values()]))

    def hosts(self) -> list[Host]:
        """The hosts, `home` first."""
        return list(self._hosts.values())

    def host(self, name: str) -> Host | None:
        """The host of that name."""
        return self._hosts.get(name)

    def is_at_home(self, cell: Cell) -> bool:
        """Whether a cell is in the installation's own database."""
        return cell.database is self.home.database

    def placements(self) -> dict[str, Placement]:
        """Where everybody lives now."""
        return dict(self._placements)

    def placement(self, tenant: str) -> Placement:
        """Where a tenant lives."""
        return self._placements.get(tenant, Placement())

    def cell_at(self, tenant: str, placement: Placement) -> Cell | None:
        """The cell in which the tenant lives, or would live, there; None on a host that is not known."""
        host = self._hosts.get(placement.host)
        if host is None:
            return None
        if placement.isolation == ROW:
            return host.shared
        cell = self._cells.get((tenant, placement))
        if cell is None:
            cell = self._cells[tenant, placement] = _own_cell(host, tenant, placement.isolation)
        return cell

    def place(self, tenant: str, placement: Placement) -> Cell | None:
        """Look for the tenant there from now on. None on a host that is not known: nothing is changed then."""
        cell = self.cell_at(tenant, placement)
        if cell is None:
            return None
        self._placements[tenant] = placement
        if cell is self.shared:
            self._by_tenant.pop(tenant, None)
        else:
            self._by_tenant[tenant] = cell
        return cell

    def place_all(self, placements: Mapping[str, Placement], forgotten: Iterable[str] = ()) -> list[str]:
        """Look for these tenants there from now on; returns those whose host is not known."""
        for tenant in forgotten:
            self._placements.pop(tenant, None)
            self._by_tenant.pop(tenant, None)
        return [tenant for tenant, placement in placements.items() if self.place(tenant, placement) is None]

    async def find_again(self, tenant: str) -> Cell:
        """Ask the registry where the tenant is now, because it is not where it was."""
        placement = await self.look_up(tenant) if self.look_up is not None else None
        if placement is not None:
            self.place(tenant, placement)
        return self.of(tenant)

    async def put_host(self, name: str, address: Address) -> Host:
        """Know a host by this address. Where it is known by another, its connections are made anew."""
        present = self._hosts.get(name)
        if present is not None and present.database.address == address:
            return present
        host = Host(name, Database(address))
        await host.database.open()
        self._hosts[name] = host
        self._forget_cells(name)
        if present is not None:
            await present.database.close()
        return host

    def _forget_cells(self, host: str) -> None:
        self._cells = {key: cell for key, cell in self._cells.items() if cell.host != host}
        for tenant, placement in self._placements.items():
            if placement.host == host:
                self.place(tenant, placement)

    async def forget(self, cell: Cell) -> None:
        """Let go of a cell that is no more."""
        self._cells = {key: known for key, known in self._cells.items() if known is not cell}
        if cell.database not in {host.database for host in self._hosts.values()}:
            await cell.database.close()

    async def close(self) -> None:
        """Close the connections to everything but `home`, which others opened."""
        databases = [host.database for host in self._hosts.values()]
        databases += [cell.database for cell in self._cells.values()]
        for database in dict.fromkeys(databases):
            if database is not self.home.database:
                await database.close()


def _own_cell(host: Host, tenant: str, isolation: str) -> Cell:
    name = own_name(tenant)
    if isolation == SCHEMA:
        return Cell(f"{host.name}/{name}", name, host.database, host.name, tenant)
    database = Database(host.database.address.at(name), OWN_POOLS, opens_itself=True)
    return Cell(f"{host.name}/{name}", SHARED_SCHEMA, database, host.name, tenant)
