"""Jobs leave suspended tenants alone."""

from datetime import timedelta

from enfilade.storage.address import Address
from tests.support.moves import furnished
from tests.support.parts import NOON, open_parts, unit_in

EXPIRED = """
INSERT INTO conversations (tenant_id, id, application_id, key_id, owner_id, metadata, created_at, expires_at)
SELECT k.tenant_id, gen_random_uuid(), k.application_id, k.id, k.application_id, '', $1, $1 FROM keys k WHERE k.tenant_id = $2
"""


async def test_what_expires_stays_while_its_tenant_is_suspended(database: Address) -> None:
    async with open_parts(database) as parts:
        ours = await furnished(parts, "ours")
        async with unit_in(parts, ours) as unit:
            await unit.execute(EXPIRED, NOON - timedelta(days=1), ours)
        async with unit_in(parts) as unit:
            await parts.identity.tenants.suspend(unit, "ours", "a test")
        await parts.directory.refresh()
        assert await parts.retention.sweep() == 0
        async with unit_in(parts) as unit:
            await parts.identity.tenants.resume(unit, "ours")
        await parts.directory.refresh()
        assert await parts.retention.sweep() == 1
