"""What callers of all dialects do."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.speaking import SCHEMA

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CLOSED = SCHEMA | {"additionalProperties": False}


@dataclass(frozen=True)
class Heard:
    """What the model said, by the caller's own reading."""

    text: str
    thoughts: str
    calls: list[tuple[str, str, dict[str, Any]]]
    """Id, name, arguments."""
    finish: str


@dataclass
class Caller:
    """One conversation."""

    model: str
    stream: bool = False
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    dialect = ""

    def __post_init__(self) -> None:
        """Begin."""
        raise AssertionError

    @property
    def path(self) -> str:
        """Where it goes."""
        raise AssertionError

    @staticmethod
    def events(text: str) -> list[Any]:
        """The data of a stream's events, as the standard says: services may pass what is odd."""
        found: list[Any] = []
        data: list[str] = []
        for line in text.replace("\r\n", "\n").split("\n"):
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif not line and data:
                joined = "\n".join(data)
                data = []
                if joined != "[DONE]":
                    found.append(json.loads(joined))
        return found

    def asks(self, text: str, image: bool = False) -> None:
        """A turn of the user's."""
        raise AssertionError

    def instructs(self, *texts: str) -> None:
        """Instructions before everything."""
        raise AssertionError

    def has_tools(self, *names: str, must: str | None = None) -> None:
        """Tools without strictness; `must` is `required`, or the name of the one."""
        raise AssertionError

    def thinks(self) -> None:
        """The model is to think."""
        raise AssertionError

    def wants_schema(self) -> None:
        """The answer must be of `CLOSED`."""
        raise AssertionError

    def wants_json(self) -> None:
        """The answer must be JSON."""
        raise AssertionError

    def takes(self, reply: str) -> Heard:
        """Read a reply, whole or streamed, and put it into the conversation as it came."""
        raise AssertionError

    def answers(self, results: Sequence[tuple[str, str, str]], errors: Sequence[str] = ()) -> None:
        """What the tools said: id, name, text. Those ids in `errors` have failed."""
        raise AssertionError

    def forgets(self) -> None:
        """Leave out the last turn."""
        for name in ("messages", "contents", "input"):
            if name in self.body:
                self.body[name].pop()
