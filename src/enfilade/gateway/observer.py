"""What the world sees of a call that has ended: figures, a log line, perhaps a span."""

from typing import Any

import msgspec

from enfilade.core.money import NANO_PER_USD, format_usd
from enfilade.gateway.records import CallData
from enfilade.gateway.types import Call
from enfilade.telemetry import names
from enfilade.telemetry.logs import LineWriter
from enfilade.telemetry.metrics import Metrics
from enfilade.telemetry.traces import CallTracer

_ENCODER = msgspec.json.Encoder()
_OWN_STATUS = {"cut": "cut", "abandoned": "abandoned"}


class CallObserver:
    """Counts, logs and traces calls."""

    def __init__(
        self, metrics: Metrics, tracer: CallTracer, log: LineWriter | None = None, log_style: str = "json"
    ) -> None:
        """Report to these; no log when it is None."""
        self.metrics = metrics
        self._log = log
        self._write = self._write_line if log_style == "json" else self._write_console
        self._tracer = tracer

    def ended(self, call: Call, data: CallData, body: str) -> None:
        """A call has ended, and this is its record, as data and as the canonical text of its event."""
        tenant = call.principal.tenant.spec.name
        application = call.principal.application
        name = application.spec.name if application is not None else ""
        # A model that nobody knows is a caller's invention: it must not become a label.
        refused = data.status == "refused"
        series = self.metrics.series(tenant, name, "" if refused else data.model or "")
        series.statuses[_OWN_STATUS.get(data.status) or _status_class(data.http_status)] += 1
        seconds = data.latency_us / 1e6
        series.duration.observe(seconds)
        if data.first_byte_us is not None:
            series.first_byte.observe(data.first_byte_us / 1e6)
        if refused:
            self.metrics.count(names.REFUSALS, data.error or "")
        else:
            series.input_tokens += data.input_tokens
            series.output_tokens += data.output_tokens
            series.cost_nano += data.cost_nano
        if self._log is not None:
            self._write(call, data, body)
        if self._tracer.sampled(call.trace_parent):
            self._trace(call, data, tenant, name)

    def _write_line(self, call: Call, data: CallData, body: str) -> None:
        """The record itself, which names nobody and holds nothing secret, with the names that people know."""
        assert self._log is not None
        principal = call.principal
        if principal.log_prefix is None:
            application = principal.application
            names_known = {
                "event": "call",
                "tenant_name": principal.tenant.spec.name,
                "application_name": application.spec.name if application else None,
                "key_name": principal.key_name,
            }
            principal.log_prefix = _ENCODER.encode(names_known).decode()[:-1]
        level = "info" if data.error is None else "warning"
        self._log.write(f'{principal.log_prefix},"level":"{level}",{body[1:]}')

    def _write_console(self, call: Call, data: CallData, _body: str) -> None:
        """For people at a terminal."""
        assert self._log is not None
        application = call.principal.application
        who = call.principal.tenant.spec.name + (f"/{application.spec.name}" if application else "")
        extras = [
            data.status if data.status != "ok" else "",
            data.error or "",
            "stream" if data.stream else "",
            "cached" if data.cached else "",
            f"{data.attempts} attempts" if data.attempts > 1 else "",
        ]
        figures = f"{data.input_tokens}+{data.output_tokens} tokens  ${format_usd(data.cost_nano)}"
        words = " ".join(extra for extra in extras if extra)
        moment = data.started_at[11:19]
        self._log.write(
            f"{moment} {data.http_status} {who}  {data.model or '?'}  {data.latency_us / 1000:.0f} ms  {figures}  {words}"
        )

    def _trace(self, call: Call, data: CallData, tenant: str, application: str) -> None:
        operation = "embeddings" if not call.request.makes_output else "chat"
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": data.provider or "",
            "gen_ai.request.model": call.request.model,
            "gen_ai.response.model": data.upstream_model or "",
            "gen_ai.usage.input_tokens": data.input_tokens,
            "gen_ai.usage.output_tokens": data.output_tokens,
            "http.response.status_code": data.http_status,
            "enfilade.call.id": data.id,
            "enfilade.tenant": tenant,
            "enfilade.application": application,
            "enfilade.cost_usd": data.cost_nano / NANO_PER_USD,
            "enfilade.attempts": data.attempts,
            "enfilade.cached": data.cached,
        }
        if data.error is not None:
            attributes["error.type"] = data.error
        end_ns = call.started_ns + data.latency_us * 1000
        self._tracer.record(f"{operation} {data.model}", call.started_ns, end_ns, attributes, call.trace_parent)


def _status_class(status: int) -> str:
    if status < 400:
        return "2xx"
    return "4xx" if status < 500 else "5xx"
