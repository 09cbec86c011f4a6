"""`enfilade price` and `enfilade currency` against a running server."""

import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from enfilade.cli.output import Exit
from tests.support.process import enfilade_up, run_cli

pytestmark = pytest.mark.e2e

GOOD = """prices:
  - {model: sim/echo, input: 3, output: 6}
  - {model: "sim/*", input: 4}
"""
BAD = """prices:
  - {model: good, input: 1}
  - {model: m, imput: 1}
  - {model: n, input: -1}
"""


class Terminal:
    """Somebody at a terminal beside a running server."""

    def __init__(self, home: Path, url: str, key: str) -> None:
        self.home = home
        self.environment = {"ENFILADE_URL": url, "ENFILADE_KEY": key}

    def __call__(self, *arguments: str, expect: int = Exit.OK) -> CompletedProcess[str]:
        done = run_cli(self.home, *arguments, environment=self.environment)
        assert done.returncode == expect, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    home = tmp_path_factory.mktemp("prices")
    with enfilade_up(home) as up:
        yield Terminal(home, up.url, up.ready["admin_key"])


def test_a_price_is_set_with_everything_that_it_may_have_and_shown(run: Terminal) -> None:
    run(
        *("price", "set", "gpt-4o-mini", "--input", "2", "--output", "8", "--web-searches", "10"),
        *("--tier", "200000:input=4,output=12", "--service-tier", "batch:input=1,output=4"),
        *("--hours", "22:00-06:00/input=1.5", "--reason", "contract"),
    )
    run("price", "set", "gpt-4o-mini", "--free", "--from", "2099-01-01", "--to", "2099-02-01")
    shown = run("price", "show", "gpt-4o-mini").stdout
    history = json.loads(run("price", "history", "gpt-4o-mini", "--json").stdout)

    for text in (
        "override:gpt-4o-mini@",
        "per 1,000",
        "above 200000 tokens: input",
        "batch: output",
        "contract",
        "2099-01-01",
    ):
        assert text in shown, text
    assert [entry["price"]["free"] for entry in history[-2:]] == [None, True]
    assert run("price", "set", "gpt-4o-mini", "--tier", "much", expect=Exit.USAGE).stderr
    overlap = run("price", "set", "gpt-4o-mini", "--input", "1", "--from", "2099-01-15", expect=Exit.REFUSED).stderr
    assert "2099-01-01" in overlap
    assert "2099-01-15" in overlap


def test_a_list_is_compared_imported_and_refused_with_files_and_lines(run: Terminal) -> None:
    (run.home / "good.yaml").write_text(GOOD, encoding="utf-8")
    (run.home / "bad.yaml").write_text(BAD, encoding="utf-8")

    refusal = run("price", "import", "bad.yaml", expect=Exit.REFUSED).stderr
    assert "bad.yaml:3: unknown key; did you mean `input`?" in refusal
    assert "bad.yaml:4:" in refusal
    assert "Nothing was imported." in refusal
    assert "sim/echo" in run("price", "import", "good.yaml", "--dry-run").stdout
    run("price", "import", "good.yaml", expect=Exit.USAGE)
    assert "good, version 1" in run("price", "import", "good.yaml", "--yes").stderr
    assert "the same" in run("price", "import", "good.yaml", "--yes").stderr
    assert "good@1" in run("price", "books").stdout
    assert json.loads(run("price", "diff", "good@1", "--json").stdout) == []
    assert "sim/echo" in run("price", "diff", "good.yaml").stdout


def test_discounts_markups_and_exchange_rates_are_declared_and_listed(run: Terminal) -> None:
    tenant = json.loads(run("tenant", "list", "--json").stdout)[0]["name"]
    run("price", "discount", "set", "250bp", "--provider", "sim", "--reason", "contract 7")
    run("price", "markup", "set", tenant, "-5", "--model", "gpt-*")
    run("currency", "set", "EUR", "0.92", "--from", "2026-11-01", "--source", "ECB")

    assert "2.5%" in run("price", "discount", "list").stdout
    assert "-5%" in run("price", "markup", "list").stdout
    assert "ECB" in run("currency", "list").stdout
    run("price", "discount", "end", "--provider", "sim")
    run("price", "markup", "end", tenant, "--model", "gpt-*")
    assert "ended" in run("price", "markup", "list", "--history").stdout
    assert json.loads(run("price", "discount", "list", "--json").stdout) == []
