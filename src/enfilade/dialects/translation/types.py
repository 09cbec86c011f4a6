"""The nouns of a translation."""

import re
from dataclasses import dataclass, field

import msgspec

from enfilade.dialects.codec import NO_RULES, Rules
from enfilade.dialects.traits import NO_TRAITS, Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a question has to fit: a dialect, as a service speaks it, for one model."""

    rules: Rules = NO_RULES
    traits: Traits = NO_TRAITS
    lacks: frozenset[str] = frozenset()
    """Settings and abilities that the model lacks; those that its service lacks are added."""
    tool_name: re.Pattern[str] = field(init=False)
    tool_id: re.Pattern[str] | None = field(init=False)
    file_id: re.Pattern[str] | None = field(init=False)
    takes: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Work out what every question asks."""
        identifier = self.traits.tool_id_pattern or self.rules.tool_id
        object.__setattr__(self, "tool_name", re.compile(self.rules.tool_name))
        object.__setattr__(self, "tool_id", re.compile(identifier) if identifier else None)
        file_id = self.rules.file_id
        object.__setattr__(self, "file_id", re.compile(file_id) if file_id else None)
        object.__setattr__(self, "lacks", self.lacks | self.traits.lacks)
        object.__setattr__(self, "takes", self.rules.takes - self.lacks)

    @property
    def max_stop(self) -> int | None:
        """How many stop sequences at most."""
        bounds = [bound for bound in (self.rules.max_stop, self.traits.max_stop) if bound is not None]
        return min(bounds, default=None)


class Memo(msgspec.Struct, gc=False):
    """What the answer's translation must know of the question's."""

    origin: str
    """The caller's family of seals."""
    names: dict[str, str] = {}
    """The tools' own names, by those under which they were sent."""
    custom: set[str] = set()
    """Tools, by their own names, that take free text and were sent as functions."""
    forced: str | None = None
    """The tool that stands for a response format."""
    wrapped: bool = False
    """The format's schema stands inside an object, under `value`."""

    @property
    def is_plain(self) -> bool:
        """Whether nothing was changed about the tools."""
        return not self.names and not self.custom and self.forced is None
