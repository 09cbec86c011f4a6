"""Asking a server whether it answers, while it may be dying in any way."""

from pathlib import Path
from typing import Any

import asyncpg
import pytest

from enfilade.core.clock import SystemClock
from enfilade.storage.address import Address
from enfilade.storage.embedded.supervisor import EmbeddedPostgres
from enfilade.storage.errors import EmbeddedServerFault


def _probe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception) -> EmbeddedPostgres:
    async def connect(*_: object, **__: object) -> Any:
        raise error

    monkeypatch.setattr(asyncpg, "connect", connect)
    monkeypatch.setattr(EmbeddedPostgres, "address", Address("postgresql://somebody@/nothing", "secret"))
    return EmbeddedPostgres(tmp_path, SystemClock())


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.CannotConnectNowError("starting"),
        asyncpg.AdminShutdownError("terminating connection due to unexpected postmaster exit"),
        asyncpg.CrashShutdownError("another process crashed"),
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.TooManyConnectionsError("full"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_server_that_dies_while_it_is_asked_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    assert await _probe(monkeypatch, tmp_path, error)._answers() is False


async def test_a_refused_password_is_a_fault_of_the_data_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(EmbeddedServerFault, match=r"owner\.password"):
        await _probe(monkeypatch, tmp_path, asyncpg.InvalidPasswordError("no"))._answers()
