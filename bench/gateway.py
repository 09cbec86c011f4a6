"""The gateway as an operator runs it: `enfilade up`, with every kind of governance switched on."""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from bench.machine import ROOT, BrokenRun, Layout, on_cores, pin_descendants, resident, stop
from bench.plan import MODELS, PATH, PROMPT, Target
from bench.profiler import OUTPUT_VARIABLE

START_PATIENCE_S = 90.0
POLL_S = 0.005
KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR")
SETTINGS = {"ENFILADE_LOG_STYLE": "json", "ENFILADE_LOG_LEVEL": "info"}


def configuration(mock_port: int, key: str, others: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Priced models, and tenants with three limits, two budgets, one application with one key each."""
    return {
        "version": 1,
        "providers": [
            {
                "name": "mock",
                "kind": "openai_compatible",
                "base_url": f"http://127.0.0.1:{mock_port}/v1",
                "allow_private_network": True,
                "region": "local",
            }
        ],
        "models": [
            {
                "name": name,
                "deployments": [{"provider": "mock", "model": name}],
                "context_window": 128_000,
                "max_output_tokens": 4096,
                "price": {"input": 0.15, "output": 0.60},
            }
            for name in MODELS
        ],
        "tenants": [_tenant("bench", "row", key), *(_tenant(name, *how) for name, how in others.items())],
    }


def _tenant(name: str, isolation: str, key: str) -> dict[str, Any]:
    return {
        "name": name,
        "isolation": isolation,
        "departments": [{"name": "speed"}],
        "applications": [{"name": "load", "department": "speed"}],
        "keys": [{"name": "load-key", "application": "load", "secret": {"value": key}}],
        "limits": [
            {"scope": "tenant", "requests": 1_000_000_000, "per": "minute"},
            {"scope": "application:load", "tokens": 1_000_000_000_000, "per": "minute"},
            {"scope": "tenant", "concurrency": 100_000},
        ],
        "budgets": [
            {"scope": "tenant", "window": "month", "limit_usd": 5_000_000},
            {"scope": "application:load", "window": "day", "limit_usd": 5_000_000, "alerts": [0.8]},
        ],
    }


class Gateway:
    """An installation under a directory, and the process that serves it."""

    def __init__(self, home: Path, mock_port: int, layout: Layout, tenants: Mapping[str, str] | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._home = home
        self._layout = layout
        self._key = secrets.token_hex(32)
        self._config = home / "bench.json"
        self._others = {name: (isolation, secrets.token_hex(32)) for name, isolation in (tenants or {}).items()}
        self._config.write_text(json.dumps(configuration(mock_port, self._key, self._others)))
        self._ready_file = home / "ready.json"
        self._output: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ("", 0)

    @property
    def pid(self) -> int:
        """The serving process."""
        assert self._process is not None
        return self._process.pid

    @property
    def target(self) -> Target:
        """Where it takes calls."""
        return Target("gateway", *self._address, self._key)

    def target_of(self, tenant: str) -> Target:
        """Where it takes calls of one of the further tenants."""
        return Target(tenant, *self._address, self._others[tenant][1])

    def start(self, *, pinned: bool = True, profile: Path | None = None) -> float:
        """Start it, perhaps under the profiler; returns the seconds to the first answered call."""
        self._ready_file.unlink(missing_ok=True)
        self._output = (self._home / "output.txt").open("wb")
        options = ["--port", "0", "--data", str(self._home / "data"), "--config", str(self._config)]
        options += ["--ready-file", str(self._ready_file)]
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {"HOME": str(self._home)}
        if profile is not None:
            environment[OUTPUT_VARIABLE] = str(profile)
        began = time.perf_counter()
        with on_cores(self._layout.gateway if pinned else frozenset()):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.profiler" if profile else "enfilade", "up", *options],
                cwd=ROOT,
                env=environment | SETTINGS,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
            )
        self._wait_ready(began)
        self._call()
        seconds = time.perf_counter() - began
        if pinned:
            pin_descendants(self.pid, self._layout.postgres)
        return seconds

    def _wait_ready(self, began: float) -> None:
        assert self._process is not None
        while not self._ready_file.exists():
            if self._process.poll() is not None:
                raise BrokenRun(f"the gateway ended with status {self._process.returncode}:\n{self._last_words()}")
            if time.perf_counter() - began > START_PATIENCE_S:
                raise BrokenRun(f"the gateway was not ready after {START_PATIENCE_S:.0f} s:\n{self._last_words()}")
            time.sleep(POLL_S)
        parts = urlsplit(json.loads(self._ready_file.read_text())["url"])
        self._address = (str(parts.hostname), int(parts.port or 80))

    def _call(self) -> None:
        body = {"model": MODELS[0], "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 300}
        host, port = self._address
        request = urllib.request.Request(
            f"http://{host}:{port}{PATH}",
            json.dumps(body).encode(),
            {"authorization": f"Bearer {self._key}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                reply.read()
        except OSError as error:
            raise BrokenRun(f"the gateway does not answer its first call: {error}\n{self._last_words()}") from error

    def _last_words(self) -> str:
        return (self._home / "output.txt").read_text(errors="replace")[-2000:]

    def empty_log(self) -> None:
        """Forget what was logged so far; half a million calls are half a gigabyte of lines."""
        if self._output is not None:
            os.ftruncate(self._output.fileno(), 0)

    def resident(self) -> int:
        """Resident bytes of the serving process; PostgreSQL's are its own."""
        return resident(self.pid)

    def stop(self) -> None:
        """Drain and end it."""
        if self._process is not None:
            stop(self._process)
            self._process = None
        if self._output is not None:
            self._output.close()
            self._output = None
