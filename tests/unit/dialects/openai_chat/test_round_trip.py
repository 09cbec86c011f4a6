"""What is written is read back as it was: nothing is lost on the way through the wire's form."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import (
    Completion,
    Conversation,
    Finish,
    Media,
    Message,
    Part,
    Reasoning,
    Refusal,
    ResponseFormat,
    Role,
    Sealed,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from enfilade.core.usage import Usage
from enfilade.dialects.members.openai_chat import DIALECT
from enfilade.dialects.traits import Traits
from tests.support.properties import examples
from tests.unit.dialects.openai_chat.chat import codec, collected, read, request, upstream

EVERYTHING = Traits(takes_seals=True, reasoning_field="reasoning_content")
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SOME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.text("abcdefghij_-09", min_size=1, max_size=12)
BASE64 = st.text("abcdefgh/+", max_size=8)
SEALS = st.builds(Sealed, st.just("openai"), SOME)
MAYBE_SEAL = st.none() | SEALS
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=3)
FLOATS = st.floats(0, 2, allow_nan=False)

TEXTS = st.builds(Text, WORDS)
MEDIA = st.one_of(
    st.builds(Media, st.just("image"), st.sampled_from(["image/png", "image/webp"]), BASE64, detail=st.none() | NAMES),
    st.builds(Media, st.just("image"), url=st.just("https://a.example/b?c=d"), detail=st.none() | NAMES),
    st.builds(Media, st.just("audio"), st.sampled_from(["audio/wav", "audio/mpeg", "audio/flac"]), BASE64),
    st.builds(Media, st.just("document"), st.just("application/pdf"), BASE64, name=SOME),
    st.builds(Media, st.just("document"), file_id=SOME),
)
CALLS = st.builds(ToolCall, NAMES, NAMES, SOME, st.booleans(), seal=MAYBE_SEAL)
RESULTS = st.builds(ToolResult, st.text("xyz", min_size=1), st.lists(TEXTS, min_size=1, max_size=2).map(tuple))
THOUGHTS = st.one_of(
    st.builds(Reasoning, SOME, SEALS, id=st.none() | SOME),
    st.builds(Reasoning, st.just(""), SEALS, st.just(True), st.none() | SOME),
)


@st.composite
def assistant_parts(draw: st.DrawFn) -> tuple[Part, ...]:
    """A turn in the order of the wire: reasoning, words, a refusal, calls."""
    parts: list[Part] = list(draw(st.lists(THOUGHTS, max_size=2)))
    texts = draw(st.lists(TEXTS, max_size=2))
    if texts:
        texts[-1] = Text(texts[-1].text, seal=draw(MAYBE_SEAL))
    parts += texts
    parts += draw(st.lists(st.builds(Refusal, SOME), max_size=1))
    parts += draw(st.lists(CALLS, max_size=3))
    if all(isinstance(part, Reasoning) for part in parts):
        parts.append(Text(""))  # The service wants a content where nothing else is.
    return tuple(parts)


MESSAGES = st.one_of(
    st.builds(
        Message, st.just(Role.USER), st.lists(TEXTS | MEDIA, min_size=1, max_size=3).map(tuple), st.none() | NAMES
    ),
    st.builds(Message, st.just(Role.USER), st.tuples(RESULTS)),
    st.builds(Message, st.just(Role.ASSISTANT), assistant_parts(), st.none() | NAMES),
    st.builds(Message, st.just(Role.SYSTEM), st.lists(TEXTS, min_size=1, max_size=2).map(tuple), st.none() | NAMES),
)
TOOLS = st.one_of(
    st.builds(Tool, NAMES, st.none() | WORDS, st.none() | OBJECTS, st.none() | st.booleans()),
    st.builds(Tool, NAMES, st.none() | WORDS, custom=st.just(True), format=st.none() | OBJECTS),
)
CHOICES = st.one_of(
    st.builds(ToolChoice, st.sampled_from(["auto", "required", "none"])),
    st.builds(ToolChoice, st.just("named"), st.tuples(NAMES)),
    st.builds(ToolChoice, st.just("allowed"), st.lists(NAMES, max_size=3).map(tuple), st.booleans()),
)
FORMATS = st.one_of(
    st.builds(ResponseFormat, st.sampled_from(["text", "json"])),
    st.builds(
        ResponseFormat, st.just("schema"), st.none() | OBJECTS, SOME, st.none() | WORDS, st.none() | st.booleans()
    ),
)


def _id(call: ToolCall) -> str:
    return call.id


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Whatever the dialect can say."""
    first = draw(st.lists(TEXTS | MEDIA, min_size=1, max_size=2).map(tuple))
    turns = (Message(Role.USER, first), *draw(st.lists(MESSAGES, max_size=4)))
    tools = draw(st.lists(TOOLS, max_size=3, unique_by=lambda tool: tool.name).map(tuple))
    return Conversation(
        turns,
        draw(st.lists(TEXTS, max_size=2).map(tuple)),
        tools=tools,
        tool_choice=draw(optional(CHOICES)),
        parallel_tool_calls=draw(optional(st.booleans())) if tools else None,
        max_output_tokens=draw(optional(st.integers(1, 10**6))),
        temperature=draw(optional(FLOATS)),
        top_p=draw(optional(FLOATS)),
        top_k=draw(optional(st.integers(0, 100))),
        stop=draw(st.lists(WORDS, max_size=4).map(tuple)),
        seed=draw(optional(st.integers(0, 2**53))),
        frequency_penalty=draw(optional(FLOATS)),
        presence_penalty=draw(optional(FLOATS)),
        logit_bias=draw(optional(st.dictionaries(NAMES, FLOATS, max_size=2))),
        logprobs=draw(optional(st.integers(0, 20))),
        response_format=draw(optional(FORMATS)),
        thinking=draw(optional(st.builds(Thinking, effort=NAMES))),
        verbosity=draw(optional(NAMES)),
        service_tier=draw(optional(NAMES)),
        user=draw(optional(WORDS)),
        metadata=draw(optional(OBJECTS)),
        cache_key=draw(optional(WORDS)),
        cache_life=draw(optional(NAMES)),
    )


