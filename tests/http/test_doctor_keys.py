"""`enfilade doctor` looks at Vault, at the master key, and at where secrets are said to be."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from enfilade.cli.output import Exit
from enfilade.cli.root import ROOT
from enfilade.storage.address import Address
from tests.support.house import HouseOptions, open_house
from tests.support.world import world

OTHER_KEY = b"\x05" * 32
PROVIDER = {"kind": "openai_compatible", "base_url": "https://llm.example/v1"}
REFERENCES: dict[str, dict[str, str]] = {
    "by-variable": {"env": "LLM_A_KEY"},
    "by-missing-variable": {"env": "LLM_B_KEY"},
    "by-file": {"file": "SECRETS/there"},
    "by-missing-file": {"file": "SECRETS/gone"},
}


async def test_what_is_missing_is_named_and_no_secret_is_shown(
    database: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").write_text("secret-in-a-file", encoding="utf-8")
    (tmp_path / "gone").write_text("for now", encoding="utf-8")
    environment = {"LLM_A_KEY": "secret-in-a-variable", "LLM_B_KEY": "for now"}
    document = world()
    for name, reference in REFERENCES.items():
        placed = {kind: where.replace("SECRETS", str(tmp_path)) for kind, where in reference.items()}
        document["providers"].append(PROVIDER | {"name": name, "api_key": placed})
    options = HouseOptions(
        document=document, environment=environment, secret_env=("LLM_*",), secret_dirs=(tmp_path,), master_key=bytes(32)
    )
    async with open_house(database, options):
        pass
    (tmp_path / "gone").unlink()
    for name, value in {
        "ENFILADE_DATABASE_URL": database.url,
        "ENFILADE_DATABASE_ROLE_SECRET": database.role_secret,
        "ENFILADE_SECRET_ENV": "LLM_*",
        "ENFILADE_SECRET_DIRS": str(tmp_path),
        "ENFILADE_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
        "LLM_A_KEY": "secret-in-a-variable",
    }.items():
        monkeypatch.setenv(name, value)
    healthy, found = await _doctor(tmp_path)
    assert {subject for subject, rows in found.items() for level, _ in rows if level == "fault"} == {"secrets"}
    assert found["master key"][0][0] == "ok"
    assert found["tenants' keys"][0][0] == "ok"
    secrets = found["secrets"]
    assert [level for level, _ in secrets] == ["warning", "fault", "ok"]
    assert "by-missing-variable, api_key: the variable LLM_B_KEY is not set" in secrets[0][1]
    assert "by-missing-file" in secrets[1][1]
    assert secrets[2][1] == "of providers: 1 by env, 1 by file"
    assert "secret-in-a" not in healthy

    monkeypatch.setenv("ENFILADE_VAULT_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("ENFILADE_VAULT_TOKEN", "hvs.a-token")
    monkeypatch.setenv("ENFILADE_MASTER_KEY", base64.b64encode(OTHER_KEY).decode())
    ill, found = await _doctor(tmp_path)
    assert found["vault"][0][0] == "fault"
    assert found["tenants' keys"][0][0] == "fault"
    assert "hvs.a-token" not in ill
    assert base64.b64encode(OTHER_KEY).decode() not in ill


async def _doctor(place: Path) -> tuple[str, dict[str, list[tuple[str, str]]]]:
    """The output, and by subject the level and text of each finding. Something is always amiss here."""
    words = ["doctor", "--json", "--data", str(place / "data")]
    done = await asyncio.to_thread(CliRunner().invoke, ROOT, words)
    assert done.exit_code == Exit.UNHEALTHY, done.output
    found: dict[str, list[tuple[str, str]]] = {}
    shown: list[dict[str, Any]] = json.loads(done.output)
    for one in shown:
        assert one["level"] == "ok" or one["remedy"], one
        found.setdefault(one["subject"], []).append((one["level"], one["text"]))
    return done.output, found
