"""A replica's own connection: when it cannot be set up, nothing of it stays behind."""

import asyncpg
import pytest

from enfilade.storage import replicas
from tests.support.house import House
from tests.support.waiting import eventually

OPERATORS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%1 / 0%'"


async def test_a_connection_that_cannot_take_the_lock_is_closed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "HOLD_LIFE", "SELECT 1 / 0, $1::text")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await house.parts.presence._connect()
    owner = await asyncpg.connect(house.address.url)
    try:

        async def nothing_is_left() -> bool:
            return bool(await owner.fetchval(f"{OPERATORS} AND pid <> pg_backend_pid()") == 0)

        await eventually(nothing_is_left)
    finally:
        await owner.close()
