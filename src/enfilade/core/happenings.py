"""A completion that is arriving, apart from how any dialect streams it.

    Began  { PartBegan  PartGrew*  PartEnded }  Reported*  Ended

Parts are told apart by their index, which counts up from 0 in the order of their beginnings. A part that has not ended
may still grow after another began: dialects that write one block at a time wait for the end of the one before.
`Reported` may come anywhere, the latest figures count; `Failed` may come instead of everything that would follow.
"""

import msgspec

from enfilade.core.messages import Finish, Part
from enfilade.core.usage import Usage


class Began(msgspec.Struct, frozen=True, gc=False):
    """The provider has begun to answer."""

    id: str
    model: str
    created_s: int = 0


class PartBegan(msgspec.Struct, frozen=True, gc=False):
    """A part, with what is known at its beginning: its words and arguments come with `PartGrew`."""

    index: int
    part: Part


class PartGrew(msgspec.Struct, frozen=True, gc=False):
    """More of a part's text: words, thoughts, or a tool call's arguments."""

    index: int
    text: str
    logprobs: tuple[dict[str, object], ...] = ()


class PartEnded(msgspec.Struct, frozen=True, gc=False):
    """A part is whole. `last`, of the same kind, holds what is known only now (a seal, citations), and no text."""

    index: int
    last: Part | None = None


class Reported(msgspec.Struct, frozen=True, gc=False):
    """What was used so far; it replaces what was reported before."""

    usage: Usage


class Ended(msgspec.Struct, frozen=True, gc=False):
    """The completion is whole."""

    finish: Finish
    stop_sequence: str | None = None
    service_tier: str | None = None


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The provider reports that it cannot go on. `error` is its own error object, as JSON: what it means is for those to
    say who know the provider, and nobody shows it to callers.
    """

    error: str


Happening = Began | PartBegan | PartGrew | PartEnded | Reported | Ended | Failed
