"""`./dev bench`: measure, and print a table."""

import argparse
import signal
import sys
from pathlib import Path

from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.machine import BrokenRun, allow_many_files, describe
from bench.report import Report, show, to_json
from bench.scenarios import DEFAULT, SCENARIOS
from bench.session import Options, Session, session

QUICK_SECONDS = 1.0


def arguments(given: list[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    names = ", ".join(SCENARIOS)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {names}; default: all but profile")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each measurement lasts (default: 8)")
    parser.add_argument("--quick", action="store_true", help="a second each and small numbers: to see that it works")
    parser.add_argument("--long", action="store_true", help="let flat_memory make 500,000 calls")
    parser.add_argument("--json", action="store_true", help="print JSON rather than a table")
    chosen = parser.parse_args(given)
    if unknown := [name for name in chosen.scenarios if name not in SCENARIOS]:
        parser.error(f"there is no scenario {unknown[0]!r}; there are {names}")
    return chosen


def run(chosen: argparse.Namespace, progress: Console) -> Report:
    """Measure each scenario; one that breaks does not end the others."""
    allow_many_files()
    options = Options(QUICK_SECONDS if chosen.quick else chosen.seconds, chosen.quick, chosen.long)
    machine = describe()
    with session(options) as current:
        report = Report(machine, current.layout.describe(), current.proxy.name, [], {})
        for name in chosen.scenarios or DEFAULT:
            with progress.status(f"{name} …"):
                measure(name, current, report)
    return report


def measure(name: str, current: Session, report: Report) -> None:
    """Add a scenario's rows to the report, or why there are none."""
    try:
        report.rows += SCENARIOS[name](current)
    except BrokenRun as broken:
        report.broken[name] = str(broken)


def main() -> int:
    """Run what was asked for; the status is 0 unless something broke."""
    chosen = arguments(sys.argv[1:])
    # Whoever ends the run ends it with all that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    report = run(chosen, Console(stderr=True))
    if chosen.json:
        print(to_json(report))
    else:
        console = Console()
        # A table that is written to a file must not be cut to a terminal's width.
        show(report, console if console.is_terminal else Console(width=160))
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
