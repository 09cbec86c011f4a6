"""What was asked in the past, from the records of calls."""

from datetime import datetime
from typing import Any

from enfilade.access import store
from enfilade.storage.unit_of_work import UnitOfWork


async def calls(unit: UnitOfWork, tenant: str, since: datetime, most: int, *, by_hour: bool) -> list[Any]:
    """Each combination of who, what and what for, with how often it came; hours apart only where they matter."""
    return await unit.fetch(store.PAST_CALLS, tenant, since, most, by_hour)
