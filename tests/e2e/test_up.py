"""`enfilade up` as a newcomer uses it."""

from pathlib import Path

import httpx2
import pytest

from enfilade import __version__
from tests.support.process import enfilade_up

pytestmark = pytest.mark.e2e


def test_the_first_start_makes_keys_and_the_second_does_not(tmp_path: Path) -> None:
    with enfilade_up(tmp_path) as first:
        ready = first.ready
        assert ready["database"] == "embedded"
        assert ready["version"] == __version__
        assert ready["pid"] == first.process.pid
        assert ready["data_dir"] == str(tmp_path / "data")
        assert ready["admin_key"].startswith("enf_")
        assert ready["app_key"].startswith("enf_")
        reply = httpx2.post(
            f"{first.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {ready['app_key']}"},
            json={"model": "simulated/echo", "messages": [{"role": "user", "content": "hello"}]},
        )
        assert reply.json()["choices"][0]["message"]["content"] == "hello"
        assert first.stop() == 0

    with enfilade_up(tmp_path) as second:
        assert (second.ready["admin_key"], second.ready["app_key"]) == (None, None)
        record = httpx2.get(
            f"{second.url}/api/v1/calls/{reply.headers['x-request-id']}",
            headers={"authorization": f"Bearer {ready['admin_key']}"},
        )
        assert record.json()["application"] == "sales-copilot"
