"""Structured logs: one JSON object per line, or a readable form for people at a terminal.

What may be written is an allow-list: names of fields, never whole requests, headers or exceptions' values. The lines
are written by a thread, so that a reader that stalls cannot stop the server.
"""

import logging
import re
import sys
import threading
from collections import deque
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog

MAX_WAITING = 50_000
FLUSH_S = 0.05
_DETAILS = re.compile(r"[\n(]")

ALLOWED_FIELDS = frozenset(
    {
        *("timestamp", "level", "event", "logger", "error", "error_type", "stack", "after_s", "waiting", "record"),
        *("reason", "lost_record"),
        *("cell", "host", "tenants", "move", "step"),
        *("schema", "number", "name", "pid", "last_words", "retry_in_s", "remedy", "revision", "provider", "hint"),
        *("call_id", "in_use", "version", "url", "seconds", "deployment", "attempt", "status", "settled", "recovered"),
        *("path", "method", "signal", "calls", "data_dir", "database", "tenant", "code", "upstream_error", "count"),
    }
)


class LineWriter:
    """Takes lines at once and writes them soon. When nobody takes them off our hands, the oldest are dropped."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream` from a thread of its own."""
        self._stream = stream
        self._lines: deque[str] = deque(maxlen=MAX_WAITING)
        self._taken = 0
        self._stop = threading.Event()
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue a line, without its end."""
        lines = self._lines
        if len(lines) == MAX_WAITING:
            self.lost += 1
        lines.append(line)

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_S):
            self._flush()

    def _flush(self) -> None:
        lines = self._lines
        if not lines:
            return
        batch = [lines.popleft() for _ in range(len(lines))]
        try:
            self._stream.write("\n".join(batch) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.lost += len(batch)  # The reader is gone; the audit log has everything that matters.

    def close(self) -> None:
        """Write what is left and stop."""
        self._stop.set()
        self._thread.join(timeout=2)
        self._flush()


def _only_allowed(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in event.items() if name in ALLOWED_FIELDS}


def _short_exception(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception's type and where it was raised; its text may hold what a caller sent."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error_type"] = type(error).__name__
        frames = []
        trace = error.__traceback__
        while trace is not None:
            frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/enfilade/')[2]}:{trace.tb_lineno}")
            trace = trace.tb_next
        event["stack"] = " < ".join(reversed(frames[-8:]))
    return event


def _encode(_: object, __: str, event: Mapping[str, Any]) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def configure_logs(style: str, level: str, stream: TextIO) -> LineWriter:
    """Send our logs, and those of the libraries, to `stream` as `json` or for a `console`."""
    writer = LineWriter(stream)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    render: Any = _encode if style == "json" else structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=32)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _short_exception,
            _only_allowed,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: _Sink(writer),
        cache_logger_on_first_use=False,
    )
    handler = _Bridge()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    return writer


class _Sink:
    """What structlog hands its rendered lines to."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def msg(self, message: str) -> None:
        self._writer.write(message)

    log = debug = info = warning = warn = error = critical = exception = fatal = msg


class _Bridge(logging.Handler):
    """Brings the standard library's records into the same form, without their arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        # What asyncio says of a failed task or callback goes on with its exception's text and its arguments.
        hint = _DETAILS.split(str(record.msg), maxsplit=1)[0].strip()[:200]
        log.log(record.levelno, "library", logger=record.name, hint=hint, exc_info=record.exc_info)
