"""The two tenants, for every walk."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.isolation.two_tenants import TwoTenants, two_tenants
from tests.support.postgres import TestServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these share one world, and so one loop."""
    for item in items:
        if {"both", "walk"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def both(server: TestServer) -> AsyncIterator[TwoTenants]:
    """See `two_tenants`. Whoever changes something of the tenants' puts it back."""
    async with server.database() as address, two_tenants(address) as prepared:
        yield prepared
