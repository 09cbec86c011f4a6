"""The benchmark runs and reports; what it measures is judged by people."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120.0


def run_bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "bench" / "run.py"), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_a_quick_run_of_one_scenario_reports_its_rows() -> None:
    finished = run_bench("--quick", "--json", "calls")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    report = json.loads(finished.stdout)
    assert report["broken"] == {}
    assert report["layout"]
    (row,) = report["rows"]
    assert (row["scenario"], row["unit"]) == ("calls", "calls/s")
    assert row["value"] > 0
    assert row["bare"] > 0
    assert row["ratio"] == pytest.approx(row["value"] / row["bare"])
    assert row["goal"] == {"value": 5000.0, "better": "more"}
    assert row["reached"] == (row["value"] >= 5000)


def test_an_unknown_scenario_is_refused_with_the_names_of_those_that_exist() -> None:
    finished = run_bench("speed")
    assert finished.returncode == 2
    assert "there is no scenario 'speed'; there are calls, streams" in finished.stderr
