"""The face of this room."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from enfilade.audit import store
from enfilade.audit.errors import InvalidCursor, UnknownCall
from enfilade.core.clock import to_ns
from enfilade.core.cursors import read_cursor, write_cursor
from enfilade.core.ids import id_time_ms
from enfilade.storage.rounds import fetch_found, fetch_merged, rounds
from enfilade.storage.unit_of_work import UnitOfWork

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2999, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MOST_WAIT = timedelta(hours=1)
"""How far a call's admission may be from its arrival."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list; ids, not names."""

    tenant: str | None = None
    start: datetime = EARLIEST
    end: datetime = LATEST
    status: str | None = None
    model: str | None = None
    application: str | None = None
    user: str | None = None
    key: str | None = None
    department: str | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to list."""

    tenant: str | None = None
    start: datetime = EARLIEST
    end: datetime = LATEST
    type: str | None = None
    places: "EventPlaces | None" = None
    """Only what concerns a part of the tenant; None is all of it."""


@dataclass(frozen=True, slots=True)
class EventPlaces:
    """A part of a tenant, by the ids that events hold. What an event says of a department goes before what it says of
    an application, and that before what it says of a user; an event that names none of them concerns the whole tenant.
    """

    departments: frozenset[str]
    applications: frozenset[str]
    """Those of the departments, and others that are part of it by themselves."""
    alone: frozenset[str]
    """Those others: what concerns them does so in whatever department."""
    users: frozenset[str]


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as it stands in the log."""

    tenant: str
    seq: int
    at: datetime
    type: str
    body: str
    leaf: bytes

    @property
    def content(self) -> dict[str, Any]:
        """The body, read."""
        content: dict[str, Any] = msgspec.json.decode(self.body)
        return content


class Audit:
    """Reads what happened."""

    async def find_call(self, unit: UnitOfWork, identifier: str) -> Any:
        """The record of a call, with the names of its subjects. Raises UnknownCall."""
        try:
            moment = datetime.fromtimestamp(id_time_ms(identifier) / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            row = None
        else:
            # The id holds the millisecond in which the call came, mostly that of its admission too: one index entry is
            # looked at. Its body may have been sent slowly, or the clock been set meanwhile.
            near = (moment - MILLISECOND, moment + 2 * MILLISECOND)
            row = await fetch_found(unit, store.FIND_CALL, identifier, *near)
            if row is None:
                row = await fetch_found(unit, store.FIND_CALL, identifier, moment - MOST_WAIT, moment + MOST_WAIT)
        if row is None:
            message = "There is no call with this id."
            raise UnknownCall(message)
        return row

    async def page_calls(
        self, unit: UnitOfWork, which: CallFilter, cursor: str | None, limit: int
    ) -> tuple[list[Any], str | None]:
        """A page of calls, newest first, and the cursor of the next page. Raises InvalidCursor."""
        position: tuple[datetime | None, str | None] = (None, None)
        if cursor is not None:
            moment, identifier = _read_cursor(cursor, 2)
            position = (_moment(moment), _identifier(identifier))
        rows = await fetch_merged(
            unit,
            which.tenant,
            lambda row: (-to_ns(row["started_at"]), -row["call_id"].int),
            store.LIST_CALLS,
            *(which.tenant, which.start, which.end, *position, which.status, which.model),
            *(which.application, which.user, which.key, which.department, limit + 1),
        )
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            following = _make_cursor(last["started_at"].isoformat(), str(last["call_id"]))
        return rows[:limit], following

    async def page_events(
        self, unit: UnitOfWork, which: EventFilter, cursor: str | None, limit: int
    ) -> tuple[list[LoggedEvent], str | None]:
        """A page of events, oldest first, and the cursor of the next page. Raises InvalidCursor."""
        position: tuple[datetime | None, str | None, int | None] = (None, None, None)
        if cursor is not None:
            moment, tenant, seq = _read_cursor(cursor, 3)
            position = (_moment(moment), _identifier(tenant), _number(seq))
        rows = await fetch_merged(
            unit,
            which.tenant,
            lambda row: (row["at"], row["tenant_id"].int, row["seq"]),
            store.LIST_EVENTS,
            *(which.tenant, which.start, which.end, which.type, *position, limit + 1),
            *_places(which.places),
        )
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            following = _make_cursor(last["at"].isoformat(), str(last["tenant_id"]), str(last["seq"]))
        return [_event(row) for row in rows[:limit]], following

    async def export_events(self, unit: UnitOfWork, which: EventFilter) -> AsyncIterator[LoggedEvent]:
        """All events of a period, by cell, tenant and in the order of their leaves, without holding them in memory.

        A cell that cannot be asked is an error: an export of the log is whole, or there is none.
        """
        async for _ in rounds(unit, which.tenant, whole=True):
            async for row in unit.rows(store.EXPORT_EVENTS, which.tenant, which.start, which.end, which.type):
                yield _event(row)


def _places(places: EventPlaces | None) -> tuple[object, ...]:
    if places is None:
        return True, [], [], [], []
    return False, *(sorted(ids) for ids in (places.departments, places.applications, places.alone, places.users))


def _event(row: Any) -> LoggedEvent:
    return LoggedEvent(
        tenant=str(row["tenant_id"]),
        seq=row["seq"],
        at=row["at"],
        type=row["type"],
        body=row["body"],
        leaf=bytes(row["leaf"]),
    )


def _make_cursor(*parts: str) -> str:
    return write_cursor("|".join(parts).encode())


def _read_cursor(cursor: str, count: int) -> list[str]:
    try:
        parts = read_cursor(cursor).decode().split("|")
    except ValueError:
        parts = []
    if len(parts) != count:
        raise _invalid_cursor()
    return parts


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid_cursor() from None


def _identifier(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise _invalid_cursor() from None


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _invalid_cursor()
    return int(text)


def _invalid_cursor() -> InvalidCursor:
    message = "This is no cursor of this list."
    return InvalidCursor(message, param="cursor")
