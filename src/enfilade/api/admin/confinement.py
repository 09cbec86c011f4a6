"""Routes for people whose rights hold in a part of the tenant only: what they see, touch and ask for lies there."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from enfilade.api.admin.security import Actor
from enfilade.api.admin.views import Page, page_of
from enfilade.core.cursors import write_cursor
from enfilade.core.errors import InvalidRequest
from enfilade.identity.errors import PermissionMissing

T = TypeVar("T")
Place = tuple[str | None, str | None]
"""Ids of a department and of an application."""
CHUNK = 500


class PlaceRequired(InvalidRequest):
    """Whose rights hold in several places must say which is meant."""

    code = "place_required"
    remedy = "Add `?department=NAME` or `?application=NAME` of a place where your rights hold."


async def page_within(
    actor: Actor,
    fetch: Callable[[str | None, int], Awaitable[Sequence[Any]]],
    cursor: str | None,
    limit: int,
    show: Callable[[Any], T],
    place: Callable[[Any], Place],
) -> Page[T]:
    """A page of a list that is ordered by id, of what lies where the actor's right holds."""
    if actor.within.everywhere:
        return await page_of(fetch, cursor, limit, show)
    kept: list[Any] = []
    start = cursor

    async def chunk(after: str | None, _count: int) -> Sequence[Any]:
        return await fetch(after, CHUNK)

    while True:
        # The cursor is read, and refused, where all lists' are.
        rows: list[Any] = (await page_of(chunk, start, CHUNK, lambda row: row)).items
        kept += [row for row in rows if actor.within.covers(*place(row))]
        if len(rows) < CHUNK or len(kept) > limit:
            break
        start = cursor_at(rows[-1].id)
    following = cursor_at(kept[limit - 1].id) if len(kept) > limit else None
    return Page(items=[show(row) for row in kept[:limit]], next=following)


def cursor_at(identifier: str) -> str:
    """The cursor of what follows."""
    return write_cursor(str(UUID(identifier)).encode())


def require_place(actor: Actor, place: Place) -> None:
    """Refuse to put something where the actor's right does not hold. Raises PermissionMissing."""
    if not actor.within.covers(*place):
        message = "Your right holds in a part of the tenant only, in which this does not lie."
        raise PermissionMissing(message)


def is_seen(actor: Actor, place: Place) -> bool:
    """Whether something lies where the actor's right holds; what does not is answered like what there is not."""
    return actor.within.covers(*place)


def confined_filter(actor: Actor, department: str | None, application: str | None) -> Place:
    """The filters of a report by ids, confined to where the actor's right holds.

    Raises PermissionMissing for a place where it does not, PlaceRequired where none was named and there are several.
    """
    within = actor.within
    if within.everywhere:
        return department, application
    if application is not None and application in within.applications:
        return department, application
    if department is not None and department in within.departments:
        return department, application
    if department is not None:
        require_place(actor, (department, None))
    # What an application did in another department, before it came to one of theirs, is not theirs to see.
    if len(within.departments) == 1 and (application is not None or not within.applications):
        return next(iter(within.departments)), application
    if application is not None:
        require_place(actor, (None, application))
    if len(within.applications) == 1 and not within.departments:
        return None, next(iter(within.applications))
    message = "Your right holds in several parts of the tenant: say which one is meant."
    raise PlaceRequired(message, param="department")
