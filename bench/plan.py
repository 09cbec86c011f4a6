"""What the processes of a run agree on: what is asked, what is answered, and what a measurement reports."""

from typing import Literal

import msgspec

REPLY_MODEL = "reply"
"""Answers a whole reply of about 1 KB."""
STREAM_MODEL = "burst"
"""Answers a stream as fast as it can be written, each chunk with a write of its own."""
PACED_MODEL = "paced"
"""Answers a stream at a set pace."""
HELD_MODEL = "held"
"""Answers two chunks and then keeps the stream open until its connection ends."""
SLOW_MODEL = "slow"
"""Answers the whole reply after a while, as a model does."""
MODELS = (REPLY_MODEL, STREAM_MODEL, PACED_MODEL, HELD_MODEL, SLOW_MODEL)
SLOW_S = 0.1

PATH = "/v1/chat/completions"
CHUNKS = 200
CHUNKS_BEFORE_HOLDING = 2
PACE_S = 0.02
PROMPT = "y" * 900
REPLY_TEXT = "x" * 900
CHUNK_MARK = b'"delta":{"content":'


class Target(msgspec.Struct, frozen=True):
    """Where calls are sent."""

    name: str
    host: str
    port: int
    key: str = "none"


class Plan(msgspec.Struct, frozen=True):
    """One measurement, for the load generator."""

    kind: Literal["calls", "streams", "hold", "latency"]
    targets: list[Target]
    model: str
    connections: int = 1
    seconds: float = 5.0
    warm_seconds: float = 1.0
    calls: int | None = None
    """End after this many calls rather than after `seconds`."""
    per_second: float = 100.0
    """How many calls begin each second at each target, for `latency`."""
    watch: int | None = None
    """The process whose processor time and memory are read."""
    sample_every: int = 0
    """Read the watched process's memory each time that so many calls were answered."""


class Latency(msgspec.Struct):
    """Quantiles in milliseconds."""

    p50: float
    p99: float
    calls: int


class Result(msgspec.Struct):
    """What one measurement found."""

    calls: int = 0
    """Complete answers."""
    chunks: int = 0
    """Chunks of streams, complete or still coming."""
    seconds: float = 0.0
    wrong: int = 0
    """Answers that were not what had to come; they count nowhere else."""
    first_wrong: str = ""
    cpu_seconds: float = 0.0
    """Processor time of the watched process during the measurement."""
    latency: dict[str, Latency] = {}
    """By target."""
    samples: list[tuple[int, int]] = []
    """Calls answered, and the watched process's resident bytes by then."""

    @property
    def busy(self) -> float:
        """Which share of a core the watched process used."""
        return self.cpu_seconds / self.seconds if self.seconds else 0.0

    @property
    def calls_per_second(self) -> float:
        """Calls that were answered rightly."""
        return self.calls / self.seconds if self.seconds else 0.0

    @property
    def chunks_per_second(self) -> float:
        """Chunks of streams that came."""
        return self.chunks / self.seconds if self.seconds else 0.0
