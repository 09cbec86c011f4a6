"""Exports: a period of the ledger, streamed out of one snapshot of it; of several cells, out of one snapshot of each."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from enfilade.core.families import members
from enfilade.core.scope import Scope
from enfilade.costs.errors import ExportBroken, InvalidRule, TooManyExports, UnknownExport
from enfilade.costs.spend.exports import formats, store, tables
from enfilade.costs.spend.exports.columns import Batches, Format, Row, Table
from enfilade.storage.cells import Cell
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.rounds import leave_out
from enfilade.storage.unit_of_work import Storage, UnitOfWork

MOST_AT_ONCE = 3
"""Each holds a connection of its pool for as long as its reader takes."""
BATCH_ROWS = 250
"""What is read, made and sent in one go: calls that are served meanwhile wait for no more than that."""
FORMATS: dict[str, Format] = {member.name: member for member in members(formats, "FORMAT").values()}
TABLES: dict[str, Table] = {member.name: member for member in members(tables, "TABLE").values()}
GRANULARITIES = ("day", "hour")


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What is to be exported, and how."""

    format: str
    start: datetime
    end: datetime
    table: str | None = None
    granularity: str | None = None
    """`day` or `hour`, where the table knows both."""
    tenant: str | None = None
    """An id; None for all that the scope sees."""
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Plan:
    """An order that makes sense."""

    order: ExportOrder
    format: Format
    table: Table
    statement: str


def plan(order: ExportOrder) -> Plan:
    """How an order is carried out. Raises UnknownExport, InvalidRule."""
    written = FORMATS.get(order.format)
    if written is None:
        message = f"There is no format {order.format!r}; use one of {', '.join(sorted(FORMATS))}."
        raise UnknownExport(message, param="format")
    name = order.table or written.tables[0]
    if name not in written.tables:
        message = f"The format {written.name} writes {' and '.join(written.tables)}, not {name!r}."
        raise UnknownExport(message, param="table")
    table = TABLES[name]
    statement = table.statements.get(order.granularity or next(iter(table.statements)))
    if statement is None:
        known = [granularity for granularity in table.statements if granularity]
        message = f"The table {name} is exported {'by ' + ' or '.join(known) if known else 'without a granularity'}."
        raise UnknownExport(message, param="granularity")
    if order.start >= order.end:
        message = "`from` must be before `to`"
        raise InvalidRule(message, param="from")
    return Plan(order, written, table, statement)


class Export:
    """A running export. Whoever has it takes `chunks` to their end, or closes it."""

    def __init__(self, run: "_Run", chunks: AsyncGenerator[bytes, None], first: bytes) -> None:
        """Use `Exports.open` instead."""
        self.media_type = run.plan.format.media_type
        self.suffix = run.plan.format.suffix
        self.is_empty = run.is_empty
        """Whether the period has nothing: the file is valid and has no rows."""
        self.incomplete = run.left_out
        """Cells that could not be asked, so that their tenants are not in the file."""
        self._chunks = chunks
        self._first = first

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The file's bytes. Raises ExportBroken, DatabaseUnavailable; what came until then is no whole file."""
        async with aclosing(self):
            yield self._first
            async for chunk in self._chunks:
                yield chunk

    async def aclose(self) -> None:
        """End the query, and what writes the file."""
        await self._chunks.aclose()


class Exports:
    """Carries out orders, a few at a time."""

    def __init__(self, storage: Storage, most: int = MOST_AT_ONCE) -> None:
        """Read from `storage`."""
        self._storage = storage
        self._most = most
        self.running = 0

    async def open(self, scope: Scope, order: ExportOrder) -> Export:
        """Begin: what can go wrong before the first byte has gone wrong here.

        Raises UnknownExport, InvalidRule, TooManyExports, ExportBroken, DatabaseUnavailable.
        """
        run = _Run(plan(order), scope)
        chunks = self._chunks(run)
        first = await anext(chunks, b"")
        return Export(run, chunks, first)

    async def _chunks(self, run: "_Run") -> AsyncGenerator[bytes, None]:
        if self.running >= self._most:
            message = f"{self._most} exports are running here already."
            raise TooManyExports(message, retry_after=5)
        self.running += 1
        try:
            async with aclosing(self._batches(run)) as batches:
                first = await anext(batches, None)
                run.is_empty = first is None
                async with aclosing(run.plan.format.encode(run.plan.table, _with(first, batches))) as chunks:
                    async for chunk in chunks:
                        yield chunk
        finally:
            self.running -= 1

    async def _batches(self, run: "_Run") -> AsyncGenerator[list[Row], None]:
        """The rows of one cell after the other: transactions that wait for their turn would be ended by the server."""
        cells = self._storage.cells
        async with self._storage.unit_of_work(run.scope, readonly=True) as unit:
            issuer = await unit.fetch_row_at_home(store.FIND_ISSUER)
        run.issuer = issuer["name"] if issuer is not None else None
        placements = cells.placements()
        homes = {tenant: cells.of(tenant) for tenant in placements}
        for cell in await self._reached(run):
            # Read-only: one snapshot of the cell's ledger, and no lock that anybody waits for.
            async with (
                self._storage.unit_of_work(run.scope, readonly=True, cell=cell) as unit,
                aclosing(run.batches(unit, cell, homes)) as batches,
            ):
                await unit.execute(store.PATIENCE)
                async for batch in batches:
                    yield batch
        now = cells.placements()
        if run.is_of_all and any(now.get(tenant, placement) != placement for tenant, placement in placements.items()):
            message = "A tenant has moved to another cell meanwhile, so that the file may lack it."
            raise ExportBroken(message)

    async def _reached(self, run: "_Run") -> list[Cell]:
        """The cells that can be asked now, before the first byte says of which there is nothing. Raises DatabaseUnavailable."""
        cells, order = self._storage.cells, run.plan.order
        if not run.is_of_all:
            return [cells.of(order.tenant or run.scope.tenant)]
        reached = []
        for cell in cells.all():
            try:
                if len(cells.all()) > 1:
                    async with self._storage.unit_of_work(run.scope, readonly=True, cell=cell):
                        pass
                reached.append(cell)
            except DatabaseUnavailable as error:
                if cell is cells.shared:
                    raise
                leave_out(cell, error)
                run.left_out.append(cell.name)
        return reached


@dataclass(slots=True)
class _Run:
    plan: Plan
    scope: Scope
    is_empty: bool = False
    issuer: str | None = None
    left_out: list[str] = field(default_factory=list)

    @property
    def is_of_all(self) -> bool:
        """Whether it is the platform's, of all tenants."""
        return self.scope.is_platform and self.plan.order.tenant is None

    async def batches(self, unit: UnitOfWork, cell: Cell, homes: Mapping[str, Cell]) -> AsyncGenerator[list[Row], None]:
        """The rows of those who live in the cell, never more than a batch of records at a time.

        What is here already, or still, of somebody who moves does not count.
        """
        order, table, is_platform = self.plan.order, self.plan.table, self.scope.is_platform
        batch: list[Row] = []
        values = (order.start, order.end, order.tenant, order.time_zone, self.issuer)
        records: Any = unit.rows(self.plan.statement, *values, chunk=BATCH_ROWS)
        async with aclosing(records):
            async for record in records:
                if homes.get(str(record["tenant_id"]), cell) is not cell:
                    continue
                batch += table.rows(record, is_platform=is_platform)
                if len(batch) >= BATCH_ROWS:
                    yield batch
                    batch = []
        if batch:
            yield batch


async def _with(first: list[Row] | None, rest: Batches) -> Batches:
    if first is not None:
        yield first
    async for batch in rest:
        yield batch
