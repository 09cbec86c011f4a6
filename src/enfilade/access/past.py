"""What was asked in the past, from the records of calls."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from enfilade.access import store
from enfilade.core.clock import to_datetime
from enfilade.storage.unit_of_work import UnitOfWork

MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)


def piece_of_time(times: Collection[str]) -> timedelta | None:
    """Within which calls are alike to policies that look at these times; None where they look at none.

    Hours and days begin at quarters of an hour of universal time, in every time zone.
    """
    return MINUTE if "minute" in times else QUARTER if times else None


async def calls(
    unit: UnitOfWork, tenant: str, since: datetime, most: int, piece: timedelta | None, turns: Sequence[int]
) -> list[Any]:
    """Each combination of who, what and what for, with how often it came; apart where time may matter."""
    moments = [to_datetime(turn) for turn in turns]
    return await unit.fetch(store.PAST_CALLS, tenant, since, most, piece, moments)
