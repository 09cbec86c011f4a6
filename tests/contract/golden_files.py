"""The golden cases, as they lie in their folders."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from enfilade.dialects.codec import Operation
from enfilade.dialects.traits import Traits
from enfilade.dialects.types import Request
from tests.contract.neutral import DIALECTS, answer_from, question_from
from tests.contract.wires.wire import compact

FOLDER = Path(__file__).parent / "golden"
NEUTRAL = "neutral"
PLAIN_QUESTION = {"messages": [{"role": "user", "parts": [{"type": "text", "text": "Hi"}]}]}
PLAIN_REQUESTS: dict[str, dict[str, Any]] = {
    "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    "openai_responses": {"model": "m", "input": "Hi"},
    "anthropic_messages": {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]},
    "gemini_generate": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    "openai_embeddings": {"model": "m", "input": "Hi"},
    "gemini_embed": {"content": {"parts": [{"text": "Hi"}]}},
}
"""What a caller asks where a case is about answers alone."""


@dataclass(frozen=True)
class Side:
    """What a case says of one dialect."""

    dialect: str
    held: Mapping[str, Any]

    def has(self, section: str) -> bool:
        """Whether that section is there."""
        return section in self.held

    def missing(self, sections: set[str]) -> set[str]:
        """Those of the sections that are neither there nor declared absent, with a reason."""
        return sections - set(self.held) - set(self.held.get("absent", {}))

    @property
    def to(self) -> dict[str, Any]:
        """What the provider's destination has beyond the dialect's default: its model, its traits."""
        found: dict[str, Any] = {name: self.held[name] for name in ("model", "output_bound") if name in self.held}
        if "traits" in self.held:
            traits = self.held["traits"]
            found["traits"] = Traits(**traits | {"lacks": frozenset(traits.get("lacks", ()))})
        return found


@dataclass(frozen=True)
class Case:
    """One case: the neutral form, and what each dialect makes of it."""

    name: str
    neutral: Mapping[str, Any]
    sides: Mapping[str, Side] = field(default_factory=dict)

    @property
    def operation(self) -> Operation:
        """What is asked for."""
        return Operation(self.neutral.get("operation", "generate"))

    @cached_property
    def asks(self) -> bool:
        """Whether the case is about a question of its own."""
        return "question" in self.neutral

    @cached_property
    def answers(self) -> bool:
        """Whether the case is about an answer."""
        return "answer" in self.neutral

    def question(self, changes: Mapping[str, Any] | None = None) -> Any:
        """The neutral question, with some fields changed."""
        plain: dict[str, Any] = PLAIN_QUESTION if self.operation is Operation.GENERATE else {"inputs": ["Hi"]}
        return question_from(patched(self.neutral.get("question", plain), changes or {}), self.operation)

    def answer(self, changes: Mapping[str, Any] | None = None) -> Any:
        """The neutral answer, with some fields changed."""
        return answer_from(patched(self.neutral["answer"], changes or {}), self.operation)

    def request(self, dialect: str) -> dict[str, Any] | None:
        """What a caller of the dialect sends; None when the case cannot be said in it."""
        side = self.sides[dialect]
        if self.asks:
            found: dict[str, Any] | None = side.held.get("request")
            return found
        return PLAIN_REQUESTS[dialect]


def patched(value: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The object with other fields; null takes one away."""
    found = dict(value) | dict(changes)
    return {name: entry for name, entry in found.items() if entry is not None}


def load(folder: Path = FOLDER) -> dict[str, Case]:
    """All cases, by their names."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            files = {file.stem: json.loads(file.read_text()) for file in sorted(path.glob("*.json"))}
            neutral = files.pop(NEUTRAL)
            found[path.name] = Case(path.name, neutral, {name: Side(name, held) for name, held in files.items()})
    return found


def dialects_of(operation: Operation) -> list[str]:
    """The dialects, found as the program finds them, that ask for this."""
    return [name for name in DIALECTS.names() if DIALECTS.get(name).operation is operation]


def is_spoken(dialect: str) -> bool:
    """Whether callers speak it too, or only providers."""
    return bool(DIALECTS.get(dialect).path)


def parsed(dialect: str, body: Mapping[str, Any], *, stream: bool = False) -> Request:
    """A caller's request; streamed, the same request with the wish for a stream and all its figures."""
    spoken = DIALECTS.get(dialect)
    if not dialect.startswith("gemini"):
        more: dict[str, Any] = {"stream": True} if stream else {}
        if stream and dialect == "openai_chat":
            more["stream_options"] = {"include_usage": True}
        return spoken.parse(compact({**body, **more}))
    target = spoken.path.format(model="m")
    if stream:
        target = target.replace(":generateContent", ":streamGenerateContent") + "?alt=sse"
    return spoken.parse(compact(body), target)
