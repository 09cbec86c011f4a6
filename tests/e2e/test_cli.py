"""The command line against a running server, as an operator and as a script use it."""

import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx2
import pytest
import yaml

from enfilade import __version__
from enfilade.cli.output import Exit
from tests.support.process import EnfiladeProcess, enfilade_up, run_cli

pytestmark = pytest.mark.e2e

Done = CompletedProcess[str]


class Operator:
    """Somebody at a terminal, beside a running server."""

    def __init__(self, up: EnfiladeProcess, home: Path) -> None:
        """Work in `home`, with the server's address and the owner's key in the environment."""
        self.up, self.home = up, home
        self.key: str = up.ready["admin_key"]
        self.environment = {"ENFILADE_URL": up.url, "ENFILADE_KEY": self.key}

    def run(self, *arguments: str, expect: int = Exit.OK, **environment: str) -> Done:
        """Run a command; it must end so."""
        done = run_cli(self.home, *arguments, environment=self.environment | environment)
        assert done.returncode == expect, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, expect: int = Exit.OK) -> Any:
        """What a command prints for programs."""
        return json.loads(self.run(*arguments, "--json", expect=expect).stdout)

    def api(self, path: str) -> Any:
        """What the admin API says."""
        reply = httpx2.get(f"{self.up.url}/api/v1/{path}", headers={"authorization": f"Bearer {self.key}"})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def write(self, name: str, document: Any) -> str:
        """A configuration file."""
        (self.home / name).write_text(yaml.safe_dump(document), encoding="utf-8")
        return name


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    home = tmp_path_factory.mktemp("cli")
    with enfilade_up(home) as up:
        reply = httpx2.post(
            f"{up.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {up.ready['app_key']}"},
            json={"model": "simulated/echo", "messages": [{"role": "user", "content": "hello"}]},
        )
        assert reply.status_code == 200
        yield Operator(up, home)


LISTS = [
    ("tenant", "tenants"),
    ("app", "applications"),
    ("user", "users"),
    ("key", "keys"),
    ("limit", "limits"),
    ("budget", "budgets"),
    ("provider", "providers"),
    ("call", "calls"),
    ("audit", "events"),
]


@pytest.mark.parametrize(("command", "path"), LISTS)
def test_a_list_is_a_table_for_people_and_the_apis_objects_for_programs(
    operator: Operator, command: str, path: str
) -> None:
    items = operator.json(command, "list")
    assert items == operator.api(f"{path}?limit=50")["items"]
    lines = operator.run(command, "list").stdout.splitlines()
    assert len(lines) == len(items) + 1
    for item, line in zip(items, lines[1:], strict=True):
        shown = [str(item[name]) for name in ("name", "email", "scope") if item.get(name)]
        assert all(text in line for text in shown)


def test_what_has_no_pages_is_the_apis_object_too(operator: Operator) -> None:
    assert operator.json("price", "list") == operator.api("prices")
    assert operator.json("model", "health") == operator.api("deployments")
    assert operator.json("model", "list")["models"] == operator.api("models")["items"]
    replicas = operator.json("replicas")
    assert [replica["pid"] for replica in replicas["items"]] == [operator.up.ready["pid"]]
    assert operator.json("version")["enfilade"] == operator.run("version").stdout.strip() == __version__


@pytest.mark.parametrize("by", ["application", "day"])
def test_spend_prints_what_the_api_says(operator: Operator, by: str) -> None:
    period = "from=2020-01-01&to=2999-01-01"
    options = ("--by", by, "--from", "2020-01-01", "--to", "2999-01-01")
    report = operator.json("spend", *options)
    assert report == operator.api(f"spend?group_by={by}&{period}")
    assert report["total_usd"] != "0.000000000"
    assert sum(group["calls"] for group in report["groups"]) == report["calls"] == 1
    table = operator.run("spend", *options).stdout
    assert f"${report['total_usd'].rstrip('0')}" in table


