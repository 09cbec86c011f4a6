"""Whatever comes between any two dialects: streams cut anywhere, streams and whole replies, noise, and conversations that
each service's own checks take.
"""

import json
import random
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.errors import EnfiladeError
from enfilade.dialects.registry import load_dialects
from enfilade.dialects.traits import Traits
from enfilade.dialects.translation.passage import Asked, Destination, Passage, Translator
from enfilade.dialects.types import Request
from tests.support.callers import CALLERS
from tests.support.properties import examples
from tests.support.strict import (
    anthropic,
    anthropic_rules,
    chat_rules,
    gemini,
    gemini_rules,
    openai_chat,
    openai_responses,
    responses_rules,
)
from tests.support.strict.streams import framed
from tests.support.strict.types import ODD, PLAIN, Call, Decline, Hide, Part, Reply, Say, Style, Think

DIALECTS = load_dialects()
PAIRS = [(caller, upstream) for caller, upstream in product(CALLERS, CALLERS) if caller != upstream]
MODELS = {
    "openai_chat": "gpt-5.1",
    "openai_responses": "gpt-5.1",
    "anthropic_messages": "claude-sonnet-4-5",
    "gemini_generate": "gemini-3-pro",
}
TRAITS = {"openai_chat": Traits(output_field="max_completion_tokens")}
CHECKS: dict[str, Callable[[Any], None]] = {
    "openai_chat": chat_rules.check_chat,
    "openai_responses": responses_rules.check_responses,
    "anthropic_messages": anthropic_rules.check_messages,
    "gemini_generate": lambda body: gemini_rules.check_generate(body, MODELS["gemini_generate"]),
}


def whole_of(upstream: str, reply: Reply) -> bytes:
    """What a service answers in one piece."""
    model = MODELS[upstream]
    made: dict[str, Callable[[], dict[str, Any]]] = {
        "openai_chat": lambda: openai_chat.chat_reply(reply, model),
        "openai_responses": lambda: openai_responses.response_reply(reply, model, _THINKING),
        "anthropic_messages": lambda: anthropic.message_reply(reply, model),
        "gemini_generate": lambda: gemini.content_reply(reply, model),
    }
    return json.dumps(made[upstream]()).encode()


def stream_of(upstream: str, reply: Reply) -> bytes:
    """The same as a stream."""
    model = MODELS[upstream]
    made: dict[str, Callable[[], list[Any]]] = {
        "openai_chat": lambda: openai_chat.chat_events(reply, model, {"stream_options": {"include_usage": True}}),
        "openai_responses": lambda: openai_responses.response_events(reply, model, _THINKING),
        "anthropic_messages": lambda: anthropic.message_events(reply, model),
        "gemini_generate": lambda: gemini.content_events(reply, model),
    }
    return framed(made[upstream](), reply.style)


_THINKING = {"reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]}


def passage(caller: str, upstream: str, body: dict[str, Any], *, stream: bool, number: int = 0) -> Passage:
    """The way between a caller who asks this and a service."""
    dialect = DIALECTS.get(caller)
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    target = f"/v1beta/models/m:{method}" if caller == "gemini_generate" else dialect.path
    request: Request = dialect.parse(json.dumps(body).encode(), target)
    asked = Asked(dialect, request, call_id=f"{number:016x}", created_s=1)
    to = Destination(MODELS[upstream], (upstream,), TRAITS.get(upstream, Traits()), output_bound=4000)
    return Translator(DIALECTS).open(asked, to)


def asking(caller: str, *, stream: bool) -> dict[str, Any]:
    """A small question."""
    made = CALLERS[caller]("m", stream)
    made.has_tools("weather", "time")
    made.thinks()
    made.asks("Hello")
    return made.body


def translated(caller: str, upstream: str, pieces: list[bytes]) -> bytes:
    """What the caller gets of a stream that came in these pieces."""
    reader = passage(caller, upstream, asking(caller, stream=True), stream=True).stream_reader()
    written = [reader.feed(piece) for piece in pieces]
    assert reader.finish()
    return b"".join(written) + reader.tail(None)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20).filter(str.strip)
CALLS = st.builds(
    Call, st.sampled_from(["weather", "time"]), st.dictionaries(WORDS, WORDS | st.integers(-9, 9), max_size=3)
)
THOUGHTS = st.lists(st.builds(Think, WORDS) | st.builds(Hide), max_size=2)
STYLES = st.sampled_from([PLAIN, ODD, Style(crlf=True), Style(many_lines=True)])


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """Thoughts, then words or a refusal, then calls."""
    parts: list[Part] = [*draw(THOUGHTS)]
    parts += draw(st.lists(st.builds(Say, WORDS), max_size=1))
    calls = draw(st.lists(CALLS, max_size=3))
    if not calls and not any(isinstance(part, Say) for part in parts):
        parts.append(Decline("No.") if draw(st.booleans()) else Say("Yes."))
    finish = draw(st.sampled_from(["stop", "length"])) if not calls else "stop"
    return Reply(parts=[*parts, *calls], finish=finish, style=draw(STYLES))


