"""Questions and answers of every dialect, for measuring translation without servers."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from enfilade.core.happenings import Began, Ended, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Completion, Conversation, Finish, Media, Message, Role, Text
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Operation, Upstream
from enfilade.dialects.registry import load_dialects
from enfilade.dialects.translation.passage import Asked, Destination, Passage, Translator
from enfilade.dialects.types import Dialect, Request

MODEL = "model-1"
WORDS = "It rains in the north and the sun shines in the south. "
USAGE = Usage(input_tokens=200, output_tokens=220)
QUESTION = Conversation(
    messages=(
        Message(Role.USER, (Text(WORDS * 6),)),
        Message(Role.ASSISTANT, (Text(WORDS * 2),)),
        Message(Role.USER, (Text(WORDS * 6),)),
    ),
    system=(Text(WORDS * 2),),
    max_output_tokens=300,
    temperature=0.2,
)
ANSWER = Completion("id-1", MODEL, 1, (Text(WORDS * 18),), Finish.STOP, USAGE)
ONE_CHUNK = PartGrew(0, " word7")
IMAGE_BYTES = 3_000_000

DIALECTS = load_dialects()
TRANSLATOR = Translator(DIALECTS)


def generating() -> list[Dialect]:
    """The dialects that callers and providers speak."""
    every = (DIALECTS.get(name) for name in DIALECTS.names())
    return [one for one in every if one.operation is Operation.GENERATE and one.path and one.codec is not None]


def pairs() -> Iterator[tuple[Dialect, Dialect]]:
    """Each caller's dialect with each provider's other one."""
    for caller in generating():
        for provider in generating():
            if provider is not caller:
                yield caller, provider


def codec(dialect: Dialect) -> Any:
    """Its codec, with everything that it offers."""
    return dialect.codec


def asked_in(dialect: Dialect, question: Conversation = QUESTION, *, stream: bool = False) -> Request:
    """The question as a caller of the dialect asks it."""
    fields = json.loads(codec(dialect).write(question, Upstream(MODEL, stream)))
    path = next((path for path in (dialect.path, *dialect.more_paths) if ("stream" in path) == stream), dialect.path)
    return dialect.parse(json.dumps(fields).encode(), path.replace("{model}", MODEL) + "?alt=sse")


def passage(caller: Dialect, request: Request, provider: Dialect) -> Passage:
    """The question written for a provider that speaks one dialect."""
    return TRANSLATOR.open(Asked(caller, request, "call-1", 1), Destination(MODEL, (provider.name,), output_bound=300))


def reply_of(provider: Dialect) -> bytes:
    """A provider's whole reply."""
    body: bytes = codec(provider).render(ANSWER, asked_in(provider))
    return body


def stream_of(provider: Dialect) -> tuple[bytes, bytes]:
    """How a provider's stream begins, and one chunk of its middle."""
    writer = codec(provider).writer(asked_in(provider, stream=True), "call-1", 1)
    begun = [writer.write(one) for one in (Began("id-1", MODEL, 1), PartBegan(0, Text("")), ONE_CHUNK)]
    chunk = writer.write(ONE_CHUNK)
    # Written to its end, so that a writer that holds something back shows it here and not in a figure.
    assert writer.write(PartEnded(0)) + writer.end(Ended(Finish.STOP), USAGE)
    return b"".join(begun), chunk


def picture() -> Conversation:
    """A question with an image of 4 MB in base64."""
    data = base64.b64encode(bytes(range(256)) * (IMAGE_BYTES // 256)).decode()
    image = Media("image", "image/png", data=data)
    return Conversation((Message(Role.USER, (Text("What is this?"), image)),), max_output_tokens=300)
