"""A real `enfilade` process, as an operator starts it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0
POLL_S = 0.02
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")


def clean_environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without anything of the machine on which the tests run."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"HOME": str(home), "PYTHONWARNINGS": "error"} | dict(more or {})


class EnfiladeProcess:
    """`enfilade up` or `serve`, with what it printed."""

    def __init__(self, home: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start it; `wait_ready` returns when it answers."""
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._ready_path = home / f"ready-{time.monotonic_ns()}.json"
        self.output_path = home / f"output-{time.monotonic_ns()}.txt"
        self._output = self.output_path.open("wb")
        command = [sys.executable, "-m", "enfilade", *arguments, "--ready-file", str(self._ready_path)]
        self.process = subprocess.Popen(
            command,
            cwd=home,
            env=clean_environment(home, environment),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        self.ready: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.ready["url"])

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self.output_path.read_text(errors="replace")

    def wait_ready(self) -> dict[str, Any]:
        """Return what the ready file says, once it is there."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._ready_path.exists():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"it is not ready after {PATIENCE_S} s:\n{self.output}"
            time.sleep(POLL_S)
        self.ready = json.loads(self._ready_path.read_text())
        return self.ready

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self, sign: int = signal.SIGTERM) -> int:
        """End it as an operator would; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        return self.process.wait(PATIENCE_S)

    async def ended(self) -> int:
        """Wait for its end without standing in the way of other tasks."""
        return await asyncio.to_thread(self.process.wait, PATIENCE_S)

    def close(self) -> None:
        """Let go of it, whatever its state."""
        if self.process.poll() is None:
            self.stop()
        self._output.close()


@dataclass(frozen=True, slots=True)
class Used:
    """A data directory that has been used, and stopped cleanly."""

    data: Path
    admin_key: str

    def copied(self, home: Path) -> Path:
        """A copy that may be spoilt. The database's files belong to another account when the tests run as root."""
        subprocess.run(["cp", "-a", str(self.data), str(home / "data")], check=True)
        return home / "data"


def used_by(home: Path, *options: str) -> Used:
    """What a first start leaves in a directory, after a clean stop."""
    with enfilade_up(home, *options) as process:
        assert process.stop() == 0
    return Used(home / "data", process.ready["admin_key"])


@contextmanager
def enfilade_up(home: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[EnfiladeProcess]:
    """`enfilade up` on a free port, with its data under `home`, ready; stopped when the block ends."""
    arguments = ["up", "--port", "0", "--data", str(home / "data"), *options]
    process = EnfiladeProcess(home, arguments, environment)
    try:
        process.wait_ready()
        yield process
    finally:
        process.close()


def run_cli(
    home: Path, *arguments: str, environment: Mapping[str, str] | None = None, given: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run a command of the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "enfilade", *arguments],
        cwd=home,
        env=clean_environment(home, environment),
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
