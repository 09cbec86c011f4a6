"""Providers' exports beside the ledger: import, comparison, and what is told about it."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.core.money import NANO_PER_USD, format_usd
from enfilade.costs.errors import UnknownReconciliation
from enfilade.costs.reconciliation import store
from enfilade.costs.reconciliation.importing import Importer
from enfilade.costs.reconciliation.matching import LedgerKind, LedgerNames, LedgerTotal, match
from enfilade.costs.reconciliation.reading import ReadingOptions
from enfilade.costs.reconciliation.records import Record, Report, record_of
from enfilade.costs.reconciliation.types import Entry, Reading
from enfilade.storage.rounds import ask_cells
from enfilade.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to."""

    report: Report
    is_new: bool
    """False when the same export had been imported before: nothing was changed then."""
    superseded: list[str]
    """The ids of older exports that this one takes the place of."""


class Reconciliations:
    """The face of this room."""

    def __init__(self, ids: IdFactory, clock: Clock, importer: Importer | None = None) -> None:
        """Make ids and times with these."""
        self._ids = ids
        self._clock = clock
        self._importer = importer or Importer()

    async def read(self, chunks: AsyncIterator[bytes], options: ReadingOptions) -> Reading:
        """See `Importer.read`; nothing is stored."""
        return await self._importer.read(chunks, options)

    async def keep(
        self, unit: UnitOfWork, reading: Reading, options: ReadingOptions, tolerance_nano: int = 0
    ) -> Imported:
        """Store what was read, unless it is known, and compare it. The unit is the platform's."""
        digest = _digest(reading, options.provider)
        known = await unit.fetch_value(store.FIND_CONTENT, options.provider, digest)
        if known is not None:
            return Imported(await self.report(unit, str(known)), is_new=False, superseded=[])
        identifier = self._ids.new_id()
        await self._insert(unit, identifier, reading, options, digest, tolerance_nano)
        rows = await unit.fetch(store.SUPERSEDE, identifier, options.provider, reading.start, reading.end)
        superseded = [str(row["id"]) for row in rows]
        report = await self.report(unit, identifier)
        self._tell(unit, report, superseded)
        return Imported(report, is_new=True, superseded=superseded)

    async def report(self, unit: UnitOfWork, identifier: str, *, whole: bool = False) -> Report:
        """An export beside the ledger as it is now, wherever tenants live. The unit is the platform's.

        Raises UnknownReconciliation; if it has to be `whole`, DatabaseUnavailable for a cell that cannot be asked.
        """
        record = await self.get(unit, identifier)
        entries = [
            Entry(*(row[name] for name in ("day", "model", "provider", "kind", "quantity", "amount_nano", "rows")))
            for row in await unit.fetch(store.ITEMS, record.id)
        ]
        values = (*record.span, record.providers, record.source)

        async def ask() -> tuple[list[Any], list[Any]]:
            return await unit.fetch(store.LEDGER_TOTALS, *values), await unit.fetch(store.LEDGER_KINDS, *values)

        cells = await ask_cells(unit, None, ask, whole=whole)
        totals = [_total(row) for rows, _ in cells for row in rows]
        kinds = [
            LedgerKind(row["day"], names_of(row), row["kind"], row["quantity"], row["share"])
            for _, rows in cells
            for row in rows
        ]
        booked = {
            (row["day"], row["provider"], row["model_key"], row["cause"]): row["provider_nano"]
            for row in await unit.fetch(store.BOOKED, record.id)
        }
        is_whole = len(cells) == len(unit.places(None))
        return Report(record, match(entries, totals, kinds, record.tolerance), booked, is_whole=is_whole)

    async def get(self, unit: UnitOfWork, identifier: str) -> Record:
        """What was imported. Raises UnknownReconciliation."""
        row = await unit.fetch_row(store.GET, identifier)
        if row is None:
            message = f"There is no reconciliation {identifier!r}."
            raise UnknownReconciliation(message)
        return record_of(row)

    async def page(self, unit: UnitOfWork, before: str | None, limit: int, provider: str | None = None) -> list[Record]:
        """Imports, newest first."""
        return [record_of(row) for row in await unit.fetch(store.PAGE, before, limit, provider)]

    async def knows_provider(self, unit: UnitOfWork, name: str) -> bool:
        """Whether there is such a provider, or was: the ledger may have entries of one that was removed since."""
        return bool(await unit.fetch_value(store.HAS_PROVIDER, name))

    async def _insert(
        self,
        unit: UnitOfWork,
        identifier: str,
        reading: Reading,
        options: ReadingOptions,
        digest: bytes,
        tolerance_nano: int,
    ) -> None:
        priced = [entry.nano for entry in reading.entries if entry.nano is not None]
        mapped = {name for name in options.keys.values() if name != "-"}
        await unit.execute(
            store.INSERT_RECONCILIATION,
            identifier,
            options.provider,
            sorted({options.provider, *mapped, *(entry.provider for entry in reading.entries)}),
            reading.formats,
            reading.files,
            digest,
            reading.start,
            reading.end,
            reading.rows,
            reading.rounded_rows,
            reading.outside_rows,
            unit_nano(reading),
            tolerance_nano,
            sum(priced) if priced else None,
            _json(reading.left_out),
            _json(reading.keys),
            _json({"keys": options.keys, "models": options.models}),
            to_datetime(self._clock.now_ns()),
            unit.scope.actor,
        )
        columns: Sequence[list[object]] = [
            [getattr(entry, name) for entry in reading.entries]
            for name in ("day", "model", "provider", "kind", "quantity", "nano", "rows")
        ]
        await unit.execute(store.INSERT_ITEMS, identifier, *columns)

    def _tell(self, unit: UnitOfWork, report: Report, superseded: list[str]) -> None:
        record = report.record
        about = {
            "reconciliation": record.id,
            "provider": record.provider,
            "from": record.first_day.isoformat(),
            "to": (record.end_day - timedelta(days=1)).isoformat(),
        }
        unit.record(
            "CostExportImported",
            **about,
            rows=record.rows,
            total_usd=None if record.total_nano is None else format_usd(record.total_nano),
            digest=record.digest.hex(),
            supersedes=superseded,
        )
        # What stands in a cell that is away looks as if it were missing here: no reason to alert anybody.
        if report.is_whole and (differing := report.differing):
            unit.record(
                "ReconciliationDifference",
                **about,
                groups=len(differing),
                difference_usd=format_usd(sum(group.verdict.difference_nano for group in differing)),
                causes={cause: format_usd(nano) for cause, nano in report.by_cause().items()},
            )


def _total(row: Any) -> LedgerTotal:
    return LedgerTotal(
        row["day"], names_of(row), row["entries"], row["nano"], row["estimated_nano"], row["estimated_entries"]
    )


def unit_nano(reading: Reading) -> int:
    """The export's smallest unit, as far as its finest amount shows it."""
    return max(1, NANO_PER_USD // int(10**reading.places))


def names_of(row: object) -> LedgerNames:
    """The names in a row of the ledger's sums."""
    return LedgerNames(*(row[name] for name in ("provider", "deployment", "model", "upstream_model")))  # type: ignore[index]


def _digest(reading: Reading, provider: str) -> bytes:
    """What was understood: the same rows in other files, or packed otherwise, are the same export."""
    entries = [
        [entry.day, entry.model, entry.provider, entry.kind, entry.quantity, entry.nano, entry.rows]
        for entry in reading.entries
    ]
    return hashlib.sha256(msgspec.json.encode([provider, reading.start, reading.end, entries])).digest()


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
