"""What a wire is, how events become bytes, and how the SDKs' types are asked."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
import msgspec
from pydantic import TypeAdapter

from tests.support import event_frames

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """How one dialect looks."""

    to_bytes: Callable[[list[Any]], bytes] = lambda _events: b""
    from_bytes: Callable[[bytes], list[Any]] = lambda _wire: []
    check_request: Callable[[Json], None]
    """Raises unless the vendor's types take it; for callers' requests and for what providers get."""
    check_reply: Callable[[Json], None]
    check_stream: Callable[[list[Any]], None] = lambda _events: None
    """Raises unless the vendor's types, and its accumulator, take the events."""
    unsaid: frozenset[str] = frozenset()
    """Fields of an answer that the dialect does not say."""


def same(checked: Any, given: Any, where: str = "") -> None:
    """Raise unless every field of `given` was understood: what a type does not know is not in `checked`."""
    if isinstance(given, dict):
        assert isinstance(checked, dict), where
        for name, value in given.items():
            assert name in checked, f"{where}.{name} is unknown"
            same(checked[name], value, f"{where}.{name}")
    elif isinstance(given, list):
        entries = checked if isinstance(checked, list) else list(checked)
        assert len(entries) == len(given), where
        for index, (entry, value) in enumerate(zip(entries, given, strict=True)):
            same(entry, value, f"{where}[{index}]")
    else:
        assert checked == given, where


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def typed(kind: Any, body: Json) -> None:
    same(adapter(kind).validate_python(body), body)


def answered(body: bytes, content_type: str = "text/event-stream") -> httpx2.Client:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": content_type}, content=body)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def data_lines(events: list[Any]) -> bytes:
    """Events without names; a text stands as it is."""
    return b"".join(
        b"data: " + (event.encode() if isinstance(event, str) else compact(event)) + b"\n\n" for event in events
    )


def named_events(events: list[Any]) -> bytes:
    """Events whose names are their types."""
    return b"".join(f"event: {event['type']}\n".encode() + b"data: " + compact(event) + b"\n\n" for event in events)


def crlf_lines(events: list[Any]) -> bytes:
    """Events as Google ends their lines."""
    return b"".join(b"data: " + compact(event) + b"\r\n\r\n" for event in events)


def frames(events: list[Any]) -> bytes:
    """Events in AWS's binary form; each is an object with its kind as the only name."""
    return b"".join(event_frames.event(kind, compact(held)) for event in events for kind, held in event.items())


def compact(value: Any) -> bytes:
    """JSON as services write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def events_in(wire: bytes) -> list[Any]:
    """The data of each event; its name, where it has one, must be its type."""
    found: list[Any] = []
    for event in wire.replace(b"\r\n", b"\n").decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.split("\n") if ": " in line)
        if not lines:
            continue
        data = lines["data"]
        found.append(data if data == "[DONE]" else msgspec.json.decode(data))
        if "event" in lines:
            assert found[-1]["type"] == lines["event"]
    return found
