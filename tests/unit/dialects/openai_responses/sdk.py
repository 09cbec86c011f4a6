"""The official SDK, answered from memory, and its types as judges of what we write."""

from typing import Any

import httpx2
import openai
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def client(body: bytes, *, streamed: bool = True) -> openai.OpenAI:
    """A client whose every request is answered with this body."""
    kind = "text/event-stream" if streamed else "application/json"

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": kind}, content=body)

    transport = httpx2.MockTransport(answer)
    return openai.OpenAI(
        api_key="k", base_url="http://gateway/v1", max_retries=0, http_client=httpx2.Client(transport=transport)
    )


def check_event(fields: dict[str, Any]) -> None:
    """Raise unless the event has all that its type requires, each of its type."""
    _EVENT.validate_python(fields)


def check_response(fields: dict[str, Any]) -> Response:
    """Raise unless the response has all that its type requires, each of its type."""
    return Response.model_validate(fields)
