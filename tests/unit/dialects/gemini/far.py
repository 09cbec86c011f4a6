"""The official SDK with our dialects at its far side, in memory."""

from collections.abc import Iterable
from typing import Any

import httpx
from google import genai
from google.genai import types

from enfilade.core.errors import EnfiladeError
from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import (
    Reasoning,
    Sealed,
    Text,
    ToolCall,
)
from enfilade.core.usage import Usage
from enfilade.dialects.members.gemini_count import DIALECT as COUNT
from enfilade.dialects.members.gemini_embed import DIALECT as EMBED
from enfilade.dialects.members.gemini_generate import DIALECT
from enfilade.dialects.members.gemini_generate.codec import CODEC
from enfilade.dialects.types import Request

USAGE = Usage(12, 4, 0, 0, 9, 3)
SIGNED = Sealed("gemini", "c2ln")
BEGAN = Began("r1", "gpt-x")
TOLD: list[Happening] = [
    BEGAN,
    PartBegan(0, Reasoning()),
    PartGrew(0, "Hm."),
    PartEnded(0, Reasoning(seal=SIGNED)),
    PartBegan(1, Text("")),
    PartGrew(1, "Grü"),
    PartGrew(1, "ße"),
    PartEnded(1),
    PartBegan(2, ToolCall("c1", "weather", "")),
    PartGrew(2, '{"city":\n'),
    PartGrew(2, '"Bonn"}'),
    PartEnded(2),
    PartBegan(3, ToolCall("c2", "clock", "")),
    PartEnded(3),
]


class Far:
    """Answers the SDK as the gateway would, with what it was told."""

    def __init__(self, answer: Any, told: Iterable[Happening] = ()) -> None:
        self.requests: list[Request] = []
        self._answer = answer
        self._told = list(told)
        transport = httpx.MockTransport(self._serve)
        options = types.HttpOptions(base_url="http://gateway.example", httpx_client=httpx.Client(transport=transport))
        self.client = genai.Client(api_key="key", http_options=options)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode()
        dialect: Any = EMBED if "mbed" in target else COUNT if "count" in target else DIALECT
        self.requests.append(dialect.parse(request.content, target))
        if isinstance(self._answer, EnfiladeError):
            body = dialect.render_error(self._answer, "call-1")
            return httpx.Response(dialect.error_status(self._answer), content=body)
        if self.requests[-1].stream:
            return httpx.Response(200, content=streamed(self._told, self._answer, self.requests[-1]))
        return httpx.Response(200, content=dialect.codec.render(self._answer, self.requests[-1]))


def streamed(told: Iterable[Happening], ended: Ended, request: Request, usage: Usage | None = USAGE) -> bytes:
    writer = CODEC.writer(request, "call-1", 0)
    return b"".join([*(writer.write(happening) for happening in told), writer.end(ended, usage)])


def parts_of(chunks: Iterable[types.GenerateContentResponse]) -> list[types.Part]:
    return [part for chunk in chunks for candidate in chunk.candidates or () for part in parts_in(candidate)]


def parts_in(candidate: types.Candidate) -> list[types.Part]:
    return (candidate.content.parts if candidate.content else None) or []
