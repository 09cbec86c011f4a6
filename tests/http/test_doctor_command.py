"""The command line's end of `enfilade doctor isolation`."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from enfilade.cli.output import Exit
from enfilade.cli.root import ROOT
from enfilade.storage.address import Address


async def test_a_finding_makes_it_exit_with_7_and_the_report_is_kept(
    database: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENFILADE_DATABASE_URL", database.url)
    monkeypatch.setenv("ENFILADE_DATABASE_ROLE_SECRET", database.role_secret)
    report = tmp_path / "report.json"
    words = ["doctor", "isolation", "--no-routes", "--data", str(tmp_path / "data"), "--report", str(report)]
    healthy = await asyncio.to_thread(CliRunner().invoke, ROOT, words)
    assert healthy.exit_code == Exit.OK, healthy.output
    assert "Nothing was found" in healthy.output
    assert "migrated" not in healthy.output, "the log of what is tried is nobody's business"
    content = json.loads(report.read_text(encoding="utf-8"))
    assert content["findings"] == 0
    assert content["left_out"] == ["routes and memory: they were not asked for"]
    connection = await asyncpg.connect(database.url)
    await connection.execute("GRANT SELECT ON enfilade.secrets TO enfilade_app")
    await connection.execute("ALTER TABLE enfilade_shared.users DISABLE ROW LEVEL SECURITY")
    await connection.execute("CREATE VIEW enfilade_shared.everybody AS SELECT * FROM enfilade_shared.users")
    await connection.execute("GRANT SELECT ON enfilade_shared.everybody TO enfilade_app")
    await connection.close()
    told = await asyncio.to_thread(CliRunner().invoke, ROOT, words)
    assert told.exit_code == Exit.UNHEALTHY
    assert "table enfilade_shared.users (shared): row-level security is switched off" in told.output
    assert "view enfilade_shared.everybody (shared): it reads with its owner's rights" in told.output
    ill = await asyncio.to_thread(CliRunner().invoke, ROOT, [*words, "--json"])
    assert ill.exit_code == Exit.UNHEALTHY
    content = json.loads(report.read_text(encoding="utf-8"))
    assert [item["name"] for item in content["items"] if item["faults"]] == [
        "enfilade.secrets",
        "enfilade_shared.everybody",
        "enfilade_shared.users",
    ]
