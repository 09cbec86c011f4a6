"""`enfilade up` as a newcomer uses it."""

import json
from pathlib import Path

import httpx2
import pytest

from enfilade import __version__
from tests.support.process import enfilade_up
from tests.support.world import ACME_KEY, world

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


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, None),
        ({"OPENAI_API_KEY": "sk-not-shown"}, "OPENAI_API_KEY is set: to use openai for real"),
        (
            {"OPENAI_API_KEY": "sk-not-shown", "ANTHROPIC_API_KEY": "sk-not-shown"},
            "OPENAI_API_KEY and ANTHROPIC_API_KEY are set: to use anthropic, openai for real",
        ),
    ],
)
def test_real_providers_keys_in_the_environment_are_mentioned(
    tmp_path: Path, environment: dict[str, str], said: str | None
) -> None:
    with enfilade_up(tmp_path, environment=environment) as process:
        assert process.stop() == 0
        output = " ".join(process.output.split())
    if said is None:
        assert "for real" not in output
    else:
        assert said in output
        assert "enfilade apply -f" in output
    assert "sk-not-shown" not in output


def test_several_configurations_are_one_and_of_other_options_the_last_counts(tmp_path: Path) -> None:
    document = world()
    catalogue = {name: document.pop(name) for name in ("providers", "models", "aliases")}
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "catalogue.yaml").write_text(json.dumps(catalogue | {"version": 1}))
    (tmp_path / "tenants.json").write_text(json.dumps(document))
    options = ["--config", str(folder), "--config", str(tmp_path / "tenants.json")]
    options += ["--host", "203.0.113.1", "--host", "127.0.0.1", "--data", str(tmp_path / "other")]
    with enfilade_up(tmp_path, *options) as process:
        assert process.url.startswith("http://127.0.0.1:")
        assert process.ready["data_dir"] == str(tmp_path / "other")
        assert not (tmp_path / "data").exists()
        reply = httpx2.post(
            f"{process.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {ACME_KEY}"},
            json={"model": "fast", "messages": [{"role": "user", "content": "hello"}]},
        )
        assert reply.json()["choices"][0]["message"]["content"] == "hello"


def test_the_ready_file_and_the_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    with enfilade_up(tmp_path) as process:
        (ready,) = tmp_path.glob("ready-*.json")
        secrets = [ready, tmp_path / "data" / "master.key", tmp_path / "data" / "owner.password"]
        assert {path.stat().st_mode & 0o077 for path in secrets} == {0}
        assert process.output.count(process.ready["admin_key"]) == 1
