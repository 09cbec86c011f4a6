"""What a strict service is told to answer, apart from how its vendor writes it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

KEY = "up-strict-0123456789abcdefghij"
"""What each service wants to be shown. No caller may ever see it."""


class Refused(Exception):
    """A request that the service answers with an error."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        """`param` is the place in the body."""
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status


def require(holds: bool, message: str, *, param: str | None = None, code: str | None = None) -> None:
    """Raise Refused unless it holds."""
    if not holds:
        raise Refused(message, param=param, code=code)


@dataclass(frozen=True)
class Say:
    """Words."""

    text: str


@dataclass(frozen=True)
class Think:
    """Thoughts, which the service signs."""

    text: str


@dataclass(frozen=True)
class Hide:
    """Thoughts that nobody but the service can read."""

    text: str = "secret"


@dataclass(frozen=True)
class Call:
    """The model asks for a tool."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Decline:
    """The model says that it will not, where the vendor has a place for that."""

    text: str


Part = Say | Think | Hide | Call | Decline


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What was used: the input includes what was cached and written, the output what was thought."""

    input: int = 30
    cached: int = 8
    written: int = 0
    output: int = 12
    reasoning: int = 5


@dataclass(frozen=True, kw_only=True)
class Style:
    """Oddities of a stream, all of which real services have."""

    crlf: bool = False
    comments: bool = False
    many_lines: bool = False
    """The data of an event stands in several lines."""
    pings: bool = False
    empty_first: bool = False
    """Azure begins with a chunk without choices."""
    whole_calls: bool = False
    """Mistral sends a call, the finish and the usage in one chunk."""
    no_space: bool = False
    """Nothing between `data:` and the data."""


PLAIN = Style()
ODD = Style(crlf=True, comments=True, many_lines=True, pings=True, empty_first=True, no_space=True)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the model answers."""

    parts: Sequence[Part] = (Say("Good morning, 世界"),)
    finish: str = "stop"
    """`stop`, `length`, `filter`, `refusal`; calls speak for themselves."""
    spent: Spent = field(default_factory=Spent)
    style: Style = PLAIN
    serial: str = "1"
    """Told apart by this, two replies never have the same ids."""
    cut_after: int | None = None
    """After so many events of a stream the connection ends."""
    failure: "Failure | None" = None
    """Reported inside the stream, after `fails_after` events."""
    fails_after: int = 0

    @property
    def calls(self) -> list[Call]:
        """The calls in it."""
        return [part for part in self.parts if isinstance(part, Call)]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An error instead of an answer: `rate`, `quota`, `overloaded`, `key`, `context`, `filter`, `field`, `model`,
    `server`, `timeout`.
    """

    kind: str
    retry_after: str | None = None
