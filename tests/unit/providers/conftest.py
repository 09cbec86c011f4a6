"""What the tests of providers share."""

from collections.abc import AsyncIterator

import pytest

from tests.support.outbound import Outbound


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    """Providers with a clock that stands still."""
    made = Outbound()
    yield made
    made.close()
