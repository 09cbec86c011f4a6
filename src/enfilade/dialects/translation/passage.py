"""How one attempt's question and answer pass between the caller's dialect and the provider's."""

from typing import Any, Protocol

import msgspec

from enfilade.core.messages import Completion, Conversation, Embeddings
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Codec, Operation, Upstream
from enfilade.dialects.errors import NotTranslatable
from enfilade.dialects.traits import NO_TRAITS, Traits
from enfilade.dialects.translation.fitting import fit
from enfilade.dialects.translation.losses import Losses
from enfilade.dialects.translation.reader import TranslatedReader
from enfilade.dialects.translation.restoring import restore
from enfilade.dialects.translation.types import Aim, Memo
from enfilade.dialects.types import Dialect, Keeping, Registry, ReplyFacts, Request, StreamReader


class Destination(msgspec.Struct):
    """Where an attempt goes."""

    model: str
    """By the provider's name."""
    dialects: tuple[str, ...]
    """Those that it speaks for this model, the preferred ones first."""
    traits: Traits = NO_TRAITS
    lacks: frozenset[str] = frozenset()
    """What the model cannot do; see `Aim`."""
    max_output: int | None = None
    """A bound that the provider must be told."""
    output_bound: int | None = None
    """The bound that holds anyway, for dialects in which one has to be said."""


class Asked(msgspec.Struct):
    """What a caller asked, and how it is to be answered."""

    dialect: Dialect
    request: Request
    call_id: str = ""
    created_s: int = 0
    strict: bool = False
    question: Any = None
    """The request in the neutral form, once somebody has needed it."""

    def neutral(self) -> Any:
        """The request in the neutral form. Raises WrongType."""
        if self.question is None:
            codec = self.dialect.codec
            assert codec is not None, "only what has a codec is translated"
            self.question = codec.question(self.request)
        return self.question


class Passage(Protocol):
    """A written question, and how its answer is read."""

    dialect: Dialect
    """What the provider is spoken to in."""
    body: bytes
    dropped: tuple[str, ...]
    """The caller's fields that were left out."""

    @property
    def is_translated(self) -> bool:
        """Whether the provider speaks another dialect than the caller."""
        ...

    def read_reply(self, body: bytes) -> tuple[ReplyFacts, bytes]:
        """What a whole reply says of itself, and the reply for the caller. Raises UnreadableReply."""
        ...

    def stream_reader(self) -> StreamReader:
        """What turns the provider's stream into the caller's."""
        ...


class Through(msgspec.Struct):
    """The same dialect on both sides: bytes pass."""

    dialect: Dialect
    request: Request
    body: bytes
    dropped: tuple[str, ...] = ()

    @property
    def is_translated(self) -> bool:
        """See `Passage`."""
        return False

    def read_reply(self, body: bytes) -> tuple[ReplyFacts, bytes]:
        """See `Passage`."""
        facts = self.dialect.read_reply(body)
        if facts.whole is not None and isinstance(self.dialect, Keeping):
            body = facts.whole = self.dialect.restate(facts.whole, self.request)
        return facts, body

    def stream_reader(self) -> StreamReader:
        """See `Passage`."""
        return self.dialect.stream_reader(self.request)


class Translated(msgspec.Struct):
    """Another dialect on each side."""

    dialect: Dialect
    asked: Asked
    upstream: Upstream
    memo: Memo
    body: bytes
    dropped: tuple[str, ...] = ()

    @property
    def is_translated(self) -> bool:
        """See `Passage`."""
        return True

    def read_reply(self, body: bytes) -> tuple[ReplyFacts, bytes]:
        """See `Passage`."""
        answer = _codec(self.dialect).read(body, self.upstream)
        facts = ReplyFacts(Usage())
        if isinstance(answer, Completion):
            answer = restore(answer, self.memo)
            if not answer.created_s:
                answer = msgspec.structs.replace(answer, created_s=self.asked.created_s)
            facts = ReplyFacts(answer.usage, answer.model, answer.finish, answer.service_tier)
        elif isinstance(answer, Embeddings):
            facts = ReplyFacts(answer.usage, answer.model)
        rendered = _codec(self.asked.dialect).render(answer, self.asked.request)
        facts.whole = rendered
        return facts, rendered

    def stream_reader(self) -> StreamReader:
        """See `Passage`."""
        decoder = _codec(self.dialect).decoder(self.upstream)
        asked = self.asked
        writer = _codec(asked.dialect).writer(asked.request, asked.call_id, asked.created_s)
        return TranslatedReader(decoder, self.memo, writer)


