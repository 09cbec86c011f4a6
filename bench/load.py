"""The load generator, a process of its own: `python -m bench.load PLAN`, the plan as JSON; prints the result as JSON."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec
import psutil
import uvloop

from bench.caller import Caller
from bench.plan import CHUNKS_BEFORE_HOLDING, Latency, Plan, Result, Target
from bench.wire import render_request

OPEN = "open"
"""Printed once all streams of a `hold` are open."""
POLL_S = 0.02
PATIENCE_S = 60.0


class Watched:
    """The process whose use of the machine is measured."""

    def __init__(self, pid: int | None) -> None:
        self._process = None if pid is None else psutil.Process(pid)

    def cpu_seconds(self) -> float:
        """Processor time so far."""
        if self._process is None:
            return 0.0
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def resident(self) -> int:
        """Resident bytes now."""
        return 0 if self._process is None else int(self._process.memory_info().rss)


class Measurement:
    """Counts answers between the warm-up and the end."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.result = Result()
        self.watched = Watched(plan.watch)
        self.counts = False
        self.ended = asyncio.Event()
        self.times: dict[str, list[float]] = {target.name: [] for target in plan.targets}
        self._began = 0.0
        self._cpu_before = 0.0

    def begin(self) -> None:
        """From now on answers count."""
        self._cpu_before = self.watched.cpu_seconds()
        self._began = time.perf_counter()
        self.counts = True

    def end(self) -> None:
        """Answers do not count any more."""
        if self.ended.is_set():
            return
        self.counts = False
        self.ended.set()
        self.result.seconds = time.perf_counter() - self._began
        self.result.cpu_seconds = self.watched.cpu_seconds() - self._cpu_before
        for name, times in self.times.items():
            if times:
                self.result.latency[name] = quantiles(times)

    def answered(self, name: str, wrong: str | None, seconds: float) -> None:
        """An answer has come."""
        result, plan = self.result, self.plan
        if wrong is not None:
            result.wrong += 1
            result.first_wrong = result.first_wrong or wrong
            if result.wrong > 100:
                self.end()
            return
        if not self.counts:
            return
        result.calls += 1
        self.times[name].append(seconds)
        if plan.sample_every and result.calls % plan.sample_every == 0:
            result.samples.append((result.calls, self.watched.resident()))
        if plan.calls is not None and result.calls >= plan.calls:
            self.end()


def quantiles(times: list[float]) -> Latency:
    """Median and 99th percentile, in milliseconds."""
    ordered = sorted(times)
    return Latency(ordered[len(ordered) // 2] * 1e3, ordered[int(len(ordered) * 0.99)] * 1e3, len(ordered))


async def connect(target: Target, plan: Plan, on_answer: Callable[[Caller, float], None]) -> Caller:
    """A connection to a target."""
    request = render_request(target, plan.model, stream=plan.kind in {"streams", "hold"})
    _, caller = await asyncio.get_running_loop().create_connection(
        lambda: Caller(request, on_answer), target.host, target.port
    )
    return caller


async def closed_loop(plan: Plan) -> Result:
    """Each connection sends its next call when the last one is answered: the most that the target can do."""
    measurement = Measurement(plan)
    target = plan.targets[0]

    def on_answer(caller: Caller, seconds: float) -> None:
        measurement.answered(target.name, caller.wrong, seconds)
        if not measurement.ended.is_set() and not caller.transport.is_closing():
            caller.send()

    callers = [await connect(target, plan, on_answer) for _ in range(plan.connections)]
    for caller in callers:
        caller.send()
    await asyncio.sleep(plan.warm_seconds)
    measurement.begin()
    seen = sum(caller.seen for caller in callers)
    if plan.calls is None:
        asyncio.get_running_loop().call_later(plan.seconds, measurement.end)
    await measurement.ended.wait()
    measurement.result.chunks = sum(caller.seen for caller in callers) - seen
    for caller in callers:
        caller.transport.abort()
    return measurement.result


async def hold_open(plan: Plan) -> Result:
    """Open streams, tell that they are open, and keep them until standard input ends."""
    result = Result()

    def on_answer(caller: Caller, _seconds: float) -> None:
        result.wrong += 1
        result.first_wrong = result.first_wrong or caller.wrong or "a stream ended that was to be held"

    callers = []
    for _ in range(plan.connections):
        caller = await connect(plan.targets[0], plan, on_answer)
        caller.send()
        callers.append(caller)
    deadline = time.perf_counter() + PATIENCE_S
    waiting = deque(callers)
    while waiting and not result.wrong and time.perf_counter() < deadline:
        if waiting[0].seen >= CHUNKS_BEFORE_HOLDING:
            waiting.popleft()
        else:
            await asyncio.sleep(POLL_S)
    if waiting and not result.wrong:
        result.wrong, result.first_wrong = len(waiting), "the streams were not open in time"
    print(OPEN, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    result.calls = len(callers) - result.wrong
    for caller in callers:
        caller.started = 0.0  # What follows is our own doing.
        caller.transport.abort()
    return result


async def at_a_rate(plan: Plan) -> Result:
    """Calls begin evenly at each target, in turn, whether or not earlier ones were answered."""
    measurement = Measurement(plan)
    idle: dict[str, deque[Caller]] = {target.name: deque() for target in plan.targets}

    def reporter(name: str) -> Callable[[Caller, float], None]:
        def on_answer(caller: Caller, seconds: float) -> None:
            measurement.answered(name, caller.wrong, seconds)
            idle[name].append(caller)

        return on_answer

    for target in plan.targets:
        for _ in range(plan.connections):
            idle[target.name].append(await connect(target, plan, reporter(target.name)))
    step = 1.0 / plan.per_second / len(plan.targets)
    start = time.perf_counter()
    turn, late = 0, 0
    while (due := start + turn * step) < start + plan.warm_seconds + plan.seconds:
        if not measurement.counts and due >= start + plan.warm_seconds:
            measurement.begin()
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        name = plan.targets[turn % len(plan.targets)].name
        turn += 1
        if idle[name]:
            idle[name].popleft().send()
        else:
            late += 1
    await asyncio.sleep(POLL_S * 10)
    measurement.end()
    if late:
        measurement.result.wrong += late
        measurement.result.first_wrong = measurement.result.first_wrong or "more calls were waiting than connections"
    return measurement.result


KINDS: dict[str, Callable[[Plan], Awaitable[Result]]] = {
    "calls": closed_loop,
    "streams": closed_loop,
    "hold": hold_open,
    "latency": at_a_rate,
}


async def main(text: str) -> None:
    """Carry out a plan."""
    plan = msgspec.json.decode(text, type=Plan)
    result = await KINDS[plan.kind](plan)
    print(msgspec.json.encode(result).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
