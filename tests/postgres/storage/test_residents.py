"""`enfilade doctor` tells of cells without a tenant, and of tenants without a cell."""

from typing import Any

from enfilade.bootstrap.compose import Parts
from enfilade.storage.cells import own_name
from enfilade.storage.residents import diagnose_cells

ORPHAN = "enf_" + "ab" * 16


async def test_cells_and_the_registry_agree(parts: Parts, tenant: str) -> None:
    # Other tests on this server leave databases of their own behind.
    healthy = [row for row in await diagnose_cells(parts.fleet) if " databases belong to no tenant" not in row[2]]
    assert {row[0] for row in healthy} <= {"ok"}
    async with parts.database.owner() as owner:
        await owner.execute(f"CREATE SCHEMA {ORPHAN}")
        await owner.execute("UPDATE enfilade.tenants SET isolation = 'schema' WHERE id = $1", tenant)
    found = await diagnose_cells(parts.fleet)
    assert _texts(found, "warning") == [f"on home, 1 schemas belong to no tenant of this installation: {ORPHAN}"]
    assert _texts(found, "fault") == [f"the schema of 1 tenants on home is not there: {own_name(tenant)}"]
    async with parts.database.owner() as owner:
        await owner.execute(f"DROP SCHEMA {ORPHAN}")
        await owner.execute("UPDATE enfilade.tenants SET isolation = 'row', cell = 'away' WHERE id = $1", tenant)
    (found_text,) = _texts(await diagnose_cells(parts.fleet), "fault")
    assert "'away', which is not known" in found_text


def _texts(found: list[Any], level: str) -> list[str]:
    return [row[2] for row in found if row[0] == level and " databases belong to no tenant" not in row[2]]