def test_nouns_are_made_shown_and_removed(operator: Operator) -> None:
    run = operator.run
    assert operator.json("tenant", "create", "initech", "--time-zone", "Europe/Vienna")["name"] == "initech"
    at = ("--tenant", "initech")
    assert "desk" in run("app", "create", "desk", *at).stderr
    assert operator.json("user", "create", "Bo@initech.example", *at, "--role", "developer")["roles"] == ["developer"]
    limit = operator.json("limit", "set", "application:desk", *at, "--requests", "5", "--per", "minute")
    run("limit", "change", limit["id"], "9", *at)
    assert operator.api(f"limits/{limit['id']}")["requests"] == 9
    budget = operator.json("budget", "set", "tenant", "12.5", *at, "--per", "day", "--alert", "0.8", "--action", "warn")
    assert (budget["limit_usd"], budget["alerts"], budget["action"]) == ("12.500000000", ["0.8"], "warn")
    assert operator.json("app", "show", "desk", *at) == operator.api("applications/desk?tenant=initech")
    assert operator.json("user", "show", "bo@initech.example", *at)["tenant"] == "initech"
    run("price", "set", "gpt-4o-mini", "--input", "7", "--output", "8.5")
    assert operator.json("price", "show", "gpt-4o-mini")["deployments"][0]["price"]["input"] == 7
    run("price", "unset", "gpt-4o-mini")
    run("budget", "remove", budget["id"], *at, "--yes")
    run("limit", "remove", limit["id"], *at, "--yes")
    run("user", "remove", "bo@initech.example", *at, "--yes")
    run("app", "remove", "desk", *at, "--yes")
    run("app", "show", "desk", *at, expect=Exit.NOT_FOUND)
    run("tenant", "remove", "initech", expect=Exit.USAGE)  # Without a terminal nobody can confirm.
    run("tenant", "remove", "initech", "--yes")
    assert "initech" not in run("tenant", "list").stdout


def test_the_secret_alone_is_on_the_output_stream(operator: Operator) -> None:
    at = ("--tenant", "acme")
    made = operator.run("key", "create", "script", *at, "--role", "developer")
    secret = made.stdout.strip()
    assert secret.startswith("enf_")
    assert " " not in secret
    assert "shown this once" in made.stderr
    operator.run("call", "list", ENFILADE_KEY=secret)
    operator.run("tenant", "list", ENFILADE_KEY=secret, expect=Exit.UNAUTHORISED)

    rotated = operator.run("key", "rotate", "script", *at, "--grace", "1h").stdout.strip()
    for valid in (secret, rotated):
        operator.run("call", "list", ENFILADE_KEY=valid)
    again = operator.json("key", "rotate", "script", *at, "--grace", "0s")["secret"]
    operator.run("call", "list", ENFILADE_KEY=again)
    operator.run("call", "list", ENFILADE_KEY=rotated, expect=Exit.UNAUTHORISED)
    shown = operator.run("key", "show", "script", *at).stdout + operator.run("key", "list").stdout
    assert not any(value in shown for value in (secret, rotated, again))
    operator.run("key", "revoke", "script", *at, "--yes")
    operator.run("call", "list", ENFILADE_KEY=again, expect=Exit.UNAUTHORISED)


def test_what_is_exported_and_applied_changes_nothing(operator: Operator) -> None:
    exported = operator.run("export").stdout
    (operator.home / "exported.yaml").write_text(exported, encoding="utf-8")
    assert operator.json("apply", "-f", "exported.yaml", "--prune", "--yes")["changes"] == []
    assert operator.json("export") == yaml.safe_load(exported) == operator.api("configuration")
    operator.run("export", "--output", "again.yaml")
    assert (operator.home / "again.yaml").read_text(encoding="utf-8") == exported
    assert json.loads(operator.run("schema").stdout)["title"] == "enfilade.yaml"


def test_applying_shows_the_plan_and_asks(operator: Operator) -> None:
    file = operator.write("more.yaml", {"tenants": [{"name": "hooli", "keys": [{"name": "ops", "roles": ["admin"]}]}]})
    lines = ["+ create tenant hooli", "+ create key hooli/ops"]
    assert operator.run("apply", "-f", file, "--dry-run").stdout.splitlines() == lines
    assert operator.run("apply", "-f", file, expect=Exit.USAGE).stdout.splitlines() == lines
    plan = operator.json("apply", "-f", file, expect=Exit.UNCONFIRMED)
    assert [change["name"] for change in plan["changes"]] == ["hooli", "ops"]
    assert operator.json("apply", "-f", file, "--dry-run") == plan
    assert "hooli" not in operator.run("tenant", "list").stdout

    done = operator.run("apply", "-f", file, "--yes")
    *printed, key = done.stdout.splitlines()
    assert printed == lines
    assert key.startswith("hooli/ops enf_")
    assert operator.json("apply", "-f", file)["changes"] == []
    assert "Nothing to change" in operator.run("apply", "-f", file).stderr
    operator.run("tenant", "remove", "hooli", "--yes")