@examples(120)
@given(asked=conversations())
def test_a_question_is_read_back_as_it_was_written(asked: Conversation) -> None:
    assert codec().question(DIALECT.parse(codec().write(asked, upstream(EVERYTHING)))) == asked


@st.composite
def completions(draw: st.DrawFn) -> Completion:
    """Whatever a provider of the dialect can answer, one text at most."""
    parts: list[Part] = list(draw(st.lists(THOUGHTS, max_size=2)))
    if draw(st.booleans()):
        # The seal of a text is told last, when nobody knows any more what came between.
        parts.append(draw(st.builds(Text, SOME, seal=SEALS)))
    else:
        parts += draw(st.lists(st.builds(Text, SOME), max_size=1))
        parts += draw(st.lists(st.builds(Refusal, SOME), max_size=1))
        calls: list[ToolCall] = draw(st.lists(CALLS, max_size=3, unique_by=_id))
        parts += calls
    finishes = [Finish.STOP, Finish.LENGTH, Finish.TOOL_CALLS, Finish.CONTENT_FILTER]
    finish = draw(st.sampled_from(finishes))
    if finish is Finish.STOP and any(isinstance(part, Refusal) for part in parts):
        finish = Finish.REFUSAL
    used = draw(optional(st.builds(Usage, st.integers(9, 99), st.integers(0, 4), st.integers(0, 4))))
    tier = draw(optional(NAMES))
    return Completion(draw(SOME), draw(SOME), draw(st.integers(1, 2**32)), tuple(parts), finish, used, None, tier)


ASKED = request(stream=True, stream_options={"include_usage": True})


@examples(100)
@given(completion=completions())
def test_an_answer_is_read_back_as_it_was_rendered(completion: Completion) -> None:
    assert read(codec().render(completion, ASKED)) == completion


@examples(100)
@given(completion=completions(), data=st.data())
def test_an_answer_is_read_back_as_it_was_streamed(completion: Completion, data: st.DataObject) -> None:
    writer = codec().writer(ASKED, "01ABC", 99)
    happened: list[Happening] = [Began(completion.id, completion.model, completion.created_s)]
    for index, part in enumerate(completion.parts):
        words = str(getattr(part, "arguments", None) or getattr(part, "text", ""))
        bare: dict[type, Part] = {
            Text: Text(""),
            Refusal: Refusal(""),
            Reasoning: Reasoning(redacted=getattr(part, "redacted", False)),
        }
        if isinstance(part, ToolCall):
            bare[ToolCall] = ToolCall(part.id, part.name, "", part.custom)
        cut = data.draw(st.integers(0, len(words)))
        grown = [PartGrew(index, piece) for piece in (words[:cut], words[cut:]) if piece]
        happened += [PartBegan(index, bare[type(part)]), *grown, PartEnded(index, part)]
    written = [writer.write(happening) for happening in happened]
    ended = Ended(completion.finish, None, completion.service_tier)
    assert collected(*written, writer.end(ended, completion.usage)) == completion
