"""What the tests of providers share."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from tests.support.outbound import Outbound


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each test on both event loops: they differ in TLS, in closing and in what they read at once."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    """Providers with a clock that stands still."""
    made = Outbound()
    yield made
    made.close()