FAULTS = {
    "version: 1\ntenants:\n  - name: acme\n    budgts: []\n": (4, "did you mean `budgets`?"),
    "tenants:\n  - name: acme\n    limits:\n      - scope: tenant\n        requests: x\n        per: day\n": (
        5,
        "integer",
    ),
    "tenants:\n  - name: acme\n    users:\n      - {email: a@acme.example, department: none}\n": (4, "none"),
    "tenants:\n  - name: acme\n    limits: [{scope: tenant, requests: .nan, per: day}]\n": (3, "'.nan'"),
    "tenants:\n  - name: a\n  name: b\n": (3, ""),
    "version: 1\nversion: 1\n": (2, "twice"),
    "- a\n": (1, "mapping"),
    "keys: [{name: k, roles: [owner], secret: {env: NOT_SET_ANYWHERE}}]\n": (1, "NOT_SET_ANYWHERE"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_in_a_file_is_told_with_its_line(operator: Operator, text: str) -> None:
    line, says = FAULTS[text]
    (operator.home / "bad.yaml").write_text(text, encoding="utf-8")
    done = operator.run("apply", "-f", "bad.yaml", "--yes", expect=Exit.REFUSED)
    assert f"bad.yaml:{line}: " in done.stderr
    assert says in done.stderr
    assert done.stdout == ""


def test_wrong_usage_is_refused_with_a_word_of_help(operator: Operator) -> None:
    done = operator.run("budget", "set", "tenant", "5", "--per", "fortnight", expect=Exit.USAGE)
    assert "Usage: " in done.stderr
    assert "'month'" in done.stderr


def test_a_misspelt_command_is_told_with_what_was_meant(operator: Operator) -> None:
    assert "Did you mean 'tenant'?" in operator.run("tenants", "list", expect=Exit.USAGE).stderr


def test_a_server_that_does_not_answer_and_a_key_that_is_none_are_told_apart(operator: Operator) -> None:
    gone = operator.run("tenant", "list", "--url", "http://127.0.0.1:9", expect=Exit.UNAVAILABLE)
    assert "http://127.0.0.1:9" in gone.stderr
    assert "--url" in gone.stderr
    wrong = operator.run("tenant", "list", "--key", "wrong", expect=Exit.UNAUTHORISED)
    assert "invalid_key" in wrong.stderr
    operator.run("tenant", "list", ENFILADE_KEY="", expect=Exit.UNAUTHORISED)
    operator.run("tenant", "list", "--key", operator.key, ENFILADE_KEY="wrong")
    operator.run("tenant", "list", "--url", operator.up.url, ENFILADE_URL="http://127.0.0.1:9")
    operator.run("tenant", "list", "--url", "nonsense", expect=Exit.USAGE)
    operator.run("audit", "export", "--url", "http://127.0.0.1:9", expect=Exit.UNAVAILABLE)


def test_a_refusal_says_what_to_do_at_the_command_line(operator: Operator) -> None:
    assert "--tenant" in operator.run("budget", "set", "tenant", "5", expect=Exit.REFUSED).stderr
    assert "still_in_use" in operator.run("provider", "remove", "simulated", "--yes", expect=Exit.REFUSED).stderr
    assert "call_not_found" in operator.run("call", "show", "x", expect=Exit.NOT_FOUND).stderr


def test_the_audit_log_is_exported_line_by_line(operator: Operator) -> None:
    lines = operator.run("audit", "export", "--type", "KeyIssued").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert {event["event"]["type"] for event in events} == {"KeyIssued"}
    done = operator.run("audit", "export", "--output", "events.ndjson")
    written = (operator.home / "events.ndjson").read_text(encoding="utf-8").splitlines()
    assert f"{len(written)} events" in done.stderr
    assert set(lines) <= set(written)


@pytest.mark.parametrize("command", [("doctor",), ("migrate",), ("migrate", "--check"), ("key", "first"), ("serve",)])
def test_a_command_beside_a_running_server_says_so_and_removes_nothing(
    operator: Operator, command: tuple[str, ...]
) -> None:
    (operator.home / "precious.txt").write_text("kept", encoding="utf-8")
    done = run_cli(operator.home, *command, "--data", str(operator.up.ready["data_dir"]), environment={})
    assert done.returncode in {Exit.FAILED, Exit.UNHEALTHY}, done.stderr
    assert str(operator.up.ready["pid"]) in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert (operator.home / "precious.txt").read_text(encoding="utf-8") == "kept"
    operator.run("tenant", "list")
