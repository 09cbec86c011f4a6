"""Calls over a connection of their own, so that a caller can hang up exactly when the test wants."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from tests.support.house import House

PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "embeddings": "/v1/embeddings",
    "responses": "/v1/responses",
}
"""Gemini's stands in `Ask.path`: it names the model."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    key: str
    model: str
    dialect: str = "chat"
    stream: bool = False
    text: str = "What is in the next room?"
    max_tokens: int | None = 20
    user: str | None = None
    choices: int = 1
    leaves: str | None = None
    """When the caller hangs up: `unanswered` right after asking, `amid` after the first part of a stream; None never."""

    def body(self) -> bytes:
        """The request's body."""
        if self.dialect == "embeddings":
            return json.dumps({"model": self.model, "input": self.text}).encode()
        if self.dialect == "gemini":
            config = {"maxOutputTokens": self.max_tokens, "candidateCount": self.choices}
            return json.dumps({"contents": [{"parts": [{"text": self.text}]}], "generationConfig": config}).encode()
        said = {"input": self.text} if self.dialect == "responses" else {"messages": [self._turn()]}
        fields: dict[str, Any] = {"model": self.model} | said
        if self.max_tokens is not None:
            fields["max_output_tokens" if self.dialect == "responses" else "max_tokens"] = self.max_tokens
        if self.choices != 1:
            fields["n"] = self.choices
        return json.dumps(fields | ({"stream": True} if self.stream else {})).encode()

    def _turn(self) -> dict[str, str]:
        return {"role": "user", "content": self.text}

    @property
    def path(self) -> str:
        """Where it is sent. Every second length of a bound has Gemini's stream come as an array."""
        if self.dialect != "gemini":
            return PATHS[self.dialect]
        if not self.stream:
            return f"/v1beta/models/{self.model}:generateContent"
        return f"/v1beta/models/{self.model}:streamGenerateContent" + ("?alt=sse" if (self.max_tokens or 0) % 2 else "")

    def request(self) -> bytes:
        """Everything that goes over the wire."""
        body = self.body()
        head = [
            f"POST {self.path} HTTP/1.1",
            "host: localhost",
            "connection: close",
            "content-type: application/json",
            f"content-length: {len(body)}",
            f"authorization: Bearer {self.key}",
        ]
        if self.user is not None:
            head.append(f"x-enfilade-user: {self.user}")
        return "\r\n".join([*head, "", ""]).encode() + body


@dataclass(slots=True)
class Answer:
    """What the caller got."""

    ask: Ask
    status: int = 0
    """0: nothing, because the caller or the server left before."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False
    """Whether the last byte came."""

    @property
    def id(self) -> str | None:
        """The call's id."""
        return self.headers.get("x-request-id")

    @property
    def error(self) -> dict[str, Any]:
        """The error object of a refusal, in either dialect."""
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found

    @property
    def is_answered(self) -> bool:
        """Whether this is a whole answer without an error in it."""
        return self.status == 200 and self.complete and b'"error":{' not in self.body


async def make(house: House, ask: Ask) -> Answer:
    """Make the call, and read the answer until its end or until the caller leaves."""
    answer = Answer(ask)
    reader, writer = await asyncio.open_connection(house.host, house.port)
    try:
        writer.write(ask.request())
        await writer.drain()
        if ask.leaves != "unanswered":
            await _read(reader, answer, stops_early=ask.leaves == "amid")
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # The server went away: what came until then is the answer.
    finally:
        writer.transport.abort()
    return answer


async def _read(reader: asyncio.StreamReader, answer: Answer, *, stops_early: bool) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    answer.status = int(head[0].split(" ")[1])
    answer.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
    if "content-length" in answer.headers:
        answer.body = await reader.readexactly(int(answer.headers["content-length"]))
        answer.complete = True
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        answer.body += (await reader.readexactly(size + 2))[:-2]
        if stops_early:
            return
    answer.complete = True