def _codec(dialect: Dialect) -> Any:
    assert dialect.codec is not None, "only what has a codec is translated"
    return dialect.codec


class Translator:
    """Finds the way from a caller's dialect to a provider's. One per process."""

    def __init__(self, dialects: Registry) -> None:
        """Translate between these."""
        self._dialects = dialects
        self._aims: dict[tuple[str, Traits, frozenset[str]], Aim] = {}
        self._ways: dict[tuple[str, tuple[str, ...]], tuple[Dialect, ...]] = {}

    def ways(self, dialect: Dialect, spoken: tuple[str, ...]) -> tuple[Dialect, ...]:
        """Those dialects, among the ones spoken, in which what is asked in `dialect` can be put; itself alone, if it is
        one of them.
        """
        known = self._ways.get((dialect.name, spoken))
        if known is None:
            if dialect.name in spoken:
                known = (dialect,)
            else:
                others = [self._dialects.get(name) for name in spoken]
                known = tuple(
                    other
                    for other in others
                    if dialect.codec is not None and other.codec is not None and other.operation is dialect.operation
                )
            self._ways[dialect.name, spoken] = known
        return known

    def open(self, asked: Asked, to: Destination) -> Passage:
        """Write the question for an attempt. Raises NotTranslatable, WrongType."""
        dialect = asked.dialect
        ways = self.ways(dialect, to.dialects)
        if ways and ways[0] is dialect:
            body = dialect.render_request(
                asked.request, to.model, max_output=to.max_output, max_output_field=to.traits.output_field
            )
            return Through(dialect, asked.request, body)
        if len(ways) > 1 and asked.dialect.operation is Operation.GENERATE and _thinks(asked.neutral()):
            ways = tuple(sorted(ways, key=lambda way: not _codec(way).rules.thoughts_go_back(to.traits)))
        best: Translated | None = None
        refusal: NotTranslatable | None = None
        for way in ways:
            try:
                passage = self._translate(asked, to, way)
            except NotTranslatable as error:
                refusal = refusal or error
                continue
            if best is None or len(passage.dropped) < len(best.dropped):
                best = passage
            if not best.dropped:
                break
        if best is None:
            raise refusal or _no_way(dialect, to)
        return best

    def _translate(self, asked: Asked, to: Destination, way: Dialect) -> Translated:
        caller, target = _codec(asked.dialect), _codec(way)
        losses = Losses(caller.field_names, way.name, strict=asked.strict)
        memo = Memo(caller.origin)
        aim = self._aim(way.name, target, to)
        question = fit(asked.neutral(), aim, losses, memo)
        if way.operation is not Operation.EMBED:
            bound = to.max_output or question.max_output_tokens
            if bound is None and aim.rules.needs_output_bound:
                bound = to.output_bound
            question = msgspec.structs.replace(question, max_output_tokens=bound)
        upstream = Upstream(to.model, asked.request.stream, to.traits, asked.call_id)
        if aim.rules.fit is not None:
            question, left_out = aim.rules.fit(question, upstream)
            for name in left_out:
                losses.drop(name)
        body = target.write(question, upstream)
        return Translated(way, asked, upstream, memo, body, tuple(losses.dropped))

    def _aim(self, name: str, codec: Codec, to: Destination) -> Aim:
        aim = self._aims.get((name, to.traits, to.lacks))
        if aim is None:
            aim = self._aims[name, to.traits, to.lacks] = Aim(rules=codec.rules, traits=to.traits, lacks=to.lacks)
        return aim


def _thinks(question: Conversation) -> bool:
    """Whether thoughts are asked for: then they should be able to go back with the results of tools."""
    thinking = question.thinking
    if thinking is None or thinking.enabled is False or thinking.effort == "none":
        return False
    return bool(thinking.enabled or thinking.effort or thinking.budget_tokens)


def _no_way(dialect: Dialect, to: Destination) -> NotTranslatable:
    message = f"The model is served in {', '.join(to.dialects)}, into which {dialect.name} is not translated."
    return NotTranslatable(message, param="model")
