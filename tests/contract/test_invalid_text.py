"""Texts that are no UTF-8: from callers and from providers, in every place where a text can stand."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from enfilade.core.errors import EnfiladeError
from enfilade.core.happenings import Began, Ended, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Completion, Conversation, Embeddings, Finish, Message, Question, Role, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Operation, Upstream
from enfilade.dialects.registry import load_dialects
from enfilade.dialects.types import Dialect

DIALECTS = load_dialects()
SPOKEN = [DIALECTS.get(name) for name in DIALECTS.names() if DIALECTS.get(name).path]
STREAMED = [dialect for dialect in SPOKEN if dialect.operation is Operation.GENERATE]
UPSTREAM = Upstream("m", stream=True, call_id="c")
USAGE = Usage(3, output_tokens=4)


def broken(body: bytes) -> Iterator[bytes]:
    """The body with one text after the other made invalid, names of fields among them."""
    for match in re.finditer(rb'"(?=[^",:{}\[\]]+")', body):
        yield body[: match.end()] + b"\xff" + body[match.end() :]


def codec(dialect: Dialect) -> Any:
    return dialect.codec


def question(dialect: Dialect) -> Any:
    if dialect.operation is Operation.EMBED:
        return Question(("words",))
    return Conversation((Message(Role.USER, (Text("words"),)),), max_output_tokens=5)


def request(dialect: Dialect, *, stream: bool = False) -> Any:
    path = next((path for path in (dialect.path, *dialect.more_paths) if ("stream" in path) is stream), dialect.path)
    return dialect.parse(codec(dialect).write(question(dialect), UPSTREAM), path.replace("{model}", "m") + "?alt=sse")


def answer(dialect: Dialect) -> Any:
    if dialect.operation is Operation.EMBED:
        return Embeddings(((0.5, 0.25),), "m", USAGE)
    if dialect.operation is Operation.COUNT:
        return 5
    parts = (Text("words"), ToolCall("call_1", "tool", '{"a":1}'))
    return Completion("i", "m", 1, parts, Finish.TOOL_CALLS, USAGE)


def attempt(action: Any, *args: Any) -> None:
    """Whatever comes of it, it is either an answer or an error of ours."""
    try:
        action(*args)
    except EnfiladeError:
        return


@pytest.mark.parametrize("dialect", SPOKEN, ids=lambda dialect: dialect.name)
def test_requests(dialect: Dialect) -> None:
    body = codec(dialect).write(question(dialect), UPSTREAM)
    for changed in broken(body):
        with pytest.raises(EnfiladeError):
            dialect.parse(changed, dialect.path.replace("{model}", "m"))


@pytest.mark.parametrize("dialect", SPOKEN, ids=lambda dialect: dialect.name)
def test_whole_replies(dialect: Dialect) -> None:
    body = codec(dialect).render(answer(dialect), request(dialect))
    for changed in broken(body):
        attempt(dialect.read_reply, changed)
        attempt(codec(dialect).read, changed, UPSTREAM)


@pytest.mark.parametrize("dialect", STREAMED, ids=lambda dialect: dialect.name)
def test_streams(dialect: Dialect) -> None:
    writer = codec(dialect).writer(request(dialect, stream=True), "c", 1)
    happenings = [
        Began("i", "m", 1),
        PartBegan(0, Text("")),
        PartGrew(0, "words"),
        PartEnded(0),
        PartBegan(1, ToolCall("call_1", "tool", "")),
        PartGrew(1, '{"a":1}'),
        PartEnded(1),
    ]
    stream = b"".join(writer.write(one) for one in happenings) + writer.end(Ended(Finish.TOOL_CALLS), USAGE)

    def passed(data: bytes) -> None:
        reader = dialect.stream_reader(request(dialect, stream=True))
        reader.feed(data)
        reader.finish()

    def decoded(data: bytes) -> None:
        decoder = codec(dialect).decoder(UPSTREAM)
        decoder.feed(data)
        decoder.close()

    for changed in broken(stream):
        attempt(passed, changed)
        attempt(decoded, changed)
