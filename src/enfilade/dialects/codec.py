"""What a dialect offers so that calls can be translated: its half of the way to and from the neutral form.

    caller's bytes ──question──▶ neutral ──adapt──▶ neutral ──write──▶ provider's bytes
    caller's bytes ◀──render─── neutral ◀──restore── neutral ◀──read─── provider's bytes

A codec only reads and writes. What the other side cannot take is found by `adaptation` from the codec's `Rules`, in one
place for all dialects, before `write` sees the question.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from enfilade.core.happenings import Ended, Happening
from enfilade.core.messages import Completion
from enfilade.core.usage import Usage
from enfilade.dialects.traits import NO_TRAITS, Traits


class Operation(StrEnum):
    """What a dialect asks for. Only dialects of one operation translate into one another."""

    GENERATE = "generate"
    EMBED = "embed"
    COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What requests of a dialect can hold. The matrix in the documentation is made from these."""

    takes: frozenset[str] = frozenset()
    """Settings, by the names of the fields of `Conversation` (or `Question`), that have a place here. Messages, system
    and tools need not be named."""
    media: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For each kind of media, the forms it may come in: `data`, `url`, `file_id`, `text`."""
    result_media: frozenset[str] = frozenset()
    """Kinds of media that tool results may hold."""
    file_id: str | None = None
    """Ids of files that this dialect's providers keep, as a regular expression; None takes any."""
    temperature: tuple[float, float] = (0.0, 2.0)
    max_stop: int | None = None
    """How many stop sequences at most; None is without bound."""
    blank_stop: bool = True
    """Whether a stop sequence may be white space alone."""
    tool_name: str = r"[a-zA-Z0-9_-]{1,64}"
    tool_id: str | None = None
    """Ids of tool calls; None takes any."""
    tool_choices: frozenset[str] = frozenset({"auto", "required", "none", "named"})
    custom_tools: bool = False
    response_formats: frozenset[str] = frozenset({"text"})
    """Kinds of `ResponseFormat`; those that are missing are done with a forced tool."""
    json_by_word: bool = False
    """Whether JSON without a schema is refused unless the conversation speaks of it."""
    seals: frozenset[str] = frozenset()
    """Families whose sealed reasoning goes back in this dialect."""
    thoughts_go_back: "Callable[[Traits], bool]" = field(default=lambda _traits: True)
    """Whether a service of these traits gives its thoughts in a form in which they can be given back."""
    unsealed_reasoning: bool = False
    """Whether reasoning of an earlier turn goes back without a seal of these families."""
    system_turns: bool = False
    """Whether instructions may stand between the turns; else they join those at the beginning."""
    needs_output_bound: bool = False
    """Whether a maximum of output must be given."""
    cache_marks: bool = False
    empty_texts: bool = True
    """Whether a text may be empty."""
    names: bool = False
    """Whether messages may carry names."""
    refusals: bool = False
    """Whether an assistant's refusal has a place of its own in the history."""
    prefill: bool = True
    """Whether the last turn may be the assistant's, to be continued."""
    fit: "Callable[[Any, Upstream], tuple[Any, tuple[str, ...]]] | None" = None
    """What no single setting decides: which of them this dialect's services do not take together, or not with the
    model. Called last, with the question otherwise fitted; returns it changed, and the settings that it left out, by
    their neutral names. Fitting twice changes nothing more."""


NO_RULES = Rules()


class Upstream(msgspec.Struct):
    """To whom a question is written."""

    model: str
    stream: bool = False
    traits: Traits = NO_TRAITS
    call_id: str = ""
    """The call's own id: what is invented for it (ids of tool calls) is derived from it."""


class StreamDecoder(Protocol):
    """Reads a provider's stream."""

    def feed(self, data: bytes) -> list[Happening]:
        """Take bytes, cut anywhere; return what has happened. After `Ended` only `Reported` may come.

        Raises UnreadableReply for what cannot be this dialect.
        """
        ...

    def close(self) -> list[Happening]:
        """The provider has ended the stream. Returns what was still held back.

        No `Ended` by then, here or before, means that the stream was cut.
        """
        ...

    @property
    def done(self) -> bool:
        """Whether the stream has said everything, so that nobody need wait for the connection's end."""
        ...


class EventWriter(Protocol):
    """Writes a completion as the caller's stream."""

    def write(self, happening: Happening) -> bytes:
        """The events for it, perhaps none yet. `Reported`, `Ended` and `Failed` are not for this method."""
        ...

    def end(self, ended: Ended, usage: Usage | None, cost_usd: str | None = None) -> bytes:
        """Everything after the last part: what is held back, the finish, usage where it was asked for, the end."""
        ...


class Codec(Protocol):
    """One dialect's half. Q is Conversation or Question, A is Completion, Embeddings or int; see Operation."""

    rules: Rules
    origin: str
    """The family whose seals this dialect's providers make, e.g. `anthropic`."""
    field_names: Mapping[str, str]
    """What callers of this dialect call the settings of the neutral form, where the names differ."""

    def question(self, request: Any) -> Any:
        """The caller's request in the neutral form. Raises WrongType, MissingField."""
        ...

    def write(self, question: Any, upstream: Upstream) -> bytes:
        """The body for a provider. The question fits the rules."""
        ...

    def read(self, body: bytes, upstream: Upstream) -> Any:
        """A provider's whole reply in the neutral form. Raises UnreadableReply."""
        ...

    def render(self, answer: Any, asked: Any) -> bytes:
        """A whole reply for the caller who sent the request `asked`."""
        ...


class StreamingCodec(Codec, Protocol):
    """A codec of the operation GENERATE."""

    def decoder(self, upstream: Upstream) -> StreamDecoder:
        """A reader for a provider's stream."""
        ...

    def writer(self, asked: Any, call_id: str, created_s: int) -> EventWriter:
        """A writer for the stream that answers the request `asked`."""
        ...

    def render(self, answer: Completion, asked: Any) -> bytes:
        """See `Codec.render`."""
        ...
