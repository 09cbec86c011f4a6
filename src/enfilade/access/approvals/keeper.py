"""What the clock brings: requests that expire, grants that end, and who has to be reminded.

Nothing waits for this: an expired request is closed, and an ended grant gives nothing, by the clock alone. What is done
here is to tell of it, once, however many processes look and wherever one of them died.
"""

from collections.abc import Callable
from datetime import datetime

import structlog

from enfilade.access.approvals import store
from enfilade.access.approvals.requests import Requests
from enfilade.access.approvals.rows import ASKED, request_of
from enfilade.access.approvals.wishes import described
from enfilade.core.clock import Clock, to_datetime, to_ns, to_rfc3339
from enfilade.core.errors import Conflict
from enfilade.identity.rows import text_id
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.unit_of_work import Storage, UnitOfWork
from enfilade.storage.visits import fetch_in_cells, for_tenants

LOOK_EVERY_S = 30.0
TENANTS_AT_ONCE = 500

log = structlog.get_logger("enfilade.access.approvals")


class ApprovalKeeper:
    """Looks twice a minute."""

    def __init__(self, storage: Storage, clock: Clock, requests: Requests) -> None:
        """Look into `storage`."""
        self._storage = storage
        self._clock = clock
        self._requests = requests

    async def look(self) -> int:
        """Tell of everything that is due; return how many events it were. Raises DatabaseUnavailable."""
        now, scope = to_datetime(self._clock.now_ns()), system_scope("approvals")
        rows = await fetch_in_cells(
            self._storage, scope, store.TENANTS_WITH_DUE, now, TENANTS_AT_ONCE, postponed="approvals_postponed"
        )
        tenants = [str(row["tenant_id"]) for row in rows]
        return sum(await for_tenants(tenants, self._look_at, postponed="approvals_postponed"))

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                if told := await self.look():
                    log.info("approvals_told", count=told)
            except (DatabaseUnavailable, Conflict) as error:
                log.warning("approvals_postponed", error=error.message)
            await self._clock.sleep(LOOK_EVERY_S)

    async def _look_at(self, tenant: str) -> int:
        async with self._storage.unit_of_work(tenant_scope(tenant, "approvals")) as unit:
            return await self._tell(unit, to_datetime(self._clock.now_ns()))

    async def _tell(self, unit: UnitOfWork, now: datetime) -> int:
        told = 0
        steps: tuple[tuple[str, str, Callable[..., dict[str, object]]], ...] = (
            (store.EXPIRE_REQUESTS, "AccessRequestExpired", _expired),
            (store.END_GRANTS, "AccessGrantEnded", _ended),
            (store.REMIND_HOLDERS, "AccessGrantEnding", _ending),
            (store.TELL_OVERDUE, "EmergencyReviewOverdue", _overdue),
        )
        for statement, event, described_as in steps:
            rows = await unit.fetch(statement, unit.tenant, now)
            for row in rows:
                unit.record(event, id=str(row["id"]), **described_as(row))
            told += len(rows)
            if rows and event == "AccessGrantEnded":
                unit.changed()
        rows = await unit.fetch(store.REMIND_REVIEWERS, unit.tenant, now)
        for row in rows:
            request = await self._requests.get(unit, str(request_of(row).id))
            standing = await self._requests.standing(unit, request)
            unit.record(
                "AccessRequestAwaitsReview",
                id=request.id,
                requester=request.requester,
                reviewers=sorted(standing.reviewers),
                expires_at=to_rfc3339(request.expires_ns),
            )
        return told + len(rows)


def _expired(row: dict[str, object]) -> dict[str, object]:
    return {"requester": str(row["requester_id"])}


def _holder(row: dict[str, object]) -> tuple[str | None, str | None, str | None]:
    user, application, key = (text_id(row[name]) for name in ("user_id", "application_id", "key_id"))  # type: ignore[arg-type]
    return user, application, key


def _ended(row: dict[str, object]) -> dict[str, object]:
    return described(ASKED.decode(str(row["asked"])), *_holder(row))


def _ending(row: dict[str, object]) -> dict[str, object]:
    return described(ASKED.decode(str(row["asked"])), *_holder(row)) | {"ends_at": _moment(row["ends_at"])}


def _overdue(row: dict[str, object]) -> dict[str, object]:
    return {"user": str(row["user_id"]), "review_due_at": _moment(row["review_due_at"])}


def _moment(moment: object) -> str:
    assert isinstance(moment, datetime)
    return to_rfc3339(to_ns(moment))
