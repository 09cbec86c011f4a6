"""Erasing tenants for good: asked for by the platform's operators, brought to its end by whoever runs, recorded."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import structlog

from enfilade.core.canonical import canonical_text
from enfilade.core.clock import Clock, to_datetime, to_ns, to_rfc3339
from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import IdFactory
from enfilade.identity.errors import MoveUnderWay, NotSuspended, UnknownErasure
from enfilade.identity.moves import LAST, LOOK_EVERY_S
from enfilade.identity.scopes import system_scope
from enfilade.identity.tenants import Tenants
from enfilade.identity.types import SUSPENDED, Tenant
from enfilade.sealing.signing import Signatures
from enfilade.storage.moving import erasing, registry
from enfilade.storage.moving.erasing import Eraser
from enfilade.storage.unit_of_work import Storage, UnitOfWork

log = structlog.get_logger("enfilade.identity.tenant_erasures")


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is left of a tenant."""

    id: str
    erased: str
    name: str
    actor: str
    step: str
    counts: dict[str, int]
    head: dict[str, Any] | None
    """The last event of its log."""
    record: str | None
    signature: str | None
    started_at: datetime
    ended_at: datetime | None


class TenantErasures:
    """The use cases of erasing tenants. All need a platform scope."""

    def __init__(self, ids: IdFactory, tenants: Tenants) -> None:
        """Name erasures with `ids`."""
        self._ids = ids
        self._tenants = tenants
        self.news = asyncio.Event()

    async def start(self, unit: UnitOfWork, tenant: Tenant, *, force: bool) -> Erasure:
        """Have a tenant erased. Nothing can undo it. Raises NotSuspended, MoveUnderWay."""
        if await unit.fetch_row(registry.FIND_OPEN_MOVE, tenant.id) is not None:
            message = f"The tenant {tenant.name!r} is being moved."
            raise MoveUnderWay(message)
        if tenant.state != SUSPENDED:
            if not force:
                message = f"The tenant {tenant.name!r} is not suspended: it may be at work."
                raise NotSuspended(message)
            await self._tenants.suspend(unit, tenant.name, "The tenant is being erased.")
            await unit.act_in(unit.scope.tenant)
        identifier = self._ids.new_id()
        await unit.execute(
            erasing.ADD_ERASURE,
            *(identifier, tenant.id, tenant.name, tenant.spec.isolation, tenant.cell, unit.scope.actor),
        )
        unit.record("TenantErasureStarted", erasure=identifier, tenant=tenant.id, name=tenant.name)
        return await self.get(unit, identifier)

    async def get(self, unit: UnitOfWork, name: str) -> Erasure:
        """The erasure with that id, or of a tenant of that name. Raises UnknownErasure."""
        row = await unit.fetch_row(erasing.FIND_ERASURE, name)
        if row is None:
            message = f"No tenant {name!r} was erased here."
            raise UnknownErasure(message)
        return _erasure_of(row)

    async def page(self, unit: UnitOfWork, before: str | None, limit: int) -> list[Erasure]:
        """Erasures, the newest first."""
        return [_erasure_of(row) for row in await unit.fetch(erasing.LIST_ERASURES, before or LAST, limit)]


class ErasureRunner:
    """Brings erasures to their end, also those that another process left."""

    def __init__(
        self, erasures: TenantErasures, eraser: Eraser, storage: Storage, signatures: Signatures, clock: Clock
    ) -> None:
        """Erase with `eraser`, and have the records signed by `signatures`."""
        self._signatures = signatures
        self._erasures = erasures
        self._eraser = eraser
        self._storage = storage
        self._home = storage.cells.home.database
        self._clock = clock

    async def run(self) -> None:
        """Look for open erasures when there is news, and now and then, until cancelled."""
        while True:
            try:
                async with self._storage.unit_of_work(system_scope("erasures"), readonly=True) as unit:
                    waiting = [str(row["id"]) for row in await unit.fetch(erasing.LIST_OPEN_ERASURES)]
                for identifier in waiting:
                    await self.drive(identifier)
            except EnfiladeError as error:
                log.warning("erasure_postponed", error=error.message)
            except Exception as error:  # noqa: BLE001 - an erasure that fails must not end the process; it is tried again
                log.error("erasure_interrupted", error=f"{type(error).__name__}: {error}")  # noqa: TRY400
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._erasures.news.wait()
            except TimeoutError:
                continue
            self._erasures.news.clear()

    async def drive(self, identifier: str) -> None:
        """Bring one erasure to its end. Does nothing while another process is at it."""
        async with self._home.owner() as home:
            if not await home.fetchval(erasing.HOLD_ERASURE, identifier):
                return
            row = await home.fetchrow(erasing.FIND_ERASURE, identifier)
            if row["step"] == "done":
                return
            await self._eraser.erase(row, home)
            await self._eraser.mark("recording")
            async with self._storage.unit_of_work(system_scope("erasures")) as unit:
                erasure = await self._erasures.get(unit, identifier)
                now = to_datetime(self._clock.now_ns())
                record = canonical_text(_record(erasure, now))
                signature = await self._signatures.sign(record.encode())
                await unit.execute(
                    erasing.END_ERASURE, identifier, record, None if signature is None else signature.text(), now
                )
                unit.record(
                    "TenantErased",
                    erasure=identifier,
                    tenant=erasure.erased,
                    name=erasure.name,
                    by=erasure.actor,
                    sha256=erasing.digest(record),
                    signed_by=None if signature is None else signature.key,
                )
        log.info("tenant_erased", tenant=erasure.erased)


def _record(erasure: Erasure, now: datetime) -> dict[str, Any]:
    return {
        "erasure": erasure.id,
        "tenant": erasure.erased,
        "name": erasure.name,
        "by": erasure.actor,
        "asked_at": to_rfc3339(to_ns(erasure.started_at)),
        "erased_at": to_rfc3339(to_ns(now)),
        "rows": erasure.counts,
        "last_event": erasure.head,
    }


def _erasure_of(row: Any) -> Erasure:
    return Erasure(
        id=str(row["id"]),
        erased=str(row["erased"]),
        name=row["name"],
        actor=row["actor"],
        step=row["step"],
        counts=msgspec.json.decode(row["counts"]),
        head=msgspec.json.decode(row["head"]) if row["head"] else None,
        record=row["record"],
        signature=row["signature"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )
