"""What translation costs on one core, in this process: beyond passing through, for every pair of dialects."""

import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

from bench import translating
from bench.report import Goal, Row, at_most
from bench.session import Session
from enfilade.bootstrap.memory import tune
from enfilade.dialects.codec import Upstream
from enfilade.dialects.types import Dialect

CALL_GOAL = at_most(60)
CHUNK_GOAL = at_most(15)
IMAGE_GOAL = at_most(5)
IMPORT_GOAL = at_most(50)
REPEATS = 7
IMPORTS = (
    "import time; a = time.perf_counter(); import enfilade.providers.service; "
    "enfilade.providers.service.Adapters(); print(time.perf_counter() - a)"
)
"""All kinds are found, and with that imported."""
BENEATH = (
    "import asyncio, ssl, json, uvloop, httptools, cryptography.hazmat.primitives.asymmetric.ed25519; "
    "import enfilade.identity.service, enfilade.identity.directory, enfilade.storage.unit_of_work, enfilade.sealing.sealer; "
)
"""What a server without providers imports too."""


def run(session: Session) -> list[Row]:
    """Measure calls, chunks, a large image, and what importing the providers takes."""
    tune()  # As a serving process is.
    times = 200 if session.options.quick else 2000
    calls = {_pair(*pair): _call(*pair, times) for pair in translating.pairs()}
    chunks = {_pair(*pair): _chunk(*pair, times) for pair in translating.pairs()}
    images = {_pair(*pair): _image(*pair) for pair in translating.pairs()}
    return [
        _worst("call of 1 KB, beyond passing through", calls, "µs", CALL_GOAL),
        _worst("chunk", chunks, "µs", CHUNK_GOAL),
        _worst("image of 4 MB: longest step", images, "ms", IMAGE_GOAL),
        Row("translation", "importing the providers", _import_ms(), "ms", IMPORT_GOAL),
    ]


def _pair(caller: Dialect, provider: Dialect) -> str:
    return f"{caller.name} over {provider.name}"


def _worst(figure: str, found: dict[str, float], unit: str, goal: Goal) -> Row:
    name = max(found, key=lambda pair: found[pair])
    note = f"{name}; median of {len(found)} pairs {median(found.values()):.1f}"
    return Row("translation", figure, found[name], unit, goal, note=note)


def _seconds(action: Callable[[], object], times: int) -> float:
    """The best of several runs: what disturbs the machine only ever adds."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(times):
            action()
        best = min(best, (time.perf_counter() - start) / times)
    return best


def _there_and_back(caller: Dialect, provider: Dialect, times: int) -> float:
    request, reply = translating.asked_in(caller), translating.reply_of(provider)
    passage = translating.passage(caller, request, provider)
    there = _seconds(lambda: translating.passage(caller, request, provider), times)
    return there + _seconds(lambda: passage.read_reply(reply), times)


def _call(caller: Dialect, provider: Dialect, times: int) -> float:
    return (_there_and_back(caller, provider, times) - _there_and_back(caller, caller, times)) * 1e6


def _chunk(caller: Dialect, provider: Dialect, times: int) -> float:
    request = translating.asked_in(caller, stream=True)
    begun, chunk = translating.stream_of(provider)
    reader = translating.passage(caller, request, provider).stream_reader()
    reader.feed(begun)
    assert reader.feed(chunk)
    return _seconds(lambda: reader.feed(chunk), times) * 1e6


def _image(caller: Dialect, provider: Dialect) -> float:
    """The longer one of reading such a request and writing it for the provider: others wait that long."""
    question = translating.picture()
    body = translating.codec(caller).write(question, Upstream(translating.MODEL))
    target = caller.path.replace("{model}", translating.MODEL)
    request = caller.parse(body, target)
    parse = _seconds(lambda: caller.parse(body, target), 1)
    return max(parse, _seconds(lambda: translating.passage(caller, request, provider), 1)) * 1e3


def _import_ms() -> float:
    found = []
    for _ in range(REPEATS):
        text = subprocess.run([sys.executable, "-c", BENEATH + IMPORTS], capture_output=True, text=True, check=True)
        found.append(float(text.stdout))
    return min(found) * 1e3
