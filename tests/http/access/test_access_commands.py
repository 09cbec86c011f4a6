"""`enfilade access` and `enfilade use-case`, against a server."""

import asyncio
import json
from pathlib import Path

from typer import Typer
from typer.testing import CliRunner, Result

from enfilade.cli.commands import access, use_case
from tests.support.house import House
from tests.support.world import ACME_ADMIN_KEY

CEDAR = """
@id("no-chat") @description("Not for now.")
forbid (principal, action == Action::"call", resource in Model::"chat");
@id("others") @visible("false")
permit (principal, action == Action::"call", resource);
"""


async def test_policies_are_looked_after_at_the_command_line(house: House, tmp_path: Path) -> None:
    async def run(app: Typer, *arguments: str) -> Result:
        options = ["--url", f"http://{house.host}:{house.port}", "--key", ACME_ADMIN_KEY]
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, [*arguments, *options]))

    policies, matrix, wrong = tmp_path / "some.cedar", tmp_path / "matrix.yaml", tmp_path / "wrong.cedar"
    policies.write_text(CEDAR)
    matrix.write_text("access:\n  matrix: [{name: sales, departments: [sales], models: [chat]}]\n")
    wrong.write_text(
        '// Two.\n@id("far")\n  permit (principal in Role::"x",\n action, resource) when { context.ours > 1 };'
    )

    refused = await run(access.APP, "check", str(wrong))
    assert refused.exit_code == 5
    places = {line.split()[2]: line for line in refused.output.splitlines() if line.startswith("error")}
    assert "no role 'x'" in places["3:30"], "the place is the file's, not the policy's"
    assert "hour" in places["4:35"]
    nameless = tmp_path / "nameless.cedar"
    nameless.write_text("permit (principal, action, resource);")
    assert (await run(access.APP, "check", str(nameless))).exit_code == 2

    made = await run(access.APP, "draft", str(policies), "--note", "a pause")
    assert "Version 1 is draft" in made.output
    assert "no-chat" in (await run(access.APP, "diff", "1")).output
    tried = await run(access.APP, "what-if", "--policies", str(matrix), "--days", "1")
    assert tried.exit_code == 0, tried.output
    assert "Version 1 is published" in (await run(access.APP, "publish", "1")).output
    explained = await run(access.APP, "explain", "--application", "copilot", "--model", "chat")
    assert "forbid no-chat" in " ".join(explained.output.split())
    listed = json.loads((await run(access.APP, "policies", "--json")).output)
    assert [(p["name"], p["effect"], p["visible"]) for p in listed] == [
        ("no-chat", "forbid", True),
        ("others", "permit", False),
    ]
    assert (await run(access.APP, "draft", str(matrix))).exit_code == 0
    assert "published" in (await run(access.APP, "publish", "2")).output
    assert "matrix/sales" in (await run(access.APP, "matrix", "--cedar")).output
    assert "sales" in (await run(access.APP, "matrix")).output
    assert "published" in (await run(access.APP, "rollback", "1")).output
    versions = json.loads((await run(access.APP, "versions", "--json")).output)
    assert [version["state"] for version in versions] == ["published", "superseded", "superseded"]

    register = ("create", "hiring", "--owner", "ana@acme.example", "--purpose", "sorting", "--review", "2000-01-01")
    assert (await run(use_case.APP, *register)).exit_code == 0
    assert "late" in (await run(use_case.APP, "list", "--overdue")).output
    assert (await run(use_case.APP, "review", "hiring", "--next", "2999-01-01")).exit_code == 0
    assert "There is no use case" in (await run(use_case.APP, "list", "--overdue")).output
    assert "2999-01-01" in (await run(use_case.APP, "show", "hiring")).output
    assert (await run(use_case.APP, "remove", "hiring", "--yes")).exit_code == 0
