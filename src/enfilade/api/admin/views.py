"""What the routes share: pages, versions, money."""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.audit.errors import InvalidCursor
from enfilade.core.cursors import read_cursor, write_cursor
from enfilade.core.errors import InvalidRequest
from enfilade.identity.errors import VersionMismatch
from enfilade.storage.rounds import left_out

T = TypeVar("T")
_HIDDEN: ContextVar[frozenset[str]] = ContextVar("hidden", default=frozenset())

Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the previous page.")]
IfMatch = Annotated[str | None, Header(description="The `etag` of what is to be changed: change nothing else.")]
Money = Annotated[str, Field(pattern=r"^-?\d+\.\d{9}$", examples=["0.084000000"])]


class View(BaseModel):
    """The base of what is shown."""

    model_config = ConfigDict(extra="forbid")


class Period(BaseModel):
    """A period, as parameters of an address."""

    model_config = ConfigDict(extra="ignore")

    start: Annotated[str | None, Field(alias="from", max_length=40, description="2026-11-02, or RFC 3339.")] = None
    to: Annotated[str | None, Field(max_length=40, description="Like `from`; a date includes that day.")] = None

    def moments(self, earliest: datetime, latest: datetime, zone: tzinfo = UTC) -> tuple[datetime, datetime]:
        """Start and end, the end without itself; dates are days of `zone`. Raises InvalidRequest."""
        return read_moment(self.start, earliest, is_end=False, zone=zone), read_moment(
            self.to, latest, is_end=True, zone=zone
        )


class Listing(Period):
    """A page of what happened in a period, as parameters of an address."""

    limit: Annotated[int, Field(ge=1, le=500, description="How many at most.")] = 50
    cursor: Annotated[str | None, Field(max_length=500, description="`next` of the previous page.")] = None


Incomplete = Annotated[
    list[str],
    Field(
        exclude_if=lambda names: not names,
        description="Cells that could not be asked, so that their tenants are not in this answer. Only there if there are.",
    ),
]


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last one.")] = None
    incomplete: Incomplete = Field(default_factory=left_out)


def hide_tenants(tenants: frozenset[str]) -> None:
    """Leave these tenants' things out of the pages that are made from now on in this task."""
    _HIDDEN.set(tenants)


async def page_of(
    fetch: Callable[[str | None, int], Awaitable[Sequence[Any]]],
    cursor: str | None,
    limit: int,
    show: Callable[[Any], T],
) -> Page[T]:
    """A page of a list that is ordered by id, without what belongs to hidden tenants."""
    hidden, after = _HIDDEN.get(), _after(cursor)
    rows: list[Any] = []
    while True:
        batch = await fetch(after, limit + 1)
        rows += [row for row in batch if not hidden or getattr(row, "tenant", None) not in hidden]
        if len(rows) > limit or len(batch) <= limit:
            break
        after = batch[-1].id
    following = None
    if len(rows) > limit:
        following = write_cursor(rows[limit - 1].id.encode())
    return Page(items=[show(row) for row in rows[:limit]], next=following)


def _after(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return str(UUID(read_cursor(cursor).decode()))
    except ValueError:
        message = "This is no cursor of this list."
        raise InvalidCursor(message, param="cursor") from None


def tag(response: Response, version: int) -> None:
    """Mark a reply with the version of what it shows."""
    response.headers["etag"] = f'"{version}"'


def expected_version(if_match: str | None) -> int | None:
    """The version that a change is meant for; None for any. Raises VersionMismatch for a tag that was never given out."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = re.fullmatch(r'\s*(?:W/)?"(\d{1,18})"\s*', if_match)
    if match is None:
        message = "The `if-match` header is no `etag` of this resource."
        raise VersionMismatch(message)
    return int(match[1])


def read_moment(text: str | None, default: datetime, *, is_end: bool, zone: tzinfo = UTC) -> datetime:
    """A moment from `2026-11-02` or RFC 3339; a date as the end of a period includes that day. Raises InvalidRequest."""
    if text is None:
        return default
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            day = date.fromisoformat(text) + timedelta(days=int(is_end))
            return datetime.combine(day, time(), zone).astimezone(UTC)
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{text!r} is no moment; it looks like 2026-11-02 or 2026-11-02T12:00:00Z"
        raise InvalidRequest(message, param="to" if is_end else "from") from None
