"""What is written can be read again: Gemini is spoken on both sides."""

import json
import string
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Part,
    Reasoning,
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
from enfilade.dialects.members.gemini_generate import DIALECT
from enfilade.dialects.members.gemini_generate.codec import CODEC
from tests.support.properties import examples
from tests.unit.dialects.gemini.wires import UPSTREAM, collected, events, reply

WORDS = st.text(alphabet=string.printable + "é€😀", min_size=1, max_size=12)
NAMES = st.text(alphabet=string.ascii_letters + "_", min_size=1, max_size=8)
SEALS = st.builds(Sealed, st.just("gemini"), st.text(alphabet=string.ascii_letters, min_size=1, max_size=8))
OBJECTS = st.dictionaries(NAMES, st.integers(-5, 5) | WORDS | st.none() | st.lists(st.booleans()), max_size=3)
MEDIA = st.one_of(
    st.builds(Media, st.just("image"), st.just("image/png"), data=st.sampled_from(["AA==", "iVBORw0KGgo="])),
    st.builds(Media, st.just("document"), st.just("application/pdf"), url=st.just("https://a.example/b.pdf")),
    st.builds(Media, st.just("video"), st.just("video/mp4"), file_id=st.just("gs://bucket/b")),
)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Turns by turns, each call answered."""
    messages: list[Message] = []
    count = 0
    for _ in range(draw(st.integers(1, 3))):
        parts: list[Part] = draw(st.lists(st.builds(Text, WORDS) | MEDIA, min_size=1, max_size=3))
        messages.append(Message(Role.USER, tuple(parts)))
        names = draw(st.lists(NAMES, max_size=3))
        answer: list[Part] = draw(
            st.lists(st.builds(Reasoning, WORDS, SEALS) | st.builds(Text, WORDS, seal=SEALS), max_size=2)
        )
        calls = [
            ToolCall(f"own-{count + place}", name, json.dumps(draw(OBJECTS)), seal=draw(SEALS))
            for place, name in enumerate(names)
        ]
        count += len(calls)
        messages.append(Message(Role.ASSISTANT, (*answer, *calls, *draw(st.tuples(st.builds(Text, WORDS))))))
        if calls:
            results = tuple(
                ToolResult(call.id, (Text(json.dumps(draw(OBJECTS))),), is_error=draw(st.booleans()), name=call.name)
                for call in calls
            )
            messages.append(Message(Role.USER, results))
            messages.append(Message(Role.ASSISTANT, (Text("done"),)))
    settings: dict[str, Any] = {
        "temperature": draw(st.none() | st.floats(0, 2)),
        "top_k": draw(st.none() | st.integers(0, 50)),
        "seed": draw(st.none() | st.integers(0, 5)),
        "logprobs": draw(st.none() | st.integers(0, 5)),
        "max_output_tokens": draw(st.none() | st.integers(1, 5)),
        "stop": tuple(draw(st.lists(WORDS, max_size=5))),
        "thinking": draw(st.sampled_from([None, Thinking(effort="high"), Thinking(effort="medium", shown=True)])),
        "response_format": draw(
            st.sampled_from([None, ResponseFormat("json"), ResponseFormat("schema", {"$ref": "#/x"})])
        ),
        "system": tuple(Text(text) for text in draw(st.lists(WORDS, max_size=2))),
        "tools": (Tool("f", "Does", {"type": "object"}), Tool("g")),
        "tool_choice": draw(
            st.sampled_from([None, ToolChoice("auto"), ToolChoice("named", ("f",)), ToolChoice("allowed", ("f",))])
        ),
    }
    return Conversation(tuple(messages), **settings)


def plain(conversation: Conversation) -> Conversation:
    """With all JSON that stands in texts written in one way."""

    def part_of(part: Any) -> Any:
        if isinstance(part, ToolCall):
            return msgspec.structs.replace(part, arguments=one_way(part.arguments))
        if isinstance(part, ToolResult):
            said = tuple(Text(one_way(entry.text)) for entry in part.content if isinstance(entry, Text))
            return msgspec.structs.replace(part, content=said)
        return part

    messages = tuple(Message(turn.role, tuple(part_of(part) for part in turn.parts)) for turn in conversation.messages)
    return msgspec.structs.replace(conversation, messages=messages)


def one_way(text: str) -> str:
    return json.dumps(json.loads(text))


@examples(60)
@given(conversation=conversations())
def test_what_is_written_is_read_as_it_was(conversation: Conversation) -> None:
    body = CODEC.write(conversation, UPSTREAM)
    request = DIALECT.parse(body, "/v1beta/models/m:generateContent")
    assert plain(CODEC.question(request)) == plain(conversation)


PARTS = st.lists(
    st.one_of(
        st.builds(lambda text: {"text": text}, WORDS),
        st.builds(lambda text: {"text": text, "thought": True}, WORDS),
        st.builds(lambda text: {"text": text, "thoughtSignature": "c2ln"}, WORDS),
        st.builds(lambda name, args: {"functionCall": {"name": name, "args": args}}, NAMES, OBJECTS),
    ),
    max_size=8,
)


@examples(80)
@given(parts=PARTS, cuts=st.lists(st.integers(0, 5000), max_size=10))
def test_a_stream_collected_is_the_whole_reply(parts: list[dict[str, Any]], cuts: list[int]) -> None:
    whole = CODEC.read(json.dumps(reply(*parts)).encode(), UPSTREAM)
    assert collected(events(*(reply(part, finish=None) for part in parts), reply()), cuts) == whole


@examples(80)
@given(parts=PARTS, as_array=st.booleans())
def test_what_a_caller_is_streamed_is_what_a_whole_reply_says(parts: list[dict[str, Any]], as_array: bool) -> None:
    """Google to Google through the neutral form: the caller's stream, read as a provider's, is the same completion."""
    told = CODEC.decoder(UPSTREAM)
    request = DIALECT.parse(
        b'{"contents":"Hi"}', "/v1/models/m:streamGenerateContent" + ("" if as_array else "?alt=sse")
    )
    writer = CODEC.writer(request, "call-1", 0)
    happened = told.feed(events(*(reply(part, finish=None) for part in parts), reply())) + told.close()
    wire = b"".join(writer.write(happening) for happening in happened[:-1])
    wire += writer.end(happened[-1], None)  # type: ignore[arg-type]
    if as_array:
        wire = events(*json.loads(wire))
    whole = CODEC.read(json.dumps(reply(*parts)).encode(), UPSTREAM)
    again = collected(wire)
    texts = [part for part in whole.parts if isinstance(part, Text) and part.seal is not None]
    if texts:
        # The signature of a text comes after it, as Google's own streams have it.
        joined = "".join(part.text for part in again.parts if isinstance(part, Text))
        assert joined == "".join(part.text for part in whole.parts if isinstance(part, Text))
    else:
        assert again == whole
