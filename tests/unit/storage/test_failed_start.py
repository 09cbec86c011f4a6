"""A start of the embedded server that fails leaves everything where it was."""

from pathlib import Path

import pytest

from enfilade.core.clock import SystemClock
from enfilade.storage.embedded.supervisor import EmbeddedPostgres
from enfilade.storage.errors import EmbeddedServerFault


async def test_a_failed_start_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "work").write_text("of weeks")
    monkeypatch.chdir(here)
    server = EmbeddedPostgres(tmp_path / "data", SystemClock(), "no-such-account")
    with pytest.raises(EmbeddedServerFault):
        await server.start()
    await server.stop()
    assert (here / "work").read_text() == "of weeks"
