"""What tenants do as a whole: they move from cell to cell, leave and come as files, and are erased."""

from collections.abc import Awaitable, Callable

from enfilade.identity.archive_means import ArchiveMeans
from enfilade.identity.moves import MoveRunner
from enfilade.identity.service import Identity
from enfilade.identity.tenant_archives import TenantArchives
from enfilade.identity.tenant_erasures import ErasureRunner
from enfilade.identity.tenant_imports import TenantImports
from enfilade.storage.making import CellMaker
from enfilade.storage.moving.erasing import Eraser
from enfilade.storage.moving.mover import Mover


class TenancyParts:
    """The parts that do it."""

    def __init__(self, identity: Identity, maker: CellMaker, means: ArchiveMeans) -> None:
        """Build them."""
        storage, clock = means.storage, means.clock
        home = storage.cells.home.database
        self.mover = Mover(storage.cells, maker, clock)
        self.runner = MoveRunner(identity.moves, self.mover, storage, home, clock)
        self.eraser = Eraser(storage.cells, maker, clock)
        self.erasure_runner = ErasureRunner(identity.erasures, self.eraser, storage, means.signatures, clock)
        self.archives = TenantArchives(means)
        self.imports = TenantImports(means, maker, identity.cells)

    def services(self) -> list[Callable[[], Awaitable[None]]]:
        """What runs beside the requests."""
        return [self.runner.run, self.erasure_runner.run, self.imports.run]
