"""Traces, when an endpoint is set: a sampled call becomes a span, made after the call from what it left behind.

Nothing of OpenTelemetry is loaded unless it is asked for; a call that is not sampled costs one comparison.
"""

from collections.abc import Mapping
from typing import Protocol


class CallTracer(Protocol):
    """Turns finished calls into spans."""

    def sampled(self, trace_parent: str | None) -> bool:
        """Whether a call is to be traced: as its caller decided, or by our own rate."""
        ...

    def record(
        self,
        name: str,
        start_ns: int,
        end_ns: int,
        attributes: Mapping[str, str | int | float | bool],
        parent: str | None,
    ) -> None:
        """Make the span."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


class NoTracer:
    """Traces nothing."""

    def sampled(self, trace_parent: str | None) -> bool:
        """See `CallTracer.sampled`."""
        del trace_parent
        return False

    def record(
        self,
        name: str,
        start_ns: int,
        end_ns: int,
        attributes: Mapping[str, str | int | float | bool],
        parent: str | None,
    ) -> None:
        """See `CallTracer.record`."""

    def close(self) -> None:
        """See `CallTracer.close`."""
