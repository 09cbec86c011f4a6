"""Jobs over all cells and tenants: what fails is put off, and keeps nobody else from their turn."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from enfilade.core.errors import Conflict
from enfilade.storage.cells import Cell
from enfilade.storage.errors import CellUnavailable, DatabaseUnavailable
from enfilade.storage.unit_of_work import Storage
from enfilade.storage.visits import for_tenants, in_cells

AWAY = {"home": DatabaseUnavailable("away"), "eu": CellUnavailable("away"), "us": DatabaseUnavailable("away")}


def cells() -> list[Cell]:
    return [Cell(name, "shared", cast("Any", None)) for name in ("home", "eu", "us", "asia")]


def storage_of(cells: list[Cell]) -> Storage:
    """As much of it as a visit needs."""
    return cast("Storage", SimpleNamespace(cells=SimpleNamespace(shared=cells[0], all=lambda: cells)))


async def test_cells_that_are_away_are_left_out() -> None:
    every = cells()

    async def work(cell: Cell) -> str:
        if cell.name in {"eu", "us"}:
            raise AWAY[cell.name]
        return cell.name

    storage = storage_of(every)
    assert await in_cells(storage, work, postponed="put_off") == ["home", "asia"]
    assert await in_cells(storage, work, postponed="put_off", cells=every[2:]) == ["asia"]


async def test_what_fails_in_the_installations_own_cell_is_told_after_the_others_turns() -> None:
    visited = []

    async def work(cell: Cell) -> None:
        visited.append(cell.name)
        if cell.name in AWAY:
            raise AWAY[cell.name]

    with pytest.raises(DatabaseUnavailable) as raised:
        await in_cells(storage_of(cells()), work, postponed="put_off")
    assert raised.value is AWAY["home"]
    assert visited == ["home", "eu", "us", "asia"]


async def test_a_mistake_of_ours_is_no_cell_that_is_away() -> None:
    async def work(_cell: Cell) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await in_cells(storage_of(cells()), work, postponed="put_off")


async def test_each_tenant_has_one_turn_whatever_happens_to_the_others() -> None:
    turns = []

    async def work(tenant: str) -> str:
        turns.append(tenant)
        if tenant == "acme":
            raise AWAY["us"]
        if tenant == "globex":
            message = "somebody else is at it"
            raise Conflict(message)
        return tenant

    assert await for_tenants(["acme", "globex", "initech", "acme"], work, postponed="put_off") == ["initech"]
    assert turns == ["acme", "globex", "initech"]