@pytest.mark.parametrize(("caller", "upstream"), PAIRS)
@given(reply=replies(), seed=st.integers(0, 1000))
@examples(12)
def test_a_stream_cut_anywhere_is_the_same(caller: str, upstream: str, reply: Reply, seed: int) -> None:
    """In events; and in bytes, when each comes alone."""
    data = stream_of(upstream, reply)
    chance = random.Random(seed)
    places = sorted(chance.randrange(len(data)) for _ in range(30))
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    singly = translated(caller, upstream, [data[index : index + 1] for index in range(len(data))])
    events = CALLERS[caller].events
    assert events(translated(caller, upstream, pieces).decode()) == events(singly.decode())
    assert events(translated(caller, upstream, [data]).decode()) == events(singly.decode())


@pytest.mark.parametrize(("caller", "upstream"), PAIRS)
@given(reply=replies())
@examples(15)
def test_a_stream_adds_up_to_the_whole_reply(caller: str, upstream: str, reply: Reply) -> None:
    _, whole = passage(caller, upstream, asking(caller, stream=False), stream=False).read_reply(
        whole_of(upstream, reply)
    )
    streamed = translated(caller, upstream, [stream_of(upstream, reply)])
    one, other = CALLERS[caller]("m"), CALLERS[caller]("m", stream=True)
    assert other.takes(streamed.decode()) == one.takes(whole.decode())


NOISE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(("caller", "upstream"), PAIRS)
@given(reply=replies(), noise=NOISE, seed=st.integers(0, 10_000))
@examples(20)
def test_noise_is_an_error_or_an_answer(caller: str, upstream: str, reply: Reply, noise: Any, seed: int) -> None:
    """A value somewhere in a reply is another one; bytes are lost, or changed."""
    chance = random.Random(seed)
    asked, asked_stream = asking(caller, stream=False), asking(caller, stream=True)
    whole, stream = whole_of(upstream, reply), stream_of(upstream, reply)
    bent = json.dumps(_bent(json.loads(whole), noise, chance)).encode()
    for body in (bent, whole[: chance.randrange(len(whole))], _scratched(whole, chance)):
        try:
            passage(caller, upstream, asked, stream=False).read_reply(body)
        except EnfiladeError:
            continue
    lines = stream.split(b"\n")
    at = chance.randrange(len(lines))
    lines[at] = b"data: " + json.dumps(noise).encode()
    for data in (b"\n".join(lines), _bent_stream(stream, noise, chance), _scratched(stream, chance)):
        reader = passage(caller, upstream, asked_stream, stream=True).stream_reader()
        try:
            reader.feed(data)
            if reader.finish():
                reader.tail("0.1")
        except EnfiladeError:
            continue


def _bent(value: Any, noise: Any, chance: random.Random) -> Any:
    """One value somewhere inside replaced."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        name = chance.choice(sorted(value))
        return value | {name: _bent(value[name], noise, chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        index = chance.randrange(len(value))
        return [*value[:index], _bent(value[index], noise, chance), *value[index + 1 :]]
    return noise


def _bent_stream(stream: bytes, noise: Any, chance: random.Random) -> bytes:
    lines = stream.split(b"\n")
    places = [index for index, line in enumerate(lines) if line.startswith(b"data: {") and line.rstrip().endswith(b"}")]
    if places:
        at = chance.choice(places)
        lines[at] = b"data: " + json.dumps(_bent(json.loads(lines[at][6:]), noise, chance)).encode()
    return b"\n".join(lines)


def _scratched(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([chance.randrange(256)]) + data[at + chance.randrange(3) :]


@st.composite
def turns(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What is said in a conversation: questions, answers by the service, and results of its calls."""
    found: list[tuple[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        found.append(("asks", draw(WORDS)))
        for _ in range(draw(st.integers(0, 2))):
            calls = draw(st.lists(CALLS, min_size=1, max_size=3))
            found.append(("calls", Reply(parts=[*draw(THOUGHTS), *calls], serial=str(len(found)))))
            found.append(("results", draw(st.lists(WORDS | st.just(""), min_size=3, max_size=3))))
        found.append(("says", Reply(parts=[*draw(THOUGHTS), Say(draw(WORDS))], serial=str(len(found)))))
    return [*found, ("asks", draw(WORDS))]


@pytest.mark.parametrize(("caller", "upstream"), PAIRS)
@given(conversation=turns(), has_image=st.booleans(), thinks=st.booleans(), before=st.lists(WORDS, max_size=2))
@examples(12)
def test_every_conversation_is_taken_by_the_services_own_checks(
    caller: str,
    upstream: str,
    conversation: list[tuple[str, Any]],
    has_image: bool,
    thinks: bool,
    before: list[str],
) -> None:
    made = CALLERS[caller]("m")
    made.has_tools("weather", "time")
    if thinks:
        made.thinks()
    if before:
        made.instructs(*before)
    calls: list[tuple[str, str, dict[str, Any]]] = []
    for number, (kind, content) in enumerate(conversation):
        if kind == "asks":
            made.asks(content, image=has_image)
        elif kind == "results":
            results = [(call[0], call[1], text) for call, text in zip(calls, content, strict=False)]
            made.answers(results, errors=[call[0] for call in calls[:1]])
        else:
            way = passage(caller, upstream, made.body, stream=False, number=number)
            CHECKS[upstream](json.loads(way.body))
            _, reply = way.read_reply(whole_of(upstream, content))
            calls = made.takes(reply.decode()).calls
    CHECKS[upstream](json.loads(passage(caller, upstream, made.body, stream=False).body))
