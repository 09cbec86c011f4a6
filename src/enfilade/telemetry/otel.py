"""Traces by OpenTelemetry (GenAI semantic conventions). Loaded by `bootstrap` only when an endpoint is set."""

import re
from collections.abc import Mapping
from random import Random  # noqa: TID251 - the type of what the caller passes in

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_TRACE_PARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
"""What W3C Trace Context defines; a header of another form decides nothing."""


class OtelTracer:
    """See `CallTracer`."""

    def __init__(self, endpoint: str, rate: float, service: str, version: str, random: Random) -> None:
        """Send spans to an OTLP/HTTP endpoint; sample `rate` of the calls whose callers did not decide."""
        resource = Resource.create({"service.name": service, "service.version": version})
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("enfilade", version)
        self._propagator = TraceContextTextMapPropagator()
        self._rate = rate
        self._random = random

    def sampled(self, trace_parent: str | None) -> bool:
        """See `CallTracer.sampled`."""
        decided = _TRACE_PARENT.fullmatch(trace_parent) if trace_parent is not None else None
        if decided is not None:
            return int(decided[1], 16) & 1 == 1
        return self._random.random() < self._rate

    def record(
        self,
        name: str,
        start_ns: int,
        end_ns: int,
        attributes: Mapping[str, str | int | float | bool],
        parent: str | None,
    ) -> None:
        """See `CallTracer.record`."""
        context = self._propagator.extract({"traceparent": parent}) if parent else None
        span = self._tracer.start_span(
            name, context=context, kind=SpanKind.SERVER, attributes=dict(attributes), start_time=start_ns
        )
        if "error.type" in attributes:
            span.set_status(Status(StatusCode.ERROR, str(attributes["error.type"])))
        span.end(end_time=end_ns)

    def close(self) -> None:
        """See `CallTracer.close`."""
        self._provider.shutdown()
