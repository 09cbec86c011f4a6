"""The processes of a run, and how a scenario measures with them."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from bench.gateway import Gateway
from bench.load import OPEN
from bench.machine import BrokenRun, Layout, first_line, layout, start_module, stop
from bench.plan import Plan, Result, Target
from bench.yardstick import BareProxy

LOAD_PATIENCE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the person at the terminal chose."""

    seconds: float = 8.0
    quick: bool = False
    long: bool = False


@dataclass(slots=True)
class Session:
    """One run."""

    options: Options
    home: Path
    layout: Layout
    mock: Target
    proxy: BareProxy
    installation: Gateway
    """Shared by the scenarios; see `gateway`."""
    _others: list[Gateway] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long one measurement lasts."""
        return self.options.seconds

    @property
    def warm_seconds(self) -> float:
        """How long calls run before a measurement."""
        return 0.3 if self.options.quick else 1.5

    @contextmanager
    def gateway(self, profile: Path | None = None) -> Iterator[Gateway]:
        """The gateway in a process of the scenario's own, so that no scenario depends on those before it."""
        try:
            self.installation.start(profile=profile)
            yield self.installation
        finally:
            self.installation.stop()

    def new_installation(self, tenants: Mapping[str, str] | None = None) -> Gateway:
        """A gateway that was never started, with a directory of its own, and with further tenants by their isolation."""
        gateway = Gateway(self.home / f"other-{len(self._others)}", self.mock.port, self.layout, tenants)
        self._others.append(gateway)
        return gateway

    def compare(
        self, kind: Literal["calls", "streams"], model: str, connections: int, gateway: Gateway
    ) -> tuple[Result, Result]:
        """The same load on the gateway and, after it, on the bare proxy; nothing else is busy meanwhile."""
        plan = Plan(kind, [gateway.target], model, connections, self.seconds, self.warm_seconds, watch=gateway.pid)
        found = self.measure(plan)
        gateway.empty_log()
        return found, self.measure(replace(plan, targets=[self.proxy.target], watch=None))

    def measure(self, plan: Plan) -> Result:
        """Let the load generator carry out a plan. Raises BrokenRun when answers were wrong."""
        process = self._load(plan)
        text, _ = process.communicate(timeout=LOAD_PATIENCE_S)
        return _result(process, text)

    @contextmanager
    def held_open(self, plan: Plan) -> Iterator[None]:
        """Streams that stay open for as long as the block lasts."""
        process = self._load(plan)
        try:
            if (word := first_line(process)) != OPEN:
                raise BrokenRun(f"the load generator said {word!r}")
            yield
            text, _ = process.communicate(timeout=LOAD_PATIENCE_S)
            _result(process, text)
        finally:
            stop(process)

    def _load(self, plan: Plan) -> "subprocess.Popen[str]":
        text = msgspec.json.encode(plan).decode()
        return start_module("bench.load", [text], self.layout.load, takes_input=plan.kind == "hold")


def _result(process: "subprocess.Popen[str]", text: str) -> Result:
    if process.returncode:
        raise BrokenRun(f"the load generator ended with status {process.returncode}")
    result = msgspec.json.decode(text, type=Result)
    if result.wrong:
        raise BrokenRun(f"{result.wrong} answers were wrong; the first: {result.first_wrong}")
    if not result.calls and not result.chunks:
        raise BrokenRun("no call was answered in time")
    return result


@contextmanager
def session(options: Options) -> Iterator[Session]:
    """Start what every scenario needs, and end it all."""
    places = layout()
    with tempfile.TemporaryDirectory(prefix="enfilade-bench-") as directory:
        home = Path(directory)
        mock = start_module("bench.mock_upstream", [], places.mock)
        try:
            target = Target("direct", "127.0.0.1", int(first_line(mock)))
            proxy = BareProxy(home, target.port, places.gateway)
            try:
                installation = Gateway(home / "gateway", target.port, places)
                yield Session(options, home, places, target, proxy, installation)
            finally:
                proxy.stop()
        finally:
            stop(mock)
