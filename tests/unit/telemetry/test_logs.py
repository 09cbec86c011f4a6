"""Logs: an allow-list of fields, nothing that a caller sent, and a reader that stalls harms nobody."""

import asyncio
import gc
import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from enfilade.telemetry import logs
from enfilade.telemetry.logs import ALLOWED_FIELDS, MAX_WAITING, LineWriter, configure_logs

SECRET = "enf_0123456789_the-secret-part"
PROMPT = "my diagnosis is"


class Log:
    """What was written."""

    def __init__(self, stream: io.StringIO, writer: LineWriter) -> None:
        self._stream = stream
        self._writer = writer

    @property
    def text(self) -> str:
        """Everything, after the writer has stopped."""
        self._writer.close()
        return self._stream.getvalue()

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The lines, which must all be JSON objects."""
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    """Logs as in a server; everything is put back afterwards."""
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    stream = io.StringIO()
    writer = configure_logs("json", "info", stream)
    try:
        yield Log(stream, writer)
    finally:
        writer.close()
        root.handlers[:], root.level = handlers, level
        structlog.configure(**configured)


def test_a_line_is_one_json_object_with_its_time_and_level(log: Log) -> None:
    structlog.get_logger("enfilade.test").warning("calls_recovered", recovered=3)

    (entry,) = log.entries

    assert entry.pop("timestamp").endswith("Z")
    assert entry == {"event": "calls_recovered", "level": "warning", "recovered": 3}


def test_fields_that_nobody_allowed_are_left_out(log: Log) -> None:
    structlog.get_logger().info(
        "call", status=200, authorization=f"Bearer {SECRET}", body=PROMPT, headers={"x-api-key": SECRET}, key=SECRET
    )

    (entry,) = log.entries

    assert set(entry) == {"timestamp", "level", "event", "status"}


def test_no_field_that_could_hold_a_secret_or_a_prompt_is_allowed() -> None:
    forbidden = {
        "key",
        "secret",
        "authorization",
        "headers",
        "body",
        "prompt",
        "messages",
        "password",
        "token",
        "address",
    }

    assert not ALLOWED_FIELDS & forbidden


@pytest.mark.parametrize("how", ["exception", "exc_info=True", "exc_info=error"])
def test_an_exception_is_told_by_its_type_and_place_not_by_its_text(log: Log, how: str) -> None:
    try:
        message = f"cannot parse {PROMPT} {SECRET}"
        raise ValueError(message)  # noqa: TRY301 - it must have been raised to have a place
    except ValueError as error:
        if how == "exception":
            structlog.get_logger().exception("failed")
        else:
            structlog.get_logger().error("failed", exc_info=True if how == "exc_info=True" else error)

    (entry,) = log.entries

    assert entry["error_type"] == "ValueError"
    assert "test_logs.py:" in entry["stack"]
    assert PROMPT not in log.text
    assert SECRET not in log.text


def test_records_of_libraries_come_without_their_arguments(log: Log) -> None:
    logging.getLogger("some.library").warning("cannot send %s to %s", PROMPT, SECRET)

    (entry,) = log.entries

    assert (entry["event"], entry["logger"], entry["hint"]) == ("library", "some.library", "cannot send %s to %s")
    assert entry["level"] == "warning"


def test_an_exception_of_a_library_is_told_by_its_type(log: Log) -> None:
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("some.library").exception("it failed")

    (entry,) = log.entries

    assert (entry["error_type"], entry["hint"]) == ("ValueError", "it failed")
    assert SECRET not in log.text


async def test_a_task_that_failed_unnoticed_does_not_show_its_exceptions_text(log: Log) -> None:
    async def f() -> None:
        raise ValueError(SECRET)

    task = asyncio.create_task(f())
    await asyncio.wait([task])
    del task
    gc.collect()

    (entry,) = log.entries

    assert (entry["logger"], entry["error_type"]) == ("asyncio", "ValueError")
    assert entry["hint"] == "Task exception was never retrieved"
    assert SECRET not in log.text


async def test_a_callback_that_failed_does_not_show_its_arguments(log: Log) -> None:
    def receive(_: str) -> None:
        raise ValueError

    asyncio.get_running_loop().call_soon(receive, SECRET)
    await asyncio.sleep(0)

    (entry,) = log.entries

    assert entry["error_type"] == "ValueError"
    assert entry["hint"].startswith("Exception in callback ")
    assert SECRET[:10] not in log.text


def test_what_is_below_the_level_is_not_written(log: Log) -> None:
    structlog.get_logger().debug("call")
    logging.getLogger("some.library").info("hello")
    structlog.get_logger().info("call")

    assert [entry["event"] for entry in log.entries] == ["call"]


def test_values_that_are_no_json_are_written_as_text(log: Log) -> None:
    structlog.get_logger().info("call", path=ValueError("odd"))

    assert log.entries[0]["path"] == "odd"


def test_line_breaks_cannot_forge_a_second_line(log: Log) -> None:
    structlog.get_logger().info("call", path='/x\n{"event": "forged"}\r\x1b[2J')

    assert [entry["event"] for entry in log.entries] == ["call"]
    assert "\x1b" not in log.text


class Stalled(io.StringIO):
    """A reader that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.blocked = threading.Event()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.blocked.set()
        assert self.go_on.wait(timeout=60)
        return super().write(text)


def test_a_reader_that_stalls_does_not_stop_the_server_and_the_oldest_lines_are_lost() -> None:
    stream = Stalled()
    writer = LineWriter(stream)
    writer.write("first")
    assert stream.blocked.wait(timeout=60)

    for number in range(MAX_WAITING + 7):
        writer.write(str(number))
    stream.go_on.set()
    writer.close()

    lines = stream.getvalue().splitlines()
    assert writer.lost == 7
    assert lines[0] == "first"
    assert lines[1:] == [str(number) for number in range(7, MAX_WAITING + 7)]


def test_a_reader_that_has_gone_does_not_stop_the_server() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream)
    stream.close()
    writer.write("nobody reads this")
    writer.close()

    assert writer.lost == 1


def test_closing_writes_what_is_left() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream)
    for number in range(100):
        writer.write(str(number))
    writer.close()

    assert stream.getvalue().splitlines() == [str(number) for number in range(100)]
    assert logs.FLUSH_S < 1
