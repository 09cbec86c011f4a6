"""The two tenants, for every walk."""

from collections.abc import AsyncIterator

import pytest

from enfilade.storage.address import Address
from tests.isolation.two_tenants import TwoTenants, two_tenants


@pytest.fixture
async def both(database: Address) -> AsyncIterator[TwoTenants]:
    """See `two_tenants`."""
    async with two_tenants(database) as prepared:
        yield prepared
