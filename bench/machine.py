"""Who runs on which core, and processes that end with the run."""

import contextlib
import os
import platform
import resource
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
STOP_PATIENCE_S = 60.0
HAS_AFFINITY = hasattr(os, "sched_setaffinity")


class BrokenRun(RuntimeError):
    """A measurement could not be made, or its answers were wrong."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The cores of each process; empty sets when nothing is pinned."""

    gateway: frozenset[int] = frozenset()
    postgres: frozenset[int] = frozenset()
    load: frozenset[int] = frozenset()
    mock: frozenset[int] = frozenset()

    def describe(self) -> str:
        """One line for people."""
        if not self.gateway:
            return "nothing is pinned: this machine has one core, or cannot pin"
        places = {"gateway": self.gateway, "PostgreSQL": self.postgres, "load": self.load, "mock": self.mock}
        by_core: dict[int, list[str]] = {}
        for name, cores in places.items():
            by_core.setdefault(min(cores), []).append(name)
        return "; ".join(f"core {core}: {', '.join(names)}" for core, names in sorted(by_core.items()))


def layout() -> Layout:
    """The gateway has a core to itself; the others have one each as far as there are enough, else they share."""
    cores = sorted(os.sched_getaffinity(0)) if HAS_AFFINITY else []
    if len(cores) < 2:
        return Layout()
    others = (cores[1:] + [cores[-1]] * 3)[:3]
    return Layout(*(frozenset({core}) for core in (cores[0], *others)))


@contextlib.contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    """Processes that are started inside the block run on these cores."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin_descendants(pid: int, cores: frozenset[int]) -> None:
    """Move the processes that a process has started."""
    for child in psutil.Process(pid).children(recursive=True) if cores else []:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(child.pid, cores)


def start_module(
    module: str, arguments: Sequence[str], cores: frozenset[int], *, takes_input: bool = False
) -> "subprocess.Popen[str]":
    """Run one of our modules, its output piped."""
    with on_cores(cores):
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )


def first_line(process: "subprocess.Popen[str]") -> str:
    """The first line that a process prints. Raises BrokenRun when it ends without one."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise BrokenRun(f"{process.args!r} ended with status {process.wait(STOP_PATIENCE_S)}")
    return line


def stop(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """End a process and wait for its end."""
    if process.poll() is None:
        process.terminate()
    process.wait(STOP_PATIENCE_S)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def allow_many_files() -> None:
    """A thousand streams are two thousand sockets in the gateway."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def resident(pid: int) -> int:
    """A process's resident bytes."""
    return int(psutil.Process(pid).memory_info().rss)


def is_optimised() -> bool:
    """Whether this Python was built with profile-guided optimisation, which is worth a tenth or more."""
    return "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")


def describe() -> dict[str, str]:
    """The machine, without its name."""
    return {
        "cores": str(os.cpu_count()),
        "memory_gib": f"{psutil.virtual_memory().total / 2**30:.0f}",
        "python": f"{platform.python_version()} ({'optimised' if is_optimised() else 'built without --enable-optimizations'})",
        "kernel": f"{platform.system()} {platform.machine()}",
        "load_average": f"{os.getloadavg()[0]:.2f}",
    }
