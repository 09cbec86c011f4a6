"""The gateway under a statistical profiler: `python -m bench.profiler up …`.

The system interrupts the process after each millisecond of processor time, and the stage of the line at which it was
is counted. SIGUSR1 begins, SIGUSR2 ends and writes the counts. Time inside C (parsing, system calls) counts for the
Python function that called it, or, where the event loop called it, for the one that runs next.
"""

import json
import os
import signal
from collections import Counter
from functools import cache
from pathlib import Path
from types import FrameType

OUTPUT_VARIABLE = "BENCH_PROFILE"
INTERVAL_S = 0.001
ELSEWHERE = "event loop, rest"
ADMIT, SETTLE = "admit", "settle"

STAGES: tuple[tuple[str, str, str], ...] = (
    # A file or folder, a function ("" for all), and the stage that it belongs to. The first match counts.
    ("asyncpg/", "", "commit"),
    ("enfilade/storage/", "", "commit"),
    ("enfilade/gateway/observer.py", "", "metrics and log"),
    ("enfilade/telemetry/", "", "metrics and log"),
    ("enfilade/dialects/", "parse", "parse"),
    ("enfilade/dialects/", "render_request", "dispatch"),
    ("enfilade/dialects/", "limit_headers", "relay"),
    ("enfilade/dialects/members/", "", "relay"),
    ("enfilade/dialects/", "feed", "relay"),
    ("enfilade/identity/", "", "authenticate"),
    ("enfilade/api/headers.py", "", "authenticate"),
    ("enfilade/gateway/records.py", "", SETTLE),
    ("enfilade/gateway/outcomes.py", "", SETTLE),
    ("enfilade/gateway/admission.py", "settle", SETTLE),
    ("enfilade/gateway/admission.py", "_data", SETTLE),
    ("enfilade/gateway/admission.py", "", ADMIT),
    ("enfilade/gateway/bounds.py", "", ADMIT),
    ("enfilade/costs/", "", ADMIT),
    ("enfilade/gateway/resolve.py", "", "route"),
    ("enfilade/gateway/catalogue.py", "", "route"),
    ("enfilade/gateway/strategies/", "", "route"),
    ("enfilade/gateway/dispatch.py", "", "dispatch"),
    ("enfilade/gateway/breaker.py", "", "dispatch"),
    ("enfilade/providers/transport/", "", "upstream HTTP"),
    ("enfilade/providers/", "", "dispatch"),
    ("enfilade/gateway/relay.py", "", "relay"),
    ("enfilade/gateway/cache.py", "", "relay"),
    ("enfilade/api/", "", "HTTP server"),
    ("enfilade/gateway/line.py", "", "HTTP server"),
)


@cache
def stage_of(file: str, function: str) -> str | None:
    """The stage of a function; None for one that serves several."""
    for place, name, stage in STAGES:
        if place in file and name in {"", function}:
            return stage
    return None


class Sampler:
    """Counts by stage, and by function."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self.stages: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()

    def begin(self, *_: object) -> None:
        """Start to count."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def end(self, *_: object) -> None:
        """Stop, and write what was counted."""
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        content = {"stages": self.stages, "functions": dict(self.functions.most_common(40))}
        partial = self._output.with_suffix(".partial")
        partial.write_text(json.dumps(content))
        partial.replace(self._output)

    def _sample(self, _sign: int, frame: FrameType | None) -> None:
        if frame is not None:
            code = frame.f_code
            self.functions[f"{code.co_filename.rpartition('site-packages/')[2][-50:]}:{code.co_qualname}"] += 1
        self.stages[stage_at(frame)] += 1


def stage_at(frame: FrameType | None) -> str:
    """The stage of the innermost function that has one."""
    stage = None
    while frame is not None:
        code = frame.f_code
        stage = stage or stage_of(code.co_filename, code.co_name)
        # The meters serve both ends of a call.
        if stage == ADMIT and code.co_name == "settle":
            return SETTLE
        if stage is not None and stage != ADMIT:
            return stage
        frame = frame.f_back
    return stage or ELSEWHERE


def main() -> None:
    """Run the command line under the sampler."""
    sampler = Sampler(Path(os.environ[OUTPUT_VARIABLE]))
    signal.signal(signal.SIGUSR1, sampler.begin)
    signal.signal(signal.SIGUSR2, sampler.end)
    from enfilade.cli import main as enfilade  # noqa: PLC0415 - what is imported counts as start-up

    enfilade()


if __name__ == "__main__":
    main()
