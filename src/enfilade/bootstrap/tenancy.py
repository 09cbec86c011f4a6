"""What tenants do as a whole: they move from cell to cell, and are erased."""

from collections.abc import Awaitable, Callable

from enfilade.core.clock import Clock
from enfilade.identity.moves import MoveRunner
from enfilade.identity.service import Identity
from enfilade.identity.tenant_archives import TenantArchives
from enfilade.identity.tenant_erasures import ErasureRunner
from enfilade.sealing.parts import KeyParts
from enfilade.sealing.signing import Signatures
from enfilade.storage.making import CellMaker
from enfilade.storage.moving.erasing import Eraser
from enfilade.storage.moving.mover import Mover
from enfilade.storage.unit_of_work import Storage


class TenancyParts:
    """The parts that move and erase tenants."""

    def __init__(
        self, identity: Identity, storage: Storage, maker: CellMaker, signatures: Signatures, clock: Clock
    ) -> None:
        """Build them."""
        home = storage.cells.home.database
        self._cells = storage.cells
        self._maker = maker
        self.mover = Mover(storage.cells, maker, clock)
        self.runner = MoveRunner(identity.moves, self.mover, storage, home, clock)
        self.eraser = Eraser(storage.cells, maker, clock)
        self.erasure_runner = ErasureRunner(identity.erasures, self.eraser, storage, signatures, clock)

    def archives(self, keys: KeyParts) -> TenantArchives:
        """Exports and imports."""
        return TenantArchives(self._cells, self._maker, keys)

    def services(self) -> list[Callable[[], Awaitable[None]]]:
        """What runs beside the requests."""
        return [self.runner.run, self.erasure_runner.run]
