"""Parts with some tenants whose persons have keys."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.sealing import Sealing
from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.parts import make_tenant, open_parts


@dataclass
class Kept:
    """Something that was sealed for a person."""

    tenant: str
    subject: str
    purpose: str
    sealed: bytes

    async def open(self, sealing: Sealing) -> bytes:
        """What it was."""
        keys = await sealing.envelope.prepare(self.tenant, sealed=[self.sealed])
        return keys.open(self.purpose, self.sealed)


@pytest.fixture
async def parts(database: Address) -> AsyncIterator[Parts]:
    """A process on a database of its own; its clock stands still."""
    async with open_parts(database, ManualClock()) as opened:
        yield opened


@pytest.fixture
async def tenants(parts: Parts) -> list[str]:
    """Three tenants."""
    return [(await make_tenant(parts, name)).id for name in ("acme", "globex", "initech")]


async def keep(sealing: Sealing, parts: Parts, tenant: str, count: int = 1) -> list[Kept]:
    """Seal something for so many new persons of a tenant."""
    kept = []
    for number in range(count):
        subject, purpose = parts.ids.new_id(), f"note:{number}"
        keys = await sealing.envelope.prepare(tenant, subject)
        kept.append(Kept(tenant, subject, purpose, keys.seal(purpose, purpose.encode())))
    return kept
